#include "imap/shared_copy.h"

#include "imap/append.h"
#include "imap/flags.h"
#include "imap/rights.h"
#include "message/date.h"

#include <string.h>

/* A message on its way: its flags and date as they go over the wire. */
struct carried {
    uint32_t uid;
    struct str flags, date; /* "(\Seen)", "24-Nov-2026 12:00:00 +0100" */
    struct buf bytes;
};

struct carriage {
    struct carried *v;
    size_t n, cap;
    uint64_t bytes; /* at most APPEND_BYTES_MAX, for all of it is held until it is stored */
    bool is_too_much;
};

static struct carried *add(struct imap_session *s, struct carriage *c)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        struct carried *v = ARENA_ARRAY(&s->arena, struct carried, cap);
        if (c->n > 0)
            memcpy(v, c->v, c->n * sizeof *v);
        c->v = v;
        c->cap = cap;
    }
    c->v[c->n] = (struct carried){0};
    buf_init(&c->v[c->n].bytes, (size_t)APPEND_BYTES_MAX);
    return &c->v[c->n++];
}

static void unload(struct carriage *c)
{
    for (size_t i = 0; i < c->n; i++)
        buf_free(&c->v[i].bytes);
}

static bool has_room(struct carriage *c, uint64_t n)
{
    c->bytes += n;
    c->is_too_much |= c->bytes > APPEND_BYTES_MAX || c->n >= APPEND_MESSAGES_MAX;
    return !c->is_too_much;
}

static enum imap_status refuse_too_much(struct imap_session *s)
{
    return imap_no(s, "[LIMIT] Between two accounts at most %zu messages and %llu bytes travel at once",
                   APPEND_MESSAGES_MAX, (unsigned long long)APPEND_BYTES_MAX);
}

static struct str text_of_flags(struct imap_session *s, uint32_t flags, struct str keywords)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    imap_add_flags(&text, flags, keywords);
    return arena_copy(&s->arena, buf_str(&text));
}

/* --- taking up: from our own mailbox --- */

static bool take_own_message(struct imap_session *s, struct store_fetch *rows, const struct fetch_row *row,
                             struct carriage *c, struct err *e)
{
    if (!has_room(c, row->row.size))
        return false;
    struct carried *m = add(s, c);
    m->uid = row->row.uid;
    m->flags = text_of_flags(s, row->row.flags & FLAG_ALL, row->row.keywords);
    CLEAN_BUF struct buf date;
    buf_init(&date, BUF_MAX_DEFAULT);
    date_add_imap(&date, row->row.received, row->row.zone);
    m->date = arena_copy(&s->arena, buf_str(&date));
    return store_fetch_body(rows, 0, row->row.size, &m->bytes, e) == STORE_OK;
}

static enum imap_status take_own(struct imap_session *s, const struct imap_command *command,
                                 struct carriage *c)
{
    struct imap_cursor args = command->args;
    struct imap_set set;
    struct err e = ERR_INIT;
    struct store_fetch *rows;
    const struct fetch_row *row;
    size_t n;
    imap_sync(s, false);
    s->by_uid = command->by_uid;
    if (s->is_ending)
        return imap_no(s, "[NONEXISTENT] The mailbox is gone");
    if (!imap_take_space(&args) || !imap_take_messages(s, &args, &set))
        return imap_bad_syntax(s, &args);
    uint32_t *uids = imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &n);
    if (n == 0)
        return IMAP_OK;
    enum store_result r = store_fetch_open(s->store, s->mailbox, uids, n, 0, &rows, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    bool good = true;
    while (good && store_fetch_next(rows, &row))
        good = take_own_message(s, rows, row, c, &e);
    r = store_fetch_close(rows, e.kind == ERR_NONE ? &e : &(struct err)ERR_INIT);
    if (c->is_too_much)
        return refuse_too_much(s);
    return good && r == STORE_OK ? IMAP_OK : imap_no_store(s, STORE_FAILED, &e);
}

/* --- taking up: from a guest's mailbox --- */

/* What stands between `before` and `after`. */
static bool find_between(struct str line, struct str before, char after, struct str *out)
{
    size_t at = str_find(line, before);
    if (at == STR_NONE)
        return false;
    *out = str_from_offset(line, at + before.n);
    size_t end = str_find_byte(*out, after);
    if (end == STR_NONE)
        return false;
    *out = str_slice(*out, 0, end);
    return true;
}

