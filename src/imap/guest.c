#include "imap/guest.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

/* The guest may have much to do, and its process to be started: as patient as with a client. */
#define GUEST_MS IMAP_AUTOLOGOUT_MS

#define OUR_TAG STR("golub")

/* --- hearing --- */

enum heard { HEARD_TAGGED, HEARD_GO_AHEAD, HEARD_LOST };

static bool read_line(struct imap_guest *g, struct str *line)
{
    return stream_read_line(&g->stream, GUEST_LINE_MAX, deadline_in(GUEST_MS), line, NULL) == STREAM_OK;
}

static bool pass_literal_bytes(struct imap_session *s, struct imap_guest *g, uint64_t n)
{
    while (n > 0) {
        struct str bytes;
        if (stream_peek(&g->stream, deadline_in(GUEST_MS), &bytes) != STREAM_OK)
            return false;
        bytes = str_slice(bytes, 0, n);
        stream_write(s->stream, bytes);
        stream_take(&g->stream, bytes.n);
        n -= bytes.n;
    }
    return true;
}

bool imap_guest_pass(void *context, struct imap_session *s, struct imap_guest *g, struct str line)
{
    (void)context;
    for (;;) {
        struct imap_literal literal;
        bool has_literal = imap_line_literal(line, &literal);
        stream_write(s->stream, line);
        stream_write(s->stream, STR("\r\n"));
        if (!has_literal)
            return true;
        if (!pass_literal_bytes(s, g, literal.size) || !read_line(g, &line))
            return false;
    }
}

bool imap_guest_skip(void *context, struct imap_session *s, struct imap_guest *g, struct str line)
{
    struct imap_literal literal;
    CLEAN_BUF struct buf dropped;
    (void)context;
    (void)s;
    buf_init(&dropped, GUEST_LINE_MAX);
    while (imap_line_literal(line, &literal)) {
        buf_reset(&dropped);
        if (!imap_guest_literal(g, literal.size, &dropped, &line))
            return false;
    }
    return true;
}

bool imap_guest_literal(struct imap_guest *g, uint64_t n, struct buf *out, struct str *rest)
{
    while (n > 0) {
        struct str bytes;
        if (stream_peek(&g->stream, deadline_in(GUEST_MS), &bytes) != STREAM_OK)
            return false;
        bytes = str_slice(bytes, 0, n);
        if (!buf_add(out, bytes))
            return false;
        stream_take(&g->stream, bytes.n);
        n -= bytes.n;
    }
    return read_line(g, rest);
}

static bool is_tagged(struct str line, struct str tag)
{
    return line.n > tag.n && str_starts(line, tag) && line.p[tag.n] == ' ';
}

/* Until the tagged answer or "+": *line is that. */
static enum heard hear(struct imap_session *s, struct imap_guest *g, struct str tag, guest_heard_fn *heard,
                       void *context, struct str *line)
{
    while (read_line(g, line)) {
        if (is_tagged(*line, tag))
            return HEARD_TAGGED;
        if (str_starts(*line, STR("+")))
            return HEARD_GO_AHEAD;
        if (str_starts_nocase(*line, STR("* BYE")) || !heard(context, s, g, *line))
            break;
    }
    return HEARD_LOST;
}

/* --- commands of ours --- */

void imap_guest_begin(struct imap_guest *g)
{
    stream_write(&g->stream, OUR_TAG);
    stream_write(&g->stream, STR(" "));
}

void imap_guest_send(struct imap_guest *g, struct str bytes)
{
    stream_write(&g->stream, bytes);
}

bool imap_guest_do(struct imap_session *s, struct imap_guest *g, guest_heard_fn *heard, void *context,
                   struct str *answer)
{
    struct str line;
    stream_write(&g->stream, STR("\r\n"));
    if (hear(s, g, OUR_TAG, heard, context, &line) != HEARD_TAGGED)
        return false;
    *answer = arena_copy(&s->arena, str_from_offset(line, OUR_TAG.n + 1));
    return true;
}

