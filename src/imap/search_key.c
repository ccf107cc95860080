#include "imap/search_key.h"

#include "imap/objectid.h"
#include "message/date.h"
#include "message/decode.h"

enum argument {
    NO_ARGUMENT,
    FLAGS_ARGUMENT, /* none: the flags are the key */
    TEXT_ARGUMENT,
    FIELD_ARGUMENT, /* text that is looked for in the header field of the key's name */
    HEADER_ARGUMENT,
    KEYWORD_ARGUMENT,
    DATE_ARGUMENT,
    NUMBER_ARGUMENT,   /* number64 of RFC 9051 */
    INTERVAL_ARGUMENT, /* seconds, not 0 */
    MODSEQ_ARGUMENT,
    EMAILID_ARGUMENT,
    THREADID_ARGUMENT,
    UID_ARGUMENT,
    UIDAFTER_ARGUMENT, /* a uid, of the messages behind it */
    UIDBEFORE_ARGUMENT,
    RECENT_ARGUMENT, /* none: NEW, OLD, RECENT */
    KEY_ARGUMENT,
    KEYS_ARGUMENT, /* two */
};

static const struct search_key {
    struct str name;
    enum search_kind kind;
    enum argument argument;
    uint32_t flags;
} KEYS[] = {
    {STR_INIT("ALL"), SEARCH_ALL, NO_ARGUMENT, 0},
    {STR_INIT("ANSWERED"), SEARCH_FLAGS_SET, FLAGS_ARGUMENT, FLAG_ANSWERED},
    {STR_INIT("BCC"), SEARCH_HEADER, FIELD_ARGUMENT, 0},
    {STR_INIT("BEFORE"), SEARCH_BEFORE, DATE_ARGUMENT, 0},
    {STR_INIT("BODY"), SEARCH_BODY, TEXT_ARGUMENT, 0},
    {STR_INIT("CC"), SEARCH_HEADER, FIELD_ARGUMENT, 0},
    {STR_INIT("DELETED"), SEARCH_FLAGS_SET, FLAGS_ARGUMENT, FLAG_DELETED},
    {STR_INIT("DRAFT"), SEARCH_FLAGS_SET, FLAGS_ARGUMENT, FLAG_DRAFT},
    {STR_INIT("EMAILID"), SEARCH_EMAILID, EMAILID_ARGUMENT, 0}, /* RFC 8474 */
    {STR_INIT("FLAGGED"), SEARCH_FLAGS_SET, FLAGS_ARGUMENT, FLAG_FLAGGED},
    {STR_INIT("FROM"), SEARCH_HEADER, FIELD_ARGUMENT, 0},
    {STR_INIT("FUZZY"), SEARCH_FUZZY, KEY_ARGUMENT, 0}, /* RFC 6203 */
    {STR_INIT("HEADER"), SEARCH_HEADER, HEADER_ARGUMENT, 0},
    {STR_INIT("KEYWORD"), SEARCH_KEYWORD, KEYWORD_ARGUMENT, 0},
    {STR_INIT("LARGER"), SEARCH_LARGER, NUMBER_ARGUMENT, 0},
    {STR_INIT("MODSEQ"), SEARCH_MODSEQ, MODSEQ_ARGUMENT, 0}, /* RFC 7162 */
    {STR_INIT("NEW"), SEARCH_AND, RECENT_ARGUMENT, 0},
    {STR_INIT("NOT"), SEARCH_NOT, KEY_ARGUMENT, 0},
    {STR_INIT("OLD"), SEARCH_NOT, RECENT_ARGUMENT, 0},
    {STR_INIT("OLDER"), SEARCH_OLDER, INTERVAL_ARGUMENT, 0}, /* RFC 5032 */
    {STR_INIT("ON"), SEARCH_ON, DATE_ARGUMENT, 0},
    {STR_INIT("OR"), SEARCH_OR, KEYS_ARGUMENT, 0},
    {STR_INIT("RECENT"), SEARCH_UIDS, RECENT_ARGUMENT, 0},
    {STR_INIT("SAVEDATESUPPORTED"), SEARCH_ALL, NO_ARGUMENT, 0}, /* RFC 8514: every mailbox has it */
    {STR_INIT("SAVEDBEFORE"), SEARCH_SAVEDBEFORE, DATE_ARGUMENT, 0},
    {STR_INIT("SAVEDON"), SEARCH_SAVEDON, DATE_ARGUMENT, 0},
    {STR_INIT("SAVEDSINCE"), SEARCH_SAVEDSINCE, DATE_ARGUMENT, 0},
    {STR_INIT("SEEN"), SEARCH_FLAGS_SET, FLAGS_ARGUMENT, FLAG_SEEN},
    {STR_INIT("SENTBEFORE"), SEARCH_SENTBEFORE, DATE_ARGUMENT, 0},
    {STR_INIT("SENTON"), SEARCH_SENTON, DATE_ARGUMENT, 0},
    {STR_INIT("SENTSINCE"), SEARCH_SENTSINCE, DATE_ARGUMENT, 0},
    {STR_INIT("SINCE"), SEARCH_SINCE, DATE_ARGUMENT, 0},
    {STR_INIT("SMALLER"), SEARCH_SMALLER, NUMBER_ARGUMENT, 0},
    {STR_INIT("SUBJECT"), SEARCH_HEADER, FIELD_ARGUMENT, 0},
    {STR_INIT("TEXT"), SEARCH_TEXT, TEXT_ARGUMENT, 0},
    {STR_INIT("THREADID"), SEARCH_THREADID, THREADID_ARGUMENT, 0}, /* RFC 8474 */
    {STR_INIT("TO"), SEARCH_HEADER, FIELD_ARGUMENT, 0},
    {STR_INIT("UID"), SEARCH_UIDS, UID_ARGUMENT, 0},
    {STR_INIT("UIDAFTER"), SEARCH_UIDS, UIDAFTER_ARGUMENT, 0}, /* RFC 9738 section 3.2 */
    {STR_INIT("UIDBEFORE"), SEARCH_UIDS, UIDBEFORE_ARGUMENT, 0},
    {STR_INIT("UNANSWERED"), SEARCH_FLAGS_UNSET, FLAGS_ARGUMENT, FLAG_ANSWERED},
    {STR_INIT("UNDELETED"), SEARCH_FLAGS_UNSET, FLAGS_ARGUMENT, FLAG_DELETED},
    {STR_INIT("UNDRAFT"), SEARCH_FLAGS_UNSET, FLAGS_ARGUMENT, FLAG_DRAFT},
    {STR_INIT("UNFLAGGED"), SEARCH_FLAGS_UNSET, FLAGS_ARGUMENT, FLAG_FLAGGED},
    {STR_INIT("UNKEYWORD"), SEARCH_UNKEYWORD, KEYWORD_ARGUMENT, 0},
    {STR_INIT("UNSEEN"), SEARCH_FLAGS_UNSET, FLAGS_ARGUMENT, FLAG_SEEN},
    {STR_INIT("YOUNGER"), SEARCH_YOUNGER, INTERVAL_ARGUMENT, 0}, /* RFC 5032 */
};