/* Flags as they may be given to APPEND: without \Recent. */
static struct str givable_flags(struct imap_session *s, struct str inside)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add_byte(&text, '(');
    while (inside.n > 0) {
        struct str flag;
        str_cut(&inside, ' ', &flag);
        if (flag.n == 0 || str_eq_nocase(flag, STR("\\Recent")))
            continue;
        if (text.n > 1)
            buf_add_byte(&text, ' ');
        buf_add(&text, flag);
    }
    buf_add_byte(&text, ')');
    return arena_copy(&s->arena, buf_str(&text));
}

/* "UID 7 FLAGS (...) INTERNALDATE "..." BODY[] {n}"; with UIDONLY the uid stands in front: "* 7 UIDFETCH". */
static bool read_fetched(struct imap_session *s, struct str line, struct carried *m)
{
    struct str uid, flags, date;
    struct imap_cursor c = {0};
    if (!find_between(line, STR("UID "), ' ', &uid) && !find_between(line, STR("* "), ' ', &uid))
        return false;
    if (!find_between(line, STR("FLAGS ("), ')', &flags) ||
        !find_between(line, STR("INTERNALDATE \""), '"', &date))
        return false;
    c.in = uid;
    m->flags = givable_flags(s, flags);
    m->date = arena_copy(&s->arena, date);
    return imap_take_nz_number(&c, &m->uid) && imap_take_end(&c);
}

static bool take_fetched(void *context, struct imap_session *s, struct imap_guest *g, struct str line)
{
    struct carriage *c = context;
    struct imap_literal literal;
    struct str rest;
    if (!imap_line_literal(line, &literal) || !str_ends(str_slice(line, 0, literal.at), STR(" BODY[] ")))
        return imap_guest_pass(NULL, s, g, line); /* news of other sessions */
    if (!has_room(c, literal.size))
        return imap_guest_skip(NULL, s, g, line);
    struct carried *m = add(s, c);
    return read_fetched(s, line, m) && imap_guest_literal(g, literal.size, &m->bytes, &rest) &&
           str_eq(rest, STR(")"));
}

static enum imap_status take_from_guest(struct imap_session *s, const struct imap_command *command,
                                        struct carriage *c)
{
    struct imap_cursor args = command->args;
    struct imap_set set;
    struct str answer;
    if (!imap_take_space(&args))
        return imap_bad_syntax(s, &args);
    size_t at = args.at;
    if (!imap_take_byte(&args, '$') && !imap_take_set(&args, &s->arena, &set))
        return imap_bad_syntax(s, &args);
    struct str messages = str_slice(args.in, at, args.at - at);
    if (!imap_guest_say(s, s->at_guest, take_fetched, c, &answer,
                        "%sFETCH %.*s (UID FLAGS INTERNALDATE BODY.PEEK[])", command->by_uid ? "UID " : "",
                        STR_ARGS(messages)))
        return IMAP_LOST;
    if (c->is_too_much)
        return refuse_too_much(s);
    if (str_starts(answer, STR("OK")))
        return IMAP_OK;
    s->answer = answer.n > 3 ? str_from_offset(answer, 3) : answer;
    return str_starts(answer, STR("BAD")) ? IMAP_BAD : IMAP_NO;
}

/* --- putting down --- */

/* Where they are now: "validity set", as in APPENDUID. */
static enum imap_status put_into_own(struct imap_session *s, const struct carriage *c, struct str name,
                                     struct str *where)
{
    struct err e = ERR_INIT;
    struct mailbox to;
    enum store_result r = imap_find(s, name, RIGHT_INSERT, &to, NULL, &e);
    if (r == STORE_NONE || (r == STORE_OK && !to.selectable))
        return imap_no(s, "[TRYCREATE] There is no such mailbox");
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    struct store_append *items = ARENA_ARRAY(&s->arena, struct store_append, c->n);
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, c->n);
    for (size_t i = 0; i < c->n; i++) {
        struct imap_flags flags;
        struct imap_cursor text = {.in = c->v[i].flags};
        int zone = 0;
        items[i] = (struct store_append){.mailbox = to.id, .bytes = buf_str(&c->v[i].bytes)};
        if (!imap_take_flag_list(&text, &s->arena, &flags) ||
            date_parse_imap(c->v[i].date, &items[i].received, &zone) != DATE_OK)
            return imap_no(s, "[SERVERBUG] The other account's answer cannot be read");
        items[i].flags = flags.system;
        items[i].keywords = flags.keywords;
        items[i].zone = (int16_t)zone;
    }
    r = store_append_all(s->store, items, c->n, NULL, &e);
    if (r != STORE_OK)
        return r == STORE_NONE ? imap_no(s, "[TRYCREATE] The mailbox was deleted meanwhile")
                               : imap_no_store(s, r, &e);
    CLEAN_BUF struct buf set;
    buf_init(&set, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < c->n; i++)
        uids[i] = items[i].uid;
    buf_addf(&set, "%u ", items[0].uidvalidity);
    imap_add_set(&set, uids, c->n);
    *where = arena_copy(&s->arena, buf_str(&set));
    return IMAP_OK;
}

