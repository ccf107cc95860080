/* COMPRESS (RFC 4978). Before login there is none: what is compressed together with a password must not be
 * what somebody else chooses. */
#include "imap/session.h"

#include "base/stream_deflate.h"

enum imap_status imap_do_compress(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_space(c))
        return imap_bad_syntax(s, c);
    if (!imap_take_word(c, STR("DEFLATE"))) {
        c->problem = "DEFLATE is the only way to compress";
        return imap_bad_syntax(s, c);
    }
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (stream_is_deflated(s->stream))
        return imap_no(s, "[COMPRESSIONACTIVE] DEFLATE is active already");
    s->starts_deflate = true;
    return imap_ok(s, "DEFLATE active");
}

void imap_start_deflate(struct imap_session *s)
{
    s->starts_deflate = false;
    /* A failure is told by the next flush: nothing will be sent any more. */
    stream_flush(s->stream, deadline_in(IMAP_COMMAND_MS));
    stream_deflate(s->stream);
}
