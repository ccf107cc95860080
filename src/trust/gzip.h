/* gzip (RFC 1952) of what is in memory: reports travel so. */
#ifndef TRUST_GZIP_H
#define TRUST_GZIP_H
#include "base/buf.h"

void gzip_pack(struct str bytes, struct buf *out);
/* False: not gzip, cut off, or more than `out` may hold; what stands in `out` then is worth nothing. */
bool gzip_unpack(struct str bytes, struct buf *out);

#endif