static enum imap_status put_into_guests(struct imap_session *s, const struct carriage *c,
                                        struct imap_guest *to, struct str whole, struct str *where)
{
    struct str answer;
    CLEAN_BUF struct buf name;
    buf_init(&name, BUF_MAX_DEFAULT);
    imap_add_mailbox(s, &name, whole);
    imap_guest_begin(to);
    imap_guest_send(to, STR("APPEND "));
    imap_guest_send(to, buf_str(&name));
    for (size_t i = 0; i < c->n; i++) {
        stream_writef(&to->stream, " %.*s \"%.*s\" {%zu+}\r\n", STR_ARGS(c->v[i].flags),
                      STR_ARGS(c->v[i].date), c->v[i].bytes.n);
        imap_guest_send(to, buf_str(&c->v[i].bytes));
    }
    if (!imap_guest_do(s, to, to == s->at_guest ? imap_guest_pass : imap_guest_skip, NULL, &answer))
        return IMAP_LOST;
    if (find_between(answer, STR("OK [APPENDUID "), ']', where))
        return IMAP_OK;
    s->answer = answer.n > 3 ? str_from_offset(answer, 3) : answer;
    return IMAP_NO;
}

/* --- and for MOVE --- */

static bool remove_own(struct imap_session *s, const uint32_t *uids, size_t n)
{
    struct err e = ERR_INIT;
    uint32_t *expunged;
    size_t count;
    return store_expunge(s->store, s->mailbox, uids, n, true, &s->arena, &expunged, &count, &e) == STORE_OK;
}

static bool remove_at_guest(struct imap_session *s, struct str set)
{
    struct str answer;
    struct imap_guest *g = s->at_guest;
    return imap_guest_say(s, g, imap_guest_pass, NULL, &answer, "UID STORE %.*s +FLAGS.SILENT (\\Deleted)",
                          STR_ARGS(set)) &&
           str_starts(answer, STR("OK")) &&
           imap_guest_say(s, g, imap_guest_pass, NULL, &answer, "UID EXPUNGE %.*s", STR_ARGS(set)) &&
           str_starts(answer, STR("OK"));
}

static enum imap_status finish(struct imap_session *s, const struct carriage *c, struct str where, bool moves)
{
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, c->n);
    CLEAN_BUF struct buf from;
    buf_init(&from, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < c->n; i++)
        uids[i] = c->v[i].uid;
    imap_add_set(&from, uids, c->n);
    struct str validity = where, to = where;
    str_cut(&to, ' ', &validity);
    struct str code = arena_printf(&s->arena, "COPYUID %.*s %.*s %.*s", STR_ARGS(validity),
                                   STR_ARGS(buf_str(&from)), STR_ARGS(to));
    if (!moves)
        return imap_ok(s, "[%.*s] Copied", STR_ARGS(code));
    stream_writef(s->stream, "* OK [%.*s] Moved\r\n", STR_ARGS(code)); /* RFC 6851 section 4.3 */
    bool removed = s->at_guest ? remove_at_guest(s, buf_str(&from)) : remove_own(s, uids, c->n);
    return removed ? imap_ok(s, "Moved")
                   : imap_no(s, "[NOPERM] They were copied, but cannot be removed from where they were");
}

enum imap_status imap_shared_copy(struct imap_session *s, const struct imap_command *command,
                                  struct imap_guest *to, struct str whole, bool moves)
{
    struct carriage c = {0};
    struct str where;
    enum imap_status status;
    if (!s->at_guest && moves && !imap_may(s, RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE, &status))
        return status;
    status = s->at_guest ? take_from_guest(s, command, &c) : take_own(s, command, &c);
    if (status == IMAP_OK && c.n == 0)
        status = imap_ok(s, "There was nothing to do");
    else if (status == IMAP_OK) {
        status = to ? put_into_guests(s, &c, to, whole, &where) : put_into_own(s, &c, whole, &where);
        if (status == IMAP_OK)
            status = finish(s, &c, where, moves);
    }
    unload(&c);
    if (status == IMAP_LOST)
        imap_bye(s, "A shared mailbox broke off; connect again");
    return status;
}