bool imap_guest_say(struct imap_session *s, struct imap_guest *g, guest_heard_fn *heard, void *context,
                    struct str *answer, const char *format, ...)
{
    CLEAN_BUF struct buf text;
    va_list args;
    buf_init(&text, BUF_MAX_DEFAULT);
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    imap_guest_begin(g);
    stream_write(&g->stream, buf_str(&text));
    return imap_guest_do(s, g, heard, context, answer);
}

/* --- the client's command --- */

/* A piece of a command as it was read: its literals' bytes follow without being asked for, but for one whose
 * bytes have not been read yet, which stands at the end. */
static void send_text(struct imap_guest *g, struct str text, bool ends_in_literal)
{
    struct stream *to = &g->stream;
    for (;;) {
        size_t end = str_find(text, STR("\r\n"));
        struct str line = end == STR_NONE ? text : str_slice(text, 0, end);
        struct imap_literal literal;
        if (end == STR_NONE && !ends_in_literal) {
            stream_write(to, line);
            stream_write(to, STR("\r\n"));
            return;
        }
        if (!imap_line_literal(line, &literal))
            return; /* a line within a command ends in one: imap/parse.h */
        stream_write(to, str_slice(line, 0, literal.at));
        stream_writef(to, "{%u%s}\r\n", literal.size, end == STR_NONE ? "" : "+");
        if (end == STR_NONE)
            return;
        stream_write(to, str_slice(text, end + 2, literal.size));
        text = str_from_offset(text, end + 2 + literal.size);
    }
}

/* The literal that the guest is ready for, from the client, and the line behind it. */
static bool pass_literal(struct imap_session *s, struct imap_guest *g)
{
    uint64_t left = s->reader.literal.size;
    struct deadline d = deadline_in(IMAP_COMMAND_MS);
    if (!s->reader.has_literal || imap_read_go_ahead(&s->reader, d) != IMAP_READ_DONE)
        return false;
    while (left > 0) {
        struct str bytes;
        if (stream_peek(s->stream, deadline_in(IMAP_COMMAND_MS), &bytes) != STREAM_OK)
            return false;
        bytes = str_slice(bytes, 0, left);
        stream_write(&g->stream, bytes);
        stream_take(s->stream, bytes.n);
        left -= bytes.n;
    }
    imap_read_begin(&s->reader);
    enum imap_read_result r = imap_read_line(&s->reader, deadline_in(IMAP_COMMAND_MS));
    if (r != IMAP_READ_DONE && r != IMAP_READ_LITERAL)
        return false;
    send_text(g, buf_str(&s->reader.command), r == IMAP_READ_LITERAL);
    return true;
}

/* IDLE: both sides may speak. Ends when the client has, and its line was passed on. */
static bool pass_idle(struct imap_session *s, struct imap_guest *g, struct str go_ahead)
{
    stream_write(s->stream, go_ahead);
    stream_write(s->stream, STR("\r\n"));
    for (;;) {
        struct str line;
        while (str_find_byte(stream_buffered(&g->stream), '\n') != STR_NONE)
            if (!read_line(g, &line) || str_starts_nocase(line, STR("* BYE")) ||
                !imap_guest_pass(NULL, s, g, line))
                return false;
        switch (stream_wait_for_both(s->stream, g->stream.fd, deadline_in(IMAP_AUTOLOGOUT_MS))) {
        case STREAM_OK:
            if (stream_read_line(s->stream, IMAP_LINE_MAX, deadline_in(IMAP_COMMAND_MS), &line, NULL) !=
                STREAM_OK)
                return false;
            stream_write(&g->stream, line);
            stream_write(&g->stream, STR("\r\n"));
            return true;
        case STREAM_WOKEN: /* the whole line comes at once, or soon */
            if (!read_line(g, &line) || str_starts_nocase(line, STR("* BYE")) ||
                !imap_guest_pass(NULL, s, g, line))
                return false;
            break;
        case STREAM_TIMEOUT:
        case STREAM_EOF:
        case STREAM_ERROR:
        case STREAM_TOO_LONG: return false;
        }
    }
}

