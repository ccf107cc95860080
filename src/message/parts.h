/* The part table of a message: what BODY[1.2.TEXT] needs, packed small, so that a part is read without
 * parsing or even fetching the rest. */
#ifndef MESSAGE_PARTS_H
#define MESSAGE_PARTS_H
#include "base/buf.h"
#include "message/mime.h"

void parts_pack(const struct mime_part *root, struct buf *out);

/* A tree with offsets, sizes, lines, encoding, type, subtype, charset parameter and nesting only. NULL: not a
 * table. */
struct mime_part *parts_unpack(struct str packed, struct arena *a);

#endif
