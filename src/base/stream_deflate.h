/* Compression of a stream that is in use already: raw DEFLATE (RFC 1951) both ways, as IMAP's COMPRESS has it
 * (RFC 4978). Lies under the stream as its transport, over whatever transport it had.
 *
 * While the peer is quiet the layer keeps what it must: the last bytes that the peer sent, to which what it
 * sends next may refer (32 KiB at most, and no more than it has sent). Its own window is given up, and what
 * is sent next starts a new one, which a stream of blocks allows at any time. */
#ifndef BASE_STREAM_DEFLATE_H
#define BASE_STREAM_DEFLATE_H
#include "base/stream.h"

/* From now on. Everything that was written must have been flushed. What has been read and not taken counts as
 * compressed: who starts compression waits for the answer before it sends more. */
void stream_deflate(struct stream *s);
bool stream_is_deflated(const struct stream *s);

#endif
