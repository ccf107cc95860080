#include "sendmail/mailq_socket.h"

#include "base/stream.h"
#include "sendmail/submit.h"

#include <stdio.h>

#define REPLY_MS       (2 * 60 * 1000)
#define LINE_MAX       ((size_t)4096)
#define RECIPIENTS_MAX 1000 /* of one message; the server tells of fewer */

struct reading {
    struct stream stream;
    struct arena arena; /* of the message at hand */
    struct queue_admin_message message;
    void (*each)(void *context, const struct queue_admin_message *m);
    void *context;
};

static void finish_message(struct reading *r)
{
    if (r->message.id != 0)
        r->each(r->context, &r->message);
    r->message = (struct queue_admin_message){0};
    arena_reset(&r->arena);
}

static bool take_number(struct str *rest, uint64_t *n)
{
    struct str word;
    return str_cut(rest, ' ', &word) && str_to_u64(word, n) && *n < INT64_MAX;
}

static bool take_message(struct reading *r, struct str rest)
{
    uint64_t id, arrived, size;
    finish_message(r);
    if (!take_number(&rest, &id) || !take_number(&rest, &arrived) || !take_number(&rest, &size))
        return false;
    r->message = (struct queue_admin_message){
        .id = (int64_t)id,
        .arrived = (int64_t)arrived,
        .size = size,
        .sender = arena_copy(&r->arena, rest),
        .recipients = ARENA_ARRAY(&r->arena, struct queue_admin_recipient, RECIPIENTS_MAX),
    };
    return true;
}

static bool take_recipient(struct reading *r, struct str rest)
{
    struct queue_admin_message *m = &r->message;
    uint64_t state, next;
    if (m->id == 0 || m->recipient_count == RECIPIENTS_MAX || !take_number(&rest, &state) ||
        !take_number(&rest, &next))
        return false;
    m->recipients[m->recipient_count++] =
        (struct queue_admin_recipient){.address = arena_copy(&r->arena, rest),
                                       .state = (enum queue_state)state,
                                       .next_attempt = (int64_t)next,
                                       .reply = STR("")};
    return true;
}

static bool take_reply(struct reading *r, struct str rest)
{
    if (r->message.recipient_count == 0)
        return false;
    r->message.recipients[r->message.recipient_count - 1].reply = arena_copy(&r->arena, rest);
    return true;
}

/* A line of an answer to LIST that is not its last. */
static bool take_line(struct reading *r, struct str line)
{
    struct str rest = str_from_offset(line, 6);
    if (line.n < 6)
        return false;
    switch (line.p[4]) {
    case 'M': return take_message(r, rest);
    case 'R': return take_recipient(r, rest);
    case '=': return take_reply(r, rest);
    default: return true; /* of EHLO */
    }
}

static bool broke(struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "the connection to the server broke");
}

/* Says `command` ("": only listens) and hears its answer: *last is its last line, behind the code. */
static bool ask(struct reading *r, const char *command, struct str *last, struct err *e)
{
    struct str line;
    if (command[0])
        stream_writef(&r->stream, "%s\r\n", command);
    for (;;) {
        if (stream_read_line(&r->stream, LINE_MAX, deadline_in(REPLY_MS), &line, NULL) != STREAM_OK ||
            line.n < 4)
            return broke(e);
        if (line.p[3] == ' ')
            break;
        if (!take_line(r, line))
            return err_set(e, ERR_TEMPORARY, "the server answered what is no list");
    }
    *last = str_from_offset(line, 4);
    return line.p[0] == '2' ||
           err_set(e, line.p[0] == '4' ? ERR_TEMPORARY : ERR_PERMANENT, "%.*s", STR_ARGS(*last));
}

static bool open_session(struct reading *r, const struct config *c, struct err *e)
{
    struct str last;
    int fd = sendmail_connect(c->submission_socket, e);
    if (fd < 0)
        return false;
    stream_open(&r->stream, fd, STR(""));
    return ask(r, "", &last, e);
}

static void close_session(struct reading *r)
{
    if (r->stream.fd >= 0)
        stream_close(&r->stream);
    arena_free(&r->arena);
}

static bool list(struct reading *r, struct err *e)
{
    uint64_t next = 0;
    do {
        char command[40];
        struct str last;
        snprintf(command, sizeof command, "XQUEUE LIST %llu", (unsigned long long)next);
        if (!ask(r, command, &last, e))
            return false;
        finish_message(r);
        if (!str_to_u64(last, &next))
            return broke(e);
    } while (next != 0);
    return true;
}

bool mailq_socket_list(const struct config *c,
                       void (*each)(void *context, const struct queue_admin_message *m), void *context,
                       struct err *e)
{
    struct reading r = {.stream = {.fd = -1}, .each = each, .context = context};
    bool good = open_session(&r, c, e) && list(&r, e);
    close_session(&r);
    return good;
}

bool mailq_socket_retry(const struct config *c, struct err *e)
{
    struct reading r = {.stream = {.fd = -1}};
    struct str last;
    bool good = open_session(&r, c, e) && ask(&r, "XQUEUE RETRY", &last, e);
    close_session(&r);
    return good;
}
