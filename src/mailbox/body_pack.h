/* Small bodies, packed together some time after they came: one zstd frame for as many as fit into PACK_BYTES
 * takes two thirds of what each by itself takes, since mail resembles mail, and leaves no half empty pages. A
 * pack is a row of body_chunk, whose id is that of a last chunk which no body has (pack_id) of the last body
 * in it: so the first row from a body's first chunk on is that chunk, or the pack that holds it.
 *
 * Before compression: the count, then id and size of each body (8 bytes each, the lowest first), then their
 * bytes in that order. Inside the module only. */
#ifndef MAILBOX_BODY_PACK_H
#define MAILBOX_BODY_PACK_H
#include "mailbox/internal.h"

#define PACK_BYTES    ((size_t)64 * 1024) /* larger ones save little, and each read expands a whole one */
#define PACK_BODY_MAX (PACK_BYTES / 4)    /* a larger body stays by itself */
#define PACK_BODIES   64
/* The last bodies are packed when they are at least so much. Less stays as it came until more comes. */
#define PACK_LEAST    ((size_t)16 * 1024)
#define PACK_RAW_MAX  (PACK_BYTES + 8 * (1 + 2 * PACK_BODIES))

static inline int64_t pack_id(int64_t last_body)
{
    return chunk_id(last_body, CHUNKS_MAX - 1);
}

static inline bool pack_is(int64_t id)
{
    return id % CHUNKS_MAX == CHUNKS_MAX - 1;
}

/* The bytes of a body in an expanded pack. False: it is not in there. */
bool pack_find(struct str raw, int64_t body, struct str *bytes);

/* The pack, expanded into `raw`. False: it is damaged. `z` may be NULL: no memory. */
struct ZSTD_DCtx_s;
bool pack_expand(struct ZSTD_DCtx_s *z, struct str packed, struct buf *raw);

/* A pack in the making. */
struct pack {
    int64_t ids[PACK_BODIES];
    uint64_t sizes[PACK_BODIES];
    size_t n;
    struct buf bytes; /* of all bodies */
};
void pack_init(struct pack *p);
void pack_free(struct pack *p);
bool pack_has_room(const struct pack *p, uint64_t size);
void pack_add(struct pack *p, int64_t body, uint64_t size); /* its bytes are added by the caller */
/* Compressed, at the end of `out`. */
bool pack_make(const struct pack *p, struct buf *out, struct err *e);

/* A body goes from the pack that it is in, if it is in one. */
bool pack_remove(struct sql *db, int64_t body, struct err *e);

/* Packs what has come, of as many bodies at most, from the end of what is packed on; the last few, up to
 * PACK_LEAST, stay apart until there are more. Called under store.catching_up. */
bool pack_more(struct store *s, size_t bodies, bool *more, struct err *e);

#endif