struct parser {
    struct imap_cursor *c;
    const struct search_scope *scope;
    struct arena *a;
    struct str charset;
    unsigned keys, depth;
    struct search_keys *out;
    /* Made once however often a command names them: each may have as many ranges as there are messages. */
    struct search_node *saved, *recent;
};

static bool fail(struct parser *p, const char *problem)
{
    p->c->problem = problem;
    return false;
}

static struct search_node *new_node(struct parser *p, enum search_kind kind)
{
    struct search_node *node = ARENA_NEW(p->a, struct search_node);
    node->kind = kind;
    return node;
}

static struct search_node *pair(struct parser *p, enum search_kind kind, struct search_node *first,
                                struct search_node *second)
{
    struct search_node *node = new_node(p, kind);
    node->first = first;
    node->second = second;
    return node;
}

/* All of them, as a tree that is no deeper than it must be: whoever walks it has a small stack. */
static struct search_node *all_of(struct parser *p, struct search_node **v, size_t n)
{
    if (n == 1)
        return v[0];
    return pair(p, SEARCH_AND, all_of(p, v, n / 2), all_of(p, v + n / 2, n - n / 2));
}

/* --- sets --- */

/* Sequence numbers are those of the view; the ones that are not in use match nothing. Everything between two
 * uids of the view is between their numbers. */
