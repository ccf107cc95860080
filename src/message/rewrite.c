#include "message/rewrite.h"

enum rewrite_class rewrite_class(struct str name)
{
    static const struct {
        struct str name;
        enum rewrite_class of;
    } FIELDS[] = {
        {STR_INIT("From"), REWRITE_SENDERS},     {STR_INIT("Sender"), REWRITE_SENDERS},
        {STR_INIT("Reply-To"), REWRITE_SENDERS}, {STR_INIT("To"), REWRITE_RECIPIENTS},
        {STR_INIT("Cc"), REWRITE_RECIPIENTS},
    };
    if (str_starts_nocase(name, STR("Resent-")))
        name = str_from_offset(name, 7);
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++)
        if (str_eq_nocase(name, FIELDS[i].name))
            return FIELDS[i].of;
    return REWRITE_NONE;
}

/* What may stand beside an address: RFC 5322 section 3.4, and white space. */
static bool is_edge(char c)
{
    return c == '<' || c == '>' || c == ',' || c == ';' || c == ':' || c == '(' || c == ')' || c == ' ' ||
           c == '\t' || c == '\r' || c == '\n';
}

static const struct rewrite *find(struct str field, size_t at, enum rewrite_class of, const struct rewrite *v,
                                  size_t n)
{
    if (at > 0 && !is_edge(field.p[at - 1]))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        struct str there = str_slice(field, at, v[i].from.n);
        size_t end = at + v[i].from.n;
        if (v[i].of == of && v[i].from.n > 0 && str_eq_nocase(there, v[i].from) &&
            (end == field.n || is_edge(field.p[end])))
            return &v[i];
    }
    return NULL;
}

/* The position behind the quoted-string or comment at `at`; at + 1 where it is neither or never ends. */
static size_t skip(struct str field, size_t at)
{
    char open = field.p[at], close = open == '"' ? '"' : ')';
    size_t depth = 1;
    if (open != '"' && open != '(')
        return at + 1;
    for (size_t i = at + 1; i < field.n; i++) {
        if (field.p[i] == '\\')
            i++;
        else if (field.p[i] == close && --depth == 0)
            return i + 1;
        else if (field.p[i] == '(' && close == ')')
            depth++;
    }
    return at + 1;
}

void rewrite_field(struct str field, enum rewrite_class of, const struct rewrite *v, size_t n,
                   struct buf *out)
{
    for (size_t at = 0; at < field.n;) {
        const struct rewrite *r = find(field, at, of, v, n);
        size_t next = r ? at + r->from.n : skip(field, at);
        buf_add(out, r ? r->to : str_slice(field, at, next - at));
        at = next;
    }
}
