/* APPEND (RFC 3501 section 6.3.11, UIDPLUS of RFC 4315). Everything that can be refused is refused before the
 * client is asked for the message. */
#include "config/config.h"
#include "imap/flags.h"
#include "imap/session.h"
#include "message/date.h"

#include <string.h>
#include <sys/mman.h>

struct append {
    struct str name;
    struct imap_flags flags;
    int64_t received;
    int zone;
    char *bytes; /* mapped; touched as the message arrives, so that a size announced costs nothing */
    size_t size, got;
};

/* What stands between the command's name and the literal. */
static bool take_arguments(struct imap_session *s, struct imap_cursor *c, struct append *out)
{
    *out = (struct append){.flags.keywords = STR(""), .received = clock_wall()};
    out->zone = date_local_zone(out->received);
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &out->name) || !imap_take_space(c))
        return false;
    if (imap_peek(c) == '(' && (!imap_take_flag_list(c, &s->arena, &out->flags) || !imap_take_space(c)))
        return false;
    if (imap_peek(c) != '"')
        return true;
    size_t start = c->at;
    struct str date;
    if (!imap_take_string(c, &s->arena, &date) || !imap_take_space(c))
        return false;
    if (date_parse_imap(date, &out->received, &out->zone) == DATE_OK)
        return true;
    c->at = start;
    c->problem = "expected a date like \"24-Nov-2026 12:00:00 +0100\"";
    return false;
}

/* The literal is the message when the arguments before it are whole: then only it is left. A mailbox name may
 * be a literal too, which is read like any other. */
bool imap_append_is_due(struct imap_session *s)
{
    struct imap_command command;
    struct append append;
    struct str text = buf_str(&s->reader.command);
    if (!imap_parse_command(text, &command) || command.by_uid ||
        !str_eq_nocase(command.name, STR("APPEND")) || !take_arguments(s, &command.args, &append))
        return false;
    struct imap_literal literal;
    struct str rest = str_from_offset(text, command.args.at);
    return imap_line_literal(rest, &literal) && literal.at == 0;
}

/* Reads the literal's bytes to a->bytes. */
static enum stream_result receive(struct imap_session *s, struct append *a)
{
    while (a->got < a->size) {
        struct str bytes;
        enum stream_result r = stream_peek(s->stream, deadline_in(IMAP_COMMAND_MS), &bytes);
        if (r != STREAM_OK)
            return r;
        bytes = str_slice(bytes, 0, a->size - a->got);
        memcpy(a->bytes + a->got, bytes.p, bytes.n);
        a->got += bytes.n;
        stream_take(s->stream, bytes.n);
    }
    return STREAM_OK;
}

/* Refuses before the message was read; a client that sends it without asking has it dropped. */
static enum imap_status refuse(struct imap_session *s, enum imap_status status)
{
    enum imap_read_result r = imap_read_skip(&s->reader, IMAP_DROP_MAX, deadline_in(IMAP_AUTOLOGOUT_MS));
    if (r == IMAP_READ_DONE)
        return status;
    if (r == IMAP_READ_TOO_LONG)
        imap_bye(s, "The message is far too large");
    return IMAP_LOST;
}

static enum imap_status store_message_of(struct imap_session *s, const struct append *a,
                                         const struct mailbox *m)
{
    struct err e = ERR_INIT;
    struct store_append item = {
        .mailbox = m->id,
        .bytes = str_from(a->bytes, a->size),
        .flags = a->flags.system,
        .keywords = a->flags.keywords,
        .received = a->received,
        .zone = (int16_t)a->zone,
    };
    enum store_result r = store_append(s->store, &item, 1, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (item.result == STORE_NONE)
        return imap_no(s, "[TRYCREATE] The mailbox was deleted meanwhile");
    if (item.result != STORE_OK)
        return imap_no_store(s, item.result, &item.err);
    return imap_ok(s, "[APPENDUID %u %u] Appended", item.uidvalidity, item.uid);
}

/* Reads the message and the end of the line. */
static enum imap_status receive_and_store(struct imap_session *s, struct append *a, const struct mailbox *m)
{
    if (imap_read_go_ahead(&s->reader, deadline_in(IMAP_COMMAND_MS)) != IMAP_READ_DONE ||
        receive(s, a) != STREAM_OK)
        return IMAP_LOST; /* the command was never finished: nothing was appended */
    imap_read_begin(&s->reader);
    enum imap_read_result end = imap_read_line(&s->reader, deadline_in(IMAP_COMMAND_MS));
    switch (end) {
    case IMAP_READ_DONE: break;
    case IMAP_READ_LITERAL:
    case IMAP_READ_TOO_BIG:
    case IMAP_READ_BARE_LF: return refuse(s, imap_bad(s, "Nothing but CRLF may stand behind the message"));
    case IMAP_READ_TOO_LONG: imap_bye(s, "A command line is too long"); return IMAP_LOST;
    case IMAP_READ_CLOSED:
    case IMAP_READ_TIMEOUT: return IMAP_LOST;
    }
    if (s->reader.command.n > 0)
        return imap_bad(s, "Nothing but CRLF may stand behind the message");
    /* literal is CHAR8: no NUL (section 9). Lines that end in LF alone are kept as they are. */
    if (memchr(a->bytes, '\0', a->size))
        return imap_no(s, "[CANNOT] A message may not hold NUL bytes");
    return store_message_of(s, a, m);
}

static enum imap_status check_and_receive(struct imap_session *s, struct append *a)
{
    struct mailbox m;
    struct err e = ERR_INIT;
    enum store_result r = store_mailbox_find(s->store, a->name, &s->arena, &m, &e);
    if (r == STORE_NONE || (r == STORE_OK && !m.selectable))
        return refuse(s, imap_no(s, "[TRYCREATE] There is no such mailbox"));
    if (r != STORE_OK)
        return refuse(s, imap_no_store(s, r, &e));
    a->size = s->reader.literal.size;
    if (a->size == 0)
        return refuse(s, imap_no(s, "[CANNOT] A message has at least one byte"));
    if (a->size > s->host->config->message_size_max)
        return refuse(s, imap_no(s, "[TOOBIG] Messages may have at most %llu bytes",
                                 (unsigned long long)s->host->config->message_size_max));
    a->bytes = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a->bytes == MAP_FAILED)
        return refuse(s, imap_no(s, "[LIMIT] There is no memory for a message of that size just now"));
    enum imap_status status = receive_and_store(s, a, &m);
    munmap(a->bytes, a->size);
    return status;
}

enum imap_status imap_do_append(struct imap_session *s, struct imap_cursor *c)
{
    struct append a;
    if (!take_arguments(s, c, &a))
        return imap_bad_syntax(s, c);
    if (!s->reader.has_literal) {
        c->problem = "expected the message as a literal";
        return imap_bad_syntax(s, c);
    }
    return check_and_receive(s, &a);
}