static void ranges_of_numbers(struct parser *p, const struct imap_set *set, struct search_node *out)
{
    const struct view *rows = &p->scope->view->rows;
    out->ranges = ARENA_ARRAY(p->a, struct uid_range, set->n);
    for (size_t i = 0; i < set->n; i++) {
        size_t from = set->v[i].from, to = set->v[i].to < rows->n ? set->v[i].to : rows->n;
        if (from < 1 || from > to)
            continue;
        out->ranges[out->range_count++] = (struct uid_range){rows->v[from - 1].uid, rows->v[to - 1].uid};
    }
}

static void ranges_of_uids(struct parser *p, const struct imap_set *set, struct search_node *out)
{
    out->ranges = ARENA_ARRAY(p->a, struct uid_range, set->n);
    for (size_t i = 0; i < set->n; i++)
        out->ranges[i] = (struct uid_range){set->v[i].from, set->v[i].to};
    out->range_count = set->n;
}

/* "$", as numbers or as uids: what SEARCH last saved (RFC 5182 section 2). */
static bool take_saved(struct parser *p, struct search_node **out)
{
    if (!p->scope->saved)
        return fail(p, "$ is what was found in the selected mailbox");
    if (!p->saved) {
        p->saved = new_node(p, SEARCH_UIDS);
        ranges_of_uids(p, p->scope->saved, p->saved);
    }
    *out = p->saved;
    return imap_take_byte(p->c, '$');
}

static bool has_star(const struct imap_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i].from == IMAP_STAR || set->v[i].to == IMAP_STAR)
            return true;
    return false;
}

static bool take_numbers(struct parser *p, bool are_uids, struct search_node **out)
{
    struct imap_set set;
    if (imap_peek(p->c) == '$')
        return take_saved(p, out);
    if (!are_uids && p->scope->view->enabled & ENABLED_UIDONLY) /* RFC 9586 section 3.1 */
        return fail(p, "[UIDREQUIRED] With UIDONLY there are no sequence numbers");
    if (!imap_take_set(p->c, p->a, &set))
        return false;
    p->out->needs_view |= !are_uids || has_star(&set);
    imap_set_resolve(&set, are_uids ? imap_view_last_uid(p->scope->view) : (uint32_t)p->scope->view->rows.n);
    *out = new_node(p, SEARCH_UIDS);
    if (are_uids)
        ranges_of_uids(p, &set, *out);
    else
        ranges_of_numbers(p, &set, *out);
    return true;
}

static struct search_node *recent_node(struct parser *p)
{
    const struct imap_view *view = p->scope->view;
    const struct view *rows = &view->rows;
    struct search_node *node = new_node(p, SEARCH_UIDS);
    p->out->needs_view = true;
    node->ranges = ARENA_ARRAY(p->a, struct uid_range, view->recent + 1);
    for (size_t i = 0; i < rows->n; i++) {
        if (!(rows->v[i].flags & VIEW_RECENT))
            continue;
        bool goes_on = i > 0 && (rows->v[i - 1].flags & VIEW_RECENT);
        if (goes_on)
            node->ranges[node->range_count - 1].to = rows->v[i].uid;
        else
            node->ranges[node->range_count++] = (struct uid_range){rows->v[i].uid, rows->v[i].uid};
    }
    return node;
}

/* RECENT; NEW is RECENT UNSEEN; OLD is NOT RECENT. */
static struct search_node *recent_key(struct parser *p, enum search_kind kind)
{
    struct search_node *recent = p->recent = p->recent ? p->recent : recent_node(p);
    if (kind == SEARCH_UIDS)
        return recent;
    if (kind == SEARCH_NOT)
        return pair(p, SEARCH_NOT, recent, NULL);
    struct search_node *unseen = new_node(p, SEARCH_FLAGS_UNSET);
    unseen->flags = FLAG_SEEN;
    return pair(p, SEARCH_AND, recent, unseen);
}

/* --- arguments --- */

