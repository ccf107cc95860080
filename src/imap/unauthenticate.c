/* UNAUTHENTICATE (RFC 8437): the connection is nobody's again. What this session knew ends with it; login
 * goes on with the connection, and answers the command. */
#include "base/mem.h"
#include "base/stream_deflate.h"
#include "imap/session.h"

enum imap_status imap_do_unauthenticate(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (stream_is_deflated(s->stream)) /* passwords are not compressed: see compress.c */
        return imap_no(s, "[CANNOT] Not over a connection that is compressed");
    imap_deselect(s);
    s->host->unauthenticated = mem_copy_c(s->tag, s->tag_size);
    return IMAP_LOST; /* nothing more is said here */
}
