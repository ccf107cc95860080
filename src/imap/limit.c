/* MESSAGELIMIT (RFC 9738): how many messages one command works on. What asks for more gets the newest of them
 * done, and is told where it ended; COPY and MOVE do all or nothing. */
#include "config/config.h"
#include "imap/session.h"

bool imap_is_over_limit(const struct imap_session *s, size_t n)
{
    unsigned limit = s->host->config->imap_message_limit;
    return limit > 0 && n > limit;
}

void imap_limit(struct imap_session *s, uint32_t **uids, size_t *n)
{
    if (!imap_is_over_limit(s, *n))
        return;
    unsigned limit = s->host->config->imap_message_limit;
    *uids += *n - limit;
    *n = limit;
    s->limited_uid = **uids;
}

enum imap_status imap_no_limit(struct imap_session *s)
{
    return imap_no(s, "[MESSAGELIMIT %u] Too many messages for one command: none was taken",
                   s->host->config->imap_message_limit);
}

void imap_tell_limit(struct imap_session *s)
{
    if (s->limited_uid == 0)
        return;
    struct str code =
        arena_printf(&s->arena, "[MESSAGELIMIT %u %u] ", s->host->config->imap_message_limit, s->limited_uid);
    s->limited_uid = 0;
    if (str_starts(s->answer, STR("[")) || s->answers_modseq) { /* an answer has room for one code */
        stream_write(s->stream, STR("* OK "));
        stream_write(s->stream, code);
        stream_write(s->stream, STR("Only the newest were taken\r\n"));
        return;
    }
    s->answer = arena_printf(&s->arena, "%.*s%.*s, but only the newest", STR_ARGS(code), STR_ARGS(s->answer));
}
