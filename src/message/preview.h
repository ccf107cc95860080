/* The beginning of a message's text, as a list of messages shows it (RFC 8970). */
#ifndef MESSAGE_PREVIEW_H
#define MESSAGE_PREVIEW_H
#include "base/buf.h"
#include "message/mime.h"

#define PREVIEW_CHARACTERS 200 /* at most (section 3) */
/* Bytes of it at most, in UTF-8. */
#define PREVIEW_BYTES      ((size_t)4 * PREVIEW_CHARACTERS)
/* Of a message so much is looked at: text stands at its front, behind the style sheets of a newsletter at
 * worst. */
#define PREVIEW_SOURCE_MAX ((size_t)256 * 1024)

/* What is left of the first text part (of alternatives the plain one) when white space is made one space, and
 * what others wrote is left out: quoted lines, what introduces them, and all that follows "-- " or a line
 * like
 * "-----Original Message-----". A message of nothing but quotes shows those. Empty: there is no text. `root`
 * is of `message`, which may be cut at its end. Valid UTF-8. */
void preview_make(struct str message, const struct mime_part *root, struct buf *out);

#endif
