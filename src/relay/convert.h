/* A message made fit for a server that takes less than it needs: its parts in quoted-printable or base64
 * (RFC 2045 section 6, RFC 6152 section 3, RFC 3030 section 3). Pure. */
#ifndef RELAY_CONVERT_H
#define RELAY_CONVERT_H
#include "base/buf.h"
#include "base/err.h"
#include "queue/envelope.h"

/* `to` ENVELOPE_7BIT: no byte over 127 is left in a body; ENVELOPE_8BIT: they may stay, but everything is
 * lines of at most 998 bytes, and no NUL. A part that is so already is copied as it stands, with its header.
 * False, with a status code in front of the words: the message has parts that must not be touched (signed,
 * encrypted) or cannot be. Fields of headers are never changed, but Content-Transfer-Encoding; a message
 * that is no MIME gets MIME-Version and Content-Type (RFC 1428). */
bool convert_message(struct str message, enum envelope_body to, struct buf *out, struct err *e);

/* What the bytes of a message need: ENVELOPE_BINARY for a NUL, a bare CR or LF, or a line over 998 bytes. */
enum envelope_body convert_needs(struct str bytes);

#endif
