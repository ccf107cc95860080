/* GETMETADATA, SETMETADATA (RFC 5464 section 4). */
#include "imap/metadata.h"

#include "imap/rights.h"
#include "imap/roles.h"

#define ADMIN       STR("/shared/admin")
#define SPECIAL_USE STR("/private/specialuse")

/* Of a mailbox, or with "" of the server. */
struct target {
    bool is_server;
    struct mailbox m;
    unsigned rights;
};

bool imap_may_read_metadata(unsigned rights)
{
    unsigned any = (unsigned)(RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST);
    return rights & RIGHT_LOOKUP && rights & any;
}

static enum store_result find_target(struct imap_session *s, struct str name, struct target *out,
                                     struct err *e)
{
    *out = (struct target){.is_server = name.n == 0};
    if (out->is_server) { /* of a guest: it is kept in the guest's own account */
        out->m = (struct mailbox){.id = METADATA_SERVER, .name = STR("")};
        return s->is_owner ? STORE_OK : STORE_FORBIDDEN;
    }
    enum store_result r = imap_find(s, name, RIGHT_LOOKUP, &out->m, &out->rights, e);
    if (r == STORE_OK && !imap_may_read_metadata(out->rights))
        r = STORE_FORBIDDEN;
    return r;
}

/* --- what is there --- */

/* What is not kept but known otherwise: whom to write to about the server (section 6.2.1), and what a mailbox
 * is for (RFC 6154 section 5.4). */
static bool known_value(struct imap_session *s, const struct mailbox *m, struct str name, struct str *value)
{
    *value = STR("");
    if (m->id == METADATA_SERVER && str_eq(name, ADMIN)) {
        size_t at = str_rfind_byte(s->host->address, '@');
        struct str domain = at == STR_NONE ? s->host->address : str_from_offset(s->host->address, at + 1);
        *value = arena_printf(&s->arena, "mailto:postmaster@%.*s", STR_ARGS(domain));
    }
    if (m->id != METADATA_SERVER && str_eq(name, SPECIAL_USE))
        *value = imap_use_of_role(m->role);
    return value->n > 0;
}

static const struct metadata_entry *find_entry(const struct metadata_list *has, struct str name)
{
    for (size_t i = 0; i < has->n; i++)
        if (str_eq(has->v[i].name, name))
            return &has->v[i];
    return NULL;
}

/* One answer on its way: it begins with its first entry, and there may be none. Values go to the stream one
 * by one, since all of them may be more than is good to hold. */
struct answer {
    struct imap_session *session;
    const struct mailbox *m;
    bool has_begun;
};

static void tell_entry(struct answer *a, struct str name, struct str value, bool is_nil)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    if (!a->has_begun) {
        buf_add(&out, STR("* METADATA "));
        imap_add_mailbox(a->session, &out, a->m->name);
    }
    buf_add(&out, a->has_begun ? STR(" ") : STR(" ("));
    imap_add_astring(&out, name);
    buf_add_byte(&out, ' ');
    imap_add_metadata_value(&out, value, is_nil);
    stream_write(a->session->stream, buf_str(&out));
    a->has_begun = true;
}

static void end_answer(const struct answer *a)
{
    if (a->has_begun)
        stream_write(a->session->stream, STR(")\r\n"));
}

static void tell_named(struct answer *a, const struct metadata_list *has, struct str name)
{
    struct str value;
    const struct metadata_entry *entry = find_entry(has, name);
    if (known_value(a->session, a->m, name, &value))
        tell_entry(a, name, value, false);
    else
        tell_entry(a, name, entry ? entry->value : STR(""), !entry);
}

void imap_tell_metadata(struct imap_session *s, const struct mailbox *m, const struct metadata_list *has,
                        const struct str *names, size_t n)
{
    struct answer a = {.session = s, .m = m};
    for (size_t i = 0; i < n; i++)
        tell_named(&a, has, names[i]);
    end_answer(&a);
}

/* --- GETMETADATA --- */

struct getmetadata {
    struct getmetadata_options options;
    struct str mailbox;
    struct str *names;
    size_t n;
};

/* The options stand before the mailbox; the RFC's own example 4.2.1 has them behind it. */
static bool take_getmetadata(struct imap_session *s, struct imap_cursor *c, struct getmetadata *out)
{
    *out = (struct getmetadata){.options = {.depth = DEPTH_0, .size_max = UINT64_MAX}};
    if (!imap_take_space(c))
        return false;
    bool has_options = imap_is_getmetadata_options(c);
    if (has_options && (!imap_take_getmetadata_options(c, &out->options) || !imap_take_space(c)))
        return false;
    if (!imap_take_mailbox(s, c, &out->mailbox) || !imap_take_space(c))
        return false;
    if (!has_options && imap_is_getmetadata_options(c) &&
        (!imap_take_getmetadata_options(c, &out->options) || !imap_take_space(c)))
        return false;
    return imap_take_metadata_names(c, &s->arena, &out->names, &out->n) && imap_take_end(c);
}

