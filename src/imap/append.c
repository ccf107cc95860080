/* APPEND (RFC 3501 section 6.3.11), of several messages (MULTIAPPEND, RFC 3502), with UIDPLUS (RFC 4315),
 * literal8 (RFC 3516 section 4.4) and UTF8 (RFC 6855 section 4). */
#include "imap/append.h"

#include "base/mem.h"
#include "config/config.h"
#include "imap/rights.h"
#include "message/date.h"

#include <string.h>
#include <sys/mman.h>

#define ROOM_LEAST  ((size_t)8 * 1024)  /* of a message whose size is not known yet */
#define ROOM_MAPPED ((size_t)64 * 1024) /* from here on its pages are its own, and touched as it arrives */

void append_start(struct append *a, struct imap_session *s, struct imap_cursor *c)
{
    *a = (struct append){.session = s, .c = c};
}

void append_free(struct append *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].cap >= ROOM_MAPPED)
            munmap(a->v[i].bytes, a->v[i].cap);
        else
            free(a->v[i].bytes);
}

bool append_fail(struct append *a, enum imap_status status)
{
    a->status = status;
    return false;
}

bool append_fail_syntax(struct append *a)
{
    return append_fail(a, imap_bad_syntax(a->session, a->c));
}

/* --- arguments --- */

/* What stands in front of a message, with the spaces before it. */
static bool take_options(struct imap_cursor *c, struct arena *arena, struct incoming *out)
{
    *out = (struct incoming){.flags.keywords = STR(""), .received = clock_wall()};
    out->zone = date_local_zone(out->received);
    if (!imap_take_space(c))
        return false;
    if (imap_peek(c) == '(' && (!imap_take_flag_list(c, arena, &out->flags) || !imap_take_space(c)))
        return false;
    if (imap_peek(c) != '"')
        return true;
    size_t start = c->at;
    struct str date;
    if (!imap_take_string(c, arena, &date) || !imap_take_space(c))
        return false;
    if (date_parse_imap(date, &out->received, &out->zone) == DATE_OK)
        return true;
    c->at = start;
    c->problem = "expected a date like \"24-Nov-2026 12:00:00 +0100\"";
    return false;
}

/* Whether the line's end, from the cursor on, is a literal. */
static bool is_literal(const struct imap_cursor *c, struct imap_literal *literal)
{
    return imap_line_literal(str_from_offset(c->in, c->at), literal) && literal->at == 0;
}

/* The message's literal is reached when all before it is whole: from there on only the handler knows what to
 * do with it. A mailbox name may be a literal too, which is read like any other. */
bool imap_append_is_due(struct imap_session *s)
{
    struct imap_command command;
    struct imap_cursor *c = &command.args;
    struct incoming m;
    struct str name;
    struct imap_literal literal;
    if (!imap_parse_command(buf_str(&s->reader.command), &command))
        return false;
    if (str_eq_nocase(command.name, STR("REPLACE"))) {
        struct imap_set message;
        if (!imap_take_space(c) || !imap_take_set(c, &s->arena, &message))
            return false;
    } else if (!str_eq_nocase(command.name, STR("APPEND")) || command.by_uid) {
        return false;
    }
    return imap_take_space(c) && imap_take_mailbox(s, c, &name) && take_options(c, &s->arena, &m) &&
           (is_literal(c, &literal) || imap_take_word(c, STR("CATENATE")) || imap_take_word(c, STR("UTF8")));
}

bool append_take_mailbox(struct append *a)
{
    return (imap_take_space(a->c) && imap_take_mailbox(a->session, a->c, &a->name)) || append_fail_syntax(a);
}

/* --- bytes --- */

/* Once, before anything is asked for. */
static bool open_mailbox(struct append *a)
{
    struct imap_session *s = a->session;
    struct err e = ERR_INIT;
    if (a->is_open)
        return true;
    enum store_result r = imap_find(s, a->name, RIGHT_INSERT, &a->to, &a->rights, &e);
    if (r == STORE_NONE || (r == STORE_OK && !a->to.selectable))
        return append_fail(a, imap_no(s, "[TRYCREATE] There is no such mailbox"));
    if (r != STORE_OK)
        return append_fail(a, imap_no_store(s, r, &e));
    a->is_open = true;
    return true;
}