/* Without CHARSET text is US-ASCII; what else comes then is read as UTF-8 where it is that. */
static bool take_text(struct parser *p, struct str *text)
{
    struct str sent;
    if (!imap_take_astring(p->c, p->a, &sent))
        return false;
    if (p->charset.n == 0 && decode_is_utf8(sent)) {
        *text = sent;
        return true;
    }
    CLEAN_BUF struct buf utf8;
    buf_init(&utf8, BUF_MAX_DEFAULT);
    decode_charset(sent, p->charset, &utf8);
    *text = arena_copy(p->a, buf_str(&utf8));
    return true;
}

/* Two digits at most, then "-Nov-2026". */
static bool take_date_text(struct parser *p, int64_t *day)
{
    const struct str MONTHS = STR("janfebmaraprmayjunjulaugsepoctnovdec");
    static const int DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct imap_cursor *c = p->c;
    uint32_t of_month, year;
    if (!imap_take_nz_number(c, &of_month) || !imap_take_byte(c, '-'))
        return fail(p, "expected a date like 24-Nov-2026");
    struct str name = str_slice(str_from_offset(c->in, c->at), 0, 3);
    char lower[4] = "";
    for (size_t i = 0; i < name.n; i++)
        lower[i] = ascii_lower(name.p[i]);
    size_t at = name.n == 3 ? str_find(MONTHS, str_from(lower, 3)) : STR_NONE;
    if (at == STR_NONE || at % 3 != 0)
        return fail(p, "expected the name of a month, like Nov");
    c->at += 3;
    size_t year_at = c->at + 1;
    if (!imap_take_byte(c, '-') || !imap_take_number(c, &year) || c->at - year_at != 4 ||
        of_month > (uint32_t)DAYS[at / 3])
        return fail(p, "expected a date like 24-Nov-2026");
    *day = date_day((int)year, (int)(at / 3) + 1, (int)of_month);
    return true;
}

/* date: date-text, or the same in quotes */
static bool take_date(struct parser *p, int64_t *day)
{
    if (imap_peek(p->c) != '"')
        return take_date_text(p, day);
    return imap_take_byte(p->c, '"') && take_date_text(p, day) && imap_take_byte(p->c, '"');
}

/* [SP entry-name SP entry-type-req] SP mod-sequence-valzer, from behind the space. A message has one
 * mod-sequence for all of its flags, so which of them is asked for makes no difference (RFC 7162 section
 * 3.1.5). */
static bool take_modseq(struct parser *p, uint64_t *modseq)
{
    p->out->has_modseq = true;
    if (imap_peek(p->c) == '"') {
        struct str entry;
        if (!imap_take_string(p->c, p->a, &entry))
            return false;
        if (!str_starts_nocase(entry, STR("/flags/")))
            return fail(p, "expected an entry like \"/flags/\\\\Seen\"");
        if (!imap_take_space(p->c))
            return false;
        if (!imap_take_word(p->c, STR("all")) && !imap_take_word(p->c, STR("shared")) &&
            !imap_take_word(p->c, STR("priv")))
            return fail(p, "expected all, shared or priv");
        if (!imap_take_space(p->c))
            return false;
    }
    return imap_take_number64(p->c, modseq);
}

/* An id that was never given matches nothing. */
static bool take_objectid(struct parser *p, enum imap_object kind, struct search_node *node)
{
    int64_t number;
    if (!imap_take_objectid(p->c, kind, &number))
        return false;
    node->number = (uint64_t)number;
    if (number == 0)
        node->kind = SEARCH_UIDS; /* of no ranges */
    return true;
}

/* All uids before it, or behind it. */
static bool take_uid_bound(struct parser *p, bool is_after, struct search_node *node)
{
    uint32_t uid;
    if (!imap_take_nz_number(p->c, &uid))
        return false;
    node->ranges = ARENA_ARRAY(p->a, struct uid_range, 1);
    node->ranges[0] = is_after ? (struct uid_range){uid + 1, UINT32_MAX} : (struct uid_range){1, uid - 1};
    node->range_count = is_after ? uid < UINT32_MAX : uid > 1;
    return true;
}

static bool take_key(struct parser *p, struct search_node **out);

static bool take_two_keys(struct parser *p, struct search_node *node)
{
    return take_key(p, &node->first) && imap_take_space(p->c) && take_key(p, &node->second);
}