/* With DEPTH those entries that are there are told, each once; without, those that were named, NIL for what
 * is not there. Values above MAXSIZE are left out; *longest is the longest of these. */
static void tell_found(struct imap_session *s, const struct getmetadata *q, const struct mailbox *m,
                       const struct metadata_list *has, size_t *longest)
{
    struct answer a = {.session = s, .m = m};
    *longest = 0;
    for (size_t i = 0; i < q->n; i++) {
        const struct metadata_entry *entry = find_entry(has, q->names[i]);
        if (entry && entry->value.n > q->options.size_max) {
            *longest = entry->value.n > *longest ? entry->value.n : *longest;
            continue;
        }
        struct str value;
        if (entry || q->options.depth == DEPTH_0 || known_value(s, m, q->names[i], &value))
            tell_named(&a, has, q->names[i]);
    }
    end_answer(&a);
}

/* The names that DEPTH asks for beside those that were given. */
static void widen(struct imap_session *s, struct getmetadata *q, const struct metadata_list *has)
{
    struct str *names = ARENA_ARRAY(&s->arena, struct str, q->n + has->n);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!find_entry(has, q->names[i]))
            names[n++] = q->names[i];
    for (size_t i = 0; i < has->n; i++) {
        bool is_asked = false;
        for (size_t j = 0; j < q->n && !is_asked; j++)
            is_asked = imap_metadata_is_within(has->v[i].name, q->names[j], q->options.depth);
        if (is_asked)
            names[n++] = has->v[i].name;
    }
    q->names = names;
    q->n = n;
}

enum imap_status imap_do_getmetadata(struct imap_session *s, struct imap_cursor *c)
{
    struct getmetadata q;
    struct target target;
    struct metadata_list has;
    size_t longest;
    struct err e = ERR_INIT;
    if (!take_getmetadata(s, c, &q))
        return imap_bad_syntax(s, c);
    enum store_result r = find_target(s, q.mailbox, &target, &e);
    if (r == STORE_OK)
        r = store_metadata_list(s->store, target.m.id, s->user, &s->arena, &has, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (q.options.depth != DEPTH_0)
        widen(s, &q, &has);
    tell_found(s, &q, &target.m, &has, &longest);
    return longest > 0 ? imap_ok(s, "[METADATA LONGENTRIES %zu] Some values are longer than that", longest)
                       : imap_ok(s, "Done");
}

/* --- SETMETADATA --- */

/* Shared entries are for those who may change the mailbox; those of the server belong to nobody here. */
static bool may_set(struct imap_session *s, const struct target *target, const struct metadata_entry *v,
                    enum imap_status *status)
{
    struct str value;
    bool is_shared = str_starts(v->name, STR("/shared/"));
    if (is_shared && (target->is_server || !(target->rights & RIGHT_WRITE)))
        *status = imap_no(s, "[NOPERM] You may not change shared entries here");
    else if (known_value(s, &target->m, v->name, &value) || str_eq(v->name, SPECIAL_USE))
        *status = imap_no(s, "[CANNOT] The use of a mailbox is chosen when it is created");
    else if (!v->is_nil && v->value.n > METADATA_VALUE_MAX)
        *status = imap_no(s, "[METADATA MAXSIZE %zu] A value is too long", METADATA_VALUE_MAX);
    else
        return true;
    return false;
}

enum imap_status imap_do_setmetadata(struct imap_session *s, struct imap_cursor *c)
{
    struct str mailbox;
    struct metadata_list values;
    struct target target;
    enum imap_status status;
    struct err e = ERR_INIT;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &mailbox) || !imap_take_space(c) ||
        !imap_take_metadata_values(c, &s->arena, &values) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = find_target(s, mailbox, &target, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    for (size_t i = 0; i < values.n; i++)
        if (!may_set(s, &target, &values.v[i], &status))
            return status;
    r = store_metadata_set(s->store, target.m.id, s->user, values.v, values.n, &e);
    if (r == STORE_LIMIT)
        return imap_no(s, "[METADATA TOOMANY] There are too many annotations already");
    return r == STORE_OK ? imap_ok(s, "Annotations set") : imap_no_store(s, r, &e);
}
