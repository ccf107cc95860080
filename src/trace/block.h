/* A block of the trace: lines of the log, one after the other, each with its line end, and a Bloom filter
 * over their tokens, so that a question reads few blocks. Blocks stand in a file one behind the other;
 * whatever a crash leaves at its end is recognised. Pure.
 *
 * Header, all numbers little endian: "GLTR"; u32 number, one more than that of the block before it; u32 what
 * is wrong with it if not this: the CRC-32 of everything else; u32 kind (0: lines as they are, without a
 * filter; 1: zstd); u32 bytes of the filter; u32 bytes behind the filter; u32 bytes of the lines; u32 lines
 * that were lost before or among them; u64 time of the first line, u64 of the last one, milliseconds since
 * 1970. Then the filter and the lines. */
#ifndef TRACE_BLOCK_H
#define TRACE_BLOCK_H
#include "base/buf.h"
#include "trace/token.h"

#define TRACE_BLOCK_HEADER    48
#define TRACE_BLOCK_LINES     ((size_t)64 * 1024) /* of a full one: zstd gains little from more */
/* Of any: a full one may get one more line. */
#define TRACE_BLOCK_LINES_MAX (TRACE_BLOCK_LINES + TRACE_LINE_MAX)
/* At 16 bits a token one look in 2,000 is in vain; a block has some 2,000 tokens. */
#define TRACE_FILTER_MAX      ((size_t)32 * 1024)
#define TRACE_BLOCK_MAX       (TRACE_BLOCK_HEADER + TRACE_FILTER_MAX + TRACE_BLOCK_LINES_MAX + 1024)

struct trace_block {
    uint32_t number, lost;
    bool is_packed;
    int64_t first, last;
    size_t filter, body, lines; /* bytes */
};

/* Appends a block with these lines to `out`. A packed one has the filter; the other is for lines whose block
 * is not full yet. */
void trace_block_write(struct str lines, bool packed, uint32_t number, struct arena *a, struct buf *out);

/* Its header, from the front of `bytes`. False: none. */
bool trace_block_read(struct str bytes, struct trace_block *out);
size_t trace_block_size(const struct trace_block *b); /* header and all */
/* With its filter at hand (`filter` is what stands behind the header): may it have a line with any of these?
 */
bool trace_block_may_have(const struct trace_block *b, struct str filter, const struct trace_tokens *wanted);
/* The lines of a whole block, into the arena. False: they are not what was written. */
bool trace_block_lines(const struct trace_block *b, struct str whole, struct arena *a, struct str *lines);

#endif