static char *map(struct incoming *m, size_t cap)
{
    if (m->cap >= ROOM_MAPPED)
        return mremap(m->bytes, m->cap, cap, MREMAP_MAYMOVE);
    char *p = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return p;
    if (m->n > 0)
        memcpy(p, m->bytes, m->n);
    free(m->bytes);
    return p;
}

/* A small message costs the kernel nothing; a size announced costs nothing before it arrives. */
static bool grow(struct incoming *m, size_t cap)
{
    char *p = cap >= ROOM_MAPPED ? map(m, cap) : mem_resize(m->bytes, cap, 1);
    if (p == MAP_FAILED)
        return false;
    m->bytes = p;
    m->cap = cap;
    return true;
}

bool append_room(struct append *a, struct incoming *m, uint64_t n)
{
    uint64_t size_max = a->session->host->config->message_size_max;
    uint64_t bytes_max = size_max > APPEND_BYTES_MAX ? size_max : APPEND_BYTES_MAX;
    if (n > size_max || m->n > size_max - n)
        return append_fail(a, imap_no(a->session, "[TOOBIG] Messages may have at most %llu bytes",
                                      (unsigned long long)size_max));
    if (a->bytes + n > bytes_max)
        return append_fail(a, imap_no(a->session, "[LIMIT] One APPEND may bring at most %llu bytes",
                                      (unsigned long long)bytes_max));
    size_t need = m->n + (size_t)n, cap = m->cap ? m->cap : ROOM_LEAST;
    while (cap < need)
        cap *= 2;
    if (cap > m->cap && !grow(m, cap))
        return append_fail(a, imap_no(a->session, "[LIMIT] There is no memory for a message of that size"));
    a->bytes += n;
    return true;
}

static enum stream_result receive(struct stream *stream, struct incoming *m, size_t n)
{
    while (n > 0) {
        struct str bytes;
        enum stream_result r = stream_peek(stream, deadline_in(IMAP_COMMAND_MS), &bytes);
        if (r != STREAM_OK)
            return r;
        bytes = str_slice(bytes, 0, n);
        memcpy(m->bytes + m->n, bytes.p, bytes.n);
        m->n += bytes.n;
        n -= bytes.n;
        stream_take(stream, bytes.n);
    }
    return STREAM_OK;
}

/* The line behind a literal: the cursor stands at its start. */
static bool next_line(struct append *a)
{
    struct imap_session *s = a->session;
    imap_read_begin(&s->reader);
    enum imap_read_result r = imap_read_line(&s->reader, deadline_in(IMAP_COMMAND_MS));
    *a->c = (struct imap_cursor){.in = buf_str(&s->reader.command)};
    switch (r) {
    case IMAP_READ_DONE:
    case IMAP_READ_LITERAL: return true;
    case IMAP_READ_BARE_LF:
    case IMAP_READ_TOO_BIG: return append_fail(a, imap_bad(s, "Lines end in CRLF, not in LF alone"));
    case IMAP_READ_TOO_LONG: imap_bye(s, "A command line is too long"); break;
    case IMAP_READ_CLOSED:
    case IMAP_READ_TIMEOUT: break;
    }
    return append_fail(a, IMAP_LOST); /* the command was never finished: nothing is appended */
}

bool append_take_literal(struct append *a, struct incoming *m, bool may_be_empty)
{
    struct imap_session *s = a->session;
    struct imap_literal literal;
    size_t before = m->n;
    if (!s->reader.has_literal || !is_literal(a->c, &literal)) {
        a->c->problem = "expected the message as a literal";
        return append_fail_syntax(a);
    }
    /* RFC 3502 section 3: this is how a client gives up, when it finds that it has nothing to send */
    if (literal.size == 0 && !may_be_empty)
        return append_fail(a, imap_no(s, "[CANNOT] A message has at least one byte"));
    if (!append_room(a, m, literal.size))
        return false;
    if (imap_read_go_ahead(&s->reader, deadline_in(IMAP_COMMAND_MS)) != IMAP_READ_DONE ||
        receive(s->stream, m, literal.size) != STREAM_OK)
        return append_fail(a, IMAP_LOST);
    if (!next_line(a))
        return false;
    /* literal is CHAR8: no NUL (section 9). Lines that end in LF alone are kept as they are. */
    if (!literal.is_binary && literal.size > 0 && memchr(m->bytes + before, '\0', literal.size))
        return append_fail(a, imap_no(s, "[CANNOT] NUL bytes may come in a literal8 ~{n} only"));
    return true;
}