/* What stands behind the key's name and its space. */
static bool take_argument(struct parser *p, const struct search_key *key, struct search_node *node)
{
    uint32_t number;
    switch (key->argument) {
    case TEXT_ARGUMENT: return take_text(p, &node->text);
    case FIELD_ARGUMENT: node->name = key->name; return take_text(p, &node->text);
    case HEADER_ARGUMENT:
        if (!imap_take_astring(p->c, p->a, &node->name) || !imap_take_space(p->c))
            return false;
        return node->name.n > 0 ? take_text(p, &node->text) : fail(p, "expected the name of a header field");
    case KEYWORD_ARGUMENT: return imap_take_atom(p->c, &node->text);
    case DATE_ARGUMENT: return take_date(p, &node->day);
    case NUMBER_ARGUMENT: return imap_take_number64(p->c, &node->number);
    case INTERVAL_ARGUMENT:
        if (!imap_take_nz_number(p->c, &number))
            return false;
        node->number = number;
        return true;
    case MODSEQ_ARGUMENT: return take_modseq(p, &node->number);
    case EMAILID_ARGUMENT: return take_objectid(p, IMAP_OBJECT_EMAIL, node);
    case THREADID_ARGUMENT: return take_objectid(p, IMAP_OBJECT_THREAD, node);
    case KEY_ARGUMENT: p->out->has_fuzzy |= node->kind == SEARCH_FUZZY; return take_key(p, &node->first);
    case KEYS_ARGUMENT: return take_two_keys(p, node);
    case UIDAFTER_ARGUMENT: return take_uid_bound(p, true, node);
    case UIDBEFORE_ARGUMENT: return take_uid_bound(p, false, node);
    case NO_ARGUMENT:
    case FLAGS_ARGUMENT:
    case RECENT_ARGUMENT:
    case UID_ARGUMENT: break;
    }
    return true;
}

/* --- keys --- */

static bool take_named_key(struct parser *p, struct search_node **out)
{
    size_t start = p->c->at;
    struct str name;
    if (!imap_take_atom(p->c, &name))
        return fail(p, "expected a search key");
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const struct search_key *key = &KEYS[i];
        if (!str_eq_nocase(name, key->name))
            continue;
        if (key->argument == RECENT_ARGUMENT) {
            *out = recent_key(p, key->kind);
            return true;
        }
        bool has_argument = key->argument != NO_ARGUMENT && key->argument != FLAGS_ARGUMENT;
        if (has_argument && !imap_take_space(p->c))
            return false;
        if (key->argument == UID_ARGUMENT)
            return take_numbers(p, true, out);
        *out = new_node(p, key->kind);
        (*out)->flags = key->flags;
        return take_argument(p, key, *out);
    }
    p->c->at = start;
    return fail(p, "unknown search key");
}

/* search-key *(SP search-key), up to what is no space. */
static bool take_keys(struct parser *p, struct search_node **out)
{
    struct search_node **keys = ARENA_ARRAY(p->a, struct search_node *, SEARCH_KEYS_MAX);
    size_t n = 0;
    do {
        if (!take_key(p, &keys[n])) /* which counts them */
            return false;
        n++;
    } while (imap_peek(p->c) == ' ' && imap_take_space(p->c));
    *out = all_of(p, keys, n);
    return true;
}

static bool take_key_at_depth(struct parser *p, struct search_node **out)
{
    int first = imap_peek(p->c);
    if (first == '(')
        return imap_take_byte(p->c, '(') && take_keys(p, out) && imap_take_byte(p->c, ')');
    if (first == '*' || first == '$' || (first >= '0' && first <= '9'))
        return take_numbers(p, false, out);
    return take_named_key(p, out);
}

static bool take_key(struct parser *p, struct search_node **out)
{
    if (++p->keys > SEARCH_KEYS_MAX)
        return fail(p, "too many search keys");
    if (p->depth == SEARCH_DEPTH_MAX)
        return fail(p, "search keys are nested too deep");
    p->depth++;
    bool ok = take_key_at_depth(p, out);
    p->depth--;
    return ok;
}

bool imap_take_search_keys(struct imap_cursor *c, const struct search_scope *scope, struct str charset,
                           struct arena *a, struct search_keys *out)
{
    *out = (struct search_keys){0};
    struct parser p = {.c = c, .scope = scope, .a = a, .charset = charset, .out = out};
    return take_keys(&p, &out->tree);
}