enum imap_status imap_guest_relay(struct imap_session *s, struct imap_guest *g, bool *was_ok)
{
    struct str tag = str_from(s->tag, s->tag_size), line;
    struct imap_command command;
    bool is_idle =
        imap_parse_command(buf_str(&s->reader.command), &command) && str_eq_nocase(command.name, STR("IDLE"));
    *was_ok = false;
    send_text(g, buf_str(&s->reader.command), s->reader.has_literal);
    for (;;) {
        switch (hear(s, g, tag, imap_guest_pass, NULL, &line)) {
        case HEARD_TAGGED:
            *was_ok = str_starts(str_from_offset(line, tag.n + 1), STR("OK"));
            imap_guest_pass(NULL, s, g, line);
            return IMAP_RELAYED;
        case HEARD_GO_AHEAD:
            if (is_idle ? pass_idle(s, g, line) : pass_literal(s, g))
                continue;
            return IMAP_LOST;
        case HEARD_LOST: return IMAP_LOST;
        }
    }
}

/* --- opening and closing --- */

/* What this session has already told itself applies there too: ENABLE, and which of the owner's mailboxes the
 * user has subscribed to. */
static bool bring_up_to_date(struct imap_session *s, struct imap_guest *g)
{
    struct str answer;
    CLEAN_BUF struct buf enabled;
    buf_init(&enabled, BUF_MAX_DEFAULT);
    imap_add_enabled(&enabled, s->enabled);
    if (enabled.n > 0 &&
        !imap_guest_say(s, g, imap_guest_skip, NULL, &answer, "ENABLE%.*s", STR_ARGS(buf_str(&enabled))))
        return false;
    struct err e = ERR_INIT;
    struct str *names;
    size_t n;
    if (store_subscriptions(s->store, &s->arena, &names, &n, &e) != STORE_OK)
        return true; /* they are shown as not subscribed */
    struct str front = arena_printf(&s->arena, "%.*s/%.*s/", STR_ARGS(SHARED_NAMESPACE), STR_ARGS(g->owner));
    for (size_t i = 0; i < n; i++) {
        if (!str_starts(names[i], front))
            continue;
        CLEAN_BUF struct buf name;
        buf_init(&name, BUF_MAX_DEFAULT);
        imap_add_mailbox(s, &name, names[i]);
        if (!imap_guest_say(s, g, imap_guest_skip, NULL, &answer, "SUBSCRIBE %.*s", STR_ARGS(buf_str(&name))))
            return false;
    }
    return true;
}

static bool greet(struct imap_session *s, struct imap_guest *g)
{
    struct str line;
    return hear(s, g, STR("guest"), imap_guest_skip, NULL, &line) == HEARD_TAGGED &&
           str_starts(line, STR("guest OK"));
}

struct imap_guest *imap_guest_open(struct imap_session *s, struct str owner, struct err *e)
{
    for (struct imap_guest *g = s->guests; g; g = g->next)
        if (str_eq(g->owner, owner))
            return g;
    int fd = s->host->link->open_shared(s->host->link, owner, e);
    if (fd < 0)
        return NULL;
    struct imap_guest *g = MEM_NEW(struct imap_guest);
    stream_open(&g->stream, fd, STR(""));
    g->owner = arena_copy(&g->arena, owner);
    g->next = s->guests;
    s->guests = g;
    if (greet(s, g) && bring_up_to_date(s, g))
        return g;
    imap_guest_close(s, g);
    err_set(e, ERR_TEMPORARY, "the session in the owner's process ended");
    return NULL;
}

void imap_guest_close(struct imap_session *s, struct imap_guest *g)
{
    struct imap_guest **at = &s->guests;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    if (s->at_guest == g)
        s->at_guest = NULL;
    stream_close(&g->stream);
    arena_free(&g->arena);
    free(g);
}