/* "UTF8" SP "(" literal8 ")", standing behind the word. */
static bool take_utf8(struct append *a, struct incoming *m)
{
    if (!imap_take_space(a->c) || !imap_take_byte(a->c, '('))
        return append_fail_syntax(a);
    return append_take_literal(a, m, false) && (imap_take_byte(a->c, ')') || append_fail_syntax(a));
}

static struct incoming *new_message(struct append *a)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 1;
        struct incoming *v = ARENA_ARRAY(&a->session->arena, struct incoming, cap);
        if (a->n > 0)
            memcpy(v, a->v, a->n * sizeof *v);
        a->v = v;
        a->cap = cap;
    }
    return &a->v[a->n++];
}

bool append_take_message(struct append *a)
{
    if (a->n == APPEND_MESSAGES_MAX)
        return append_fail(
            a, imap_no(a->session, "[LIMIT] One APPEND may bring at most %zu messages", APPEND_MESSAGES_MAX));
    struct incoming *m = new_message(a);
    if (!take_options(a->c, &a->session->arena, m))
        return append_fail_syntax(a);
    bool is_catenate = imap_take_word(a->c, STR("CATENATE"));
    bool is_utf8 = !is_catenate && imap_take_word(a->c, STR("UTF8"));
    if (!open_mailbox(a))
        return false;
    if (is_utf8)
        return take_utf8(a, m);
    return is_catenate ? append_take_catenate(a, m) : append_take_literal(a, m, false);
}

/* --- storing --- */

static bool tell_failure(struct append *a, const struct store_append *items, enum store_result r,
                         const struct err *e)
{
    if (r != STORE_NONE)
        return append_fail(a, imap_no_store(a->session, r, e));
    for (size_t i = 0; i < a->n; i++)
        if (items[i].result == STORE_NONE)
            return append_fail(a, imap_no(a->session, "[TRYCREATE] The mailbox was deleted meanwhile"));
    return append_fail(a, imap_no(a->session, "[NONEXISTENT] The message to be replaced is gone"));
}

bool append_store(struct append *a, const struct store_replaced *replaced, struct str *uids,
                  uint32_t *uidvalidity)
{
    struct arena *arena = &a->session->arena;
    struct store_append *items = ARENA_ARRAY(arena, struct store_append, a->n);
    uint32_t *numbers = ARENA_ARRAY(arena, uint32_t, a->n);
    bool keywords; /* flags that this user may not set are left out: RFC 4314 section 4 */
    uint32_t flags = imap_flags_allowed(a->rights, &keywords);
    for (size_t i = 0; i < a->n; i++)
        items[i] = (struct store_append){
            .mailbox = a->to.id,
            .bytes = str_from(a->v[i].bytes, a->v[i].n),
            .flags = a->v[i].flags.system & flags,
            .keywords = keywords ? a->v[i].flags.keywords : STR(""),
            .received = a->v[i].received,
            .zone = (int16_t)a->v[i].zone,
        };
    struct err e = ERR_INIT;
    enum store_result r = store_append_all(a->session->store, items, a->n, replaced, &e);
    if (r != STORE_OK)
        return tell_failure(a, items, r, &e);
    CLEAN_BUF struct buf set;
    buf_init(&set, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < a->n; i++)
        numbers[i] = items[i].uid;
    imap_add_set(&set, numbers, a->n);
    *uids = arena_copy(arena, buf_str(&set));
    *uidvalidity = items[0].uidvalidity;
    imap_note_own(a->session, items[0].mailbox, items[0].uid, items[a->n - 1].uid);
    return true;
}

enum imap_status imap_do_append(struct imap_session *s, struct imap_cursor *c)
{
    struct append a;
    struct str uids;
    uint32_t uidvalidity;
    append_start(&a, s, c);
    bool good = append_take_mailbox(&a);
    do
        good = good && append_take_message(&a);
    while (good && imap_peek(c) == ' ');
    if (good && !imap_take_end(c))
        good = append_fail_syntax(&a);
    if (good && append_store(&a, NULL, &uids, &uidvalidity)) {
        imap_warn_of_quota(s);
        a.status = imap_ok(s, "[APPENDUID %u %.*s] Appended", uidvalidity, STR_ARGS(uids));
    }
    append_free(&a);
    return a.status;
}
