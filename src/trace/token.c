#include "trace/token.h"

#include "base/mem.h"
#include "message/hex.h"

enum kind { KIND_ADDRESS, KIND_DOMAIN, KIND_MESSAGE_ID, KIND_QUEUE, KIND_DELIVERY };

#define DELIVERY_DIGITS 32

/* The end of MurmurHash3: a Bloom filter takes several numbers out of one hash. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* FNV-1a over the folded bytes. */
static uint64_t hash(enum kind kind, struct str s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)ascii_lower(s.p[i])) * UINT64_C(0x100000001b3);
    return mix(h);
}

uint64_t trace_token_delivery(struct str id)
{
    return hash(KIND_DELIVERY, id);
}

uint64_t trace_token_queue(uint64_t id)
{
    return mix(id ^ (uint64_t)KIND_QUEUE << 60);
}

bool trace_is_delivery(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex_value(s.p[i]) < 0)
            return false;
    return s.n == DELIVERY_DIGITS;
}

/* --- of a line --- */

static struct str without_brackets(struct str s)
{
    bool has = s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>';
    return has ? str_slice(s, 1, s.n - 2) : s;
}

static void add_addresses(struct str list, trace_token_fn *each, void *context)
{
    while (list.n > 0) {
        struct str one;
        str_cut(&list, ',', &one);
        size_t at = str_rfind_byte(one, '@');
        if (at == STR_NONE)
            continue;
        each(context, hash(KIND_ADDRESS, one));
        each(context, hash(KIND_DOMAIN, str_from_offset(one, at + 1)));
    }
}

static void add_delivery(struct str id, trace_token_fn *each, void *context)
{
    uint64_t number;
    if (trace_is_delivery(id))
        each(context, hash(KIND_DELIVERY, id));
    else if (str_to_u64(id, &number) && number > 0)
        each(context, trace_token_queue(number));
}

static void add_message_id(struct str id, trace_token_fn *each, void *context)
{
    if (id.n > 0)
        each(context, hash(KIND_MESSAGE_ID, without_brackets(id)));
}

/* The fields that say such a thing. `id` and `delivery` are a delivery id with some roles and a number of the
 * queue with others; `about` is the message that a report of ours, which is a message too, is about. */
static const struct {
    struct str key;
    void (*add)(struct str value, trace_token_fn *each, void *context);
} KEYS[] = {
    {STR_INIT("id"), add_delivery},        {STR_INIT("delivery"), add_delivery},
    {STR_INIT("queue"), add_delivery},     {STR_INIT("about"), add_delivery},
    {STR_INIT("from"), add_addresses},     {STR_INIT("to"), add_addresses},
    {STR_INIT("original"), add_addresses}, {STR_INIT("address"), add_addresses},
    {STR_INIT("user"), add_addresses},     {STR_INIT("sender"), add_addresses},
    {STR_INIT("rcpt"), add_addresses},     {STR_INIT("msgid"), add_message_id},
};

/* Most fields of a line are others, which nearly always differ in length or first letter. */
static bool is_key(struct str field, struct str key)
{
    return field.n == key.n && field.p[0] == key.p[0] && str_eq(field, key);
}

void trace_tokens(const struct trace_line *l, trace_token_fn *each, void *context)
{
    for (size_t i = 0; i < l->count; i++)
        for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS; k++)
            if (is_key(l->fields[i].key, KEYS[k].key)) {
                KEYS[k].add(l->fields[i].value, each, context);
                break;
            }
}

struct str trace_line_delivery(const struct trace_line *l)
{
    struct str id = trace_line_get(l, STR("id"));
    if (!trace_is_delivery(id))
        id = trace_line_get(l, STR("delivery"));
    return trace_is_delivery(id) ? id : STR("");
}

uint64_t trace_line_queue(const struct trace_line *l)
{
    uint64_t number;
    struct str id = trace_line_get(l, STR("queue"));
    if (id.n == 0)
        id = trace_line_get(l, STR("id"));
    return str_to_u64(id, &number) && !trace_is_delivery(id) ? number : 0;
}

/* --- sets --- */

void trace_tokens_free(struct trace_tokens *t)
{
    free(t->v);
    *t = (struct trace_tokens){0};
}

void trace_tokens_add(struct trace_tokens *t, uint64_t token)
{
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 16;
        t->v = mem_resize(t->v, t->room, sizeof *t->v);
    }
    t->v[t->n++] = token;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

void trace_tokens_sort(struct trace_tokens *t)
{
    size_t n = 0;
    if (t->n == 0)
        return;
    qsort(t->v, t->n, sizeof *t->v, compare);
    for (size_t i = 0; i < t->n; i++)
        if (n == 0 || t->v[n - 1] != t->v[i])
            t->v[n++] = t->v[i];
    t->n = n;
}

bool trace_tokens_have(const struct trace_tokens *t, uint64_t token)
{
    return t->n > 0 && bsearch(&token, t->v, t->n, sizeof *t->v, compare);
}

struct matching {
    const struct trace_tokens *wanted;
    bool found;
};

static void match(void *context, uint64_t token)
{
    struct matching *m = context;
    m->found = m->found || trace_tokens_have(m->wanted, token);
}

bool trace_tokens_match(const struct trace_tokens *t, const struct trace_line *l)
{
    struct matching m = {.wanted = t};
    trace_tokens(l, match, &m);
    return m.found;
}

/* --- of a question --- */

bool trace_tokens_of_question(struct str typed, struct trace_tokens *out)
{
    uint64_t number;
    struct str bare = without_brackets(typed);
    size_t at = str_rfind_byte(bare, '@');
    if (trace_is_delivery(typed))
        trace_tokens_add(out, hash(KIND_DELIVERY, typed));
    else if (str_to_u64(typed, &number) && number > 0)
        trace_tokens_add(out, trace_token_queue(number));
    else if (at == 0 && bare.n > 1)
        trace_tokens_add(out, hash(KIND_DOMAIN, str_from_offset(bare, 1)));
    else if (bare.n > 1 && (at != STR_NONE || bare.n < typed.n)) {
        trace_tokens_add(out, hash(KIND_ADDRESS, bare));
        trace_tokens_add(out, hash(KIND_MESSAGE_ID, bare));
    }
    trace_tokens_sort(out);
    return out->n > 0;
}
