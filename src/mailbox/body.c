/* The bytes of messages, in chunks: each a zstd frame (RFC 8878) with its content's size and checksum, so
 * that bytes that rot on the disk are found when they are read. zstd itself stores what does not get smaller.
 */
#include "base/mem.h"
#include "mailbox/body_ahead.h"
#include "mailbox/body_pack.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define COMPRESSION_LEVEL 1 /* mail is short: higher levels take longer and save a percent */
/* A codec that a large message has made larger than this is made anew for the next. */
#define CODEC_MEMORY_MAX  ((size_t)512 * 1024)

MAIL_STATEMENT(INSERT_CHUNK, "INSERT INTO body_chunk(id, data) VALUES($1, $2)");
/* The chunk, or the pack that holds it; the first row from there on. */
MAIL_STATEMENT(CHUNK, "SELECT id, data FROM body_chunk WHERE id >= $1 ORDER BY id LIMIT 1");
MAIL_STATEMENT(DELETE_CHUNKS, "DELETE FROM body_chunk WHERE id BETWEEN $1 AND $2");
MAIL_STATEMENT(DELETE_BODY, "DELETE FROM body WHERE id = $1");

struct codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *expand;
    struct buf raw, packed; /* a chunk that is made of two pieces; a chunk compressed */
};

void codec_free(struct codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->compress);
    ZSTD_freeDCtx(c->expand);
    buf_free(&c->raw);
    buf_free(&c->packed);
    free(c);
}

static struct codec *codec_of(struct connection *c)
{
    if (c->codec)
        return c->codec;
    c->codec = MEM_NEW(struct codec);
    buf_init(&c->codec->raw, BODY_CHUNK);
    buf_init(&c->codec->packed, ZSTD_COMPRESSBOUND(BODY_CHUNK));
    return c->codec;
}

/* After a large message: gives the memory back, and makes the codec anew for the next. */
static void codec_shrink(struct connection *c)
{
    size_t held = ZSTD_sizeof_CCtx(c->codec->compress) + ZSTD_sizeof_DCtx(c->codec->expand) +
                  c->codec->raw.cap + c->codec->packed.cap;
    if (held <= CODEC_MEMORY_MAX)
        return;
    codec_free(c->codec);
    c->codec = NULL;
}

/* A body that will go into a pack (body_pack.h) is compressed there, soon and better: until then its frame
 * holds the bytes as they are, which zstd calls a level too. Compressing it twice would take a fifth of the
 * time of a delivery. */
static bool suit(struct codec *k, bool will_be_packed)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(k->compress, ZSTD_c_compressionLevel,
                                                will_be_packed ? ZSTD_minCLevel() : COMPRESSION_LEVEL));
}

static bool prepare_compress(struct codec *k, struct err *e)
{
    if (k->compress)
        return true;
    k->compress = ZSTD_createCCtx();
    if (!k->compress || ZSTD_isError(ZSTD_CCtx_setParameter(k->compress, ZSTD_c_checksumFlag, 1)))
        return err_set(e, ERR_TEMPORARY, "no memory to compress a message");
    return true;
}

static bool write_chunk(struct connection *c, int64_t id, struct str raw, bool will_be_packed, struct err *e)
{
    struct codec *k = c->codec;
    buf_reset(&k->packed);
    size_t bound = ZSTD_compressBound(raw.n);
    char *room = buf_room(&k->packed, bound);
    if (!room)
        return err_set(e, ERR_INTERNAL, "a chunk of %zu bytes", raw.n);
    size_t n = suit(k, will_be_packed) ? ZSTD_compress2(k->compress, room, bound, raw.p, raw.n)
                                       : (size_t)-ZSTD_error_parameter_outOfBound;
    if (ZSTD_isError(n))
        return err_set(e, ERR_TEMPORARY, "compressing a message: %s", ZSTD_getErrorName(n));
    buf_grew(&k->packed, n);
    return sql_exec(c->db, &INSERT_CHUNK, SQL(sql_int(id), sql_blob(buf_str(&k->packed))), NULL, e);
}

/* The first chunk's share of two pieces as one. */
static struct str first_chunk(struct codec *k, struct str prefix, struct str *bytes)
{
    size_t n = bytes->n < BODY_CHUNK - prefix.n ? bytes->n : BODY_CHUNK - prefix.n;
    buf_reset(&k->raw);
    buf_add(&k->raw, prefix);
    buf_add(&k->raw, str_slice(*bytes, 0, n));
    *bytes = str_from_offset(*bytes, n);
    return buf_str(&k->raw);
}

bool body_write(struct connection *c, int64_t body, struct str prefix, struct str bytes, struct err *e)
{
    struct codec *k = codec_of(c);
    if (!prepare_compress(k, e))
        return false;
    int64_t seq = 0;
    bool good = true, will_be_packed = prefix.n + bytes.n <= PACK_BODY_MAX;
    if (prefix.n > 0)
        good = write_chunk(c, chunk_id(body, seq++), first_chunk(k, prefix, &bytes), will_be_packed, e);
    for (; good && bytes.n > 0 && seq < CHUNKS_MAX - 1; bytes = str_from_offset(bytes, BODY_CHUNK))
        good = write_chunk(c, chunk_id(body, seq++), str_slice(bytes, 0, BODY_CHUNK), will_be_packed, e);
    codec_shrink(c);
    return good;
}

bool body_delete(struct sql *db, int64_t body, struct err *e)
{
    int64_t deleted = 0;
    return sql_exec(db, &DELETE_CHUNKS,
                    SQL(sql_int(chunk_id(body, 0)), sql_int(chunk_id(body, CHUNKS_MAX - 1) - 1)), &deleted,
                    e) &&
           (deleted > 0 || pack_remove(db, body, e)) &&
           sql_exec(db, &DELETE_BODY, SQL(sql_int(body)), NULL, e);
}

void body_reader_init(struct body_reader *b, atomic_uint *aheads)
{
    *b = (struct body_reader){.aheads = aheads};
    buf_init(&b->chunk, BODY_CHUNK);
}

void body_reader_free(struct body_reader *b)
{
    ahead_free(b->ahead);
    buf_free(&b->chunk);
}

static bool damaged(int64_t id, const char *how, struct err *e)
{
    return err_set(e, ERR_INTERNAL,
                   "chunk %lld of message body %lld is damaged (%s); restore it from a backup",
                   (long long)(id % CHUNKS_MAX), (long long)(id / CHUNKS_MAX), how);
}

/* Expands `packed`, which must give `expected` bytes, to the end of `out`. */
static bool expand(struct codec *k, int64_t id, struct str packed, uint64_t expected, struct buf *out,
                   struct err *e)
{
    if (!k->expand && !(k->expand = ZSTD_createDCtx()))
        return err_set(e, ERR_TEMPORARY, "no memory to read a message");
    if (ZSTD_getFrameContentSize(packed.p, packed.n) != expected)
        return damaged(id, "its size", e);
    char *room = buf_room(out, expected);
    if (!room)
        return err_set(e, ERR_PERMANENT, "more of the message than there is room for");
    size_t n = ZSTD_decompressDCtx(k->expand, room, expected, packed.p, packed.n);
    if (n != expected)
        return damaged(id, ZSTD_isError(n) ? ZSTD_getErrorName(n) : "its length", e);
    buf_grew(out, n);
    return true;
}

/* The row is a pack: it is kept in the reader, since its other bodies are often read next. */
static bool take_pack(struct body_reader *b, struct connection *c, int64_t id, struct str data, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(data.p, data.n);
    if (size > PACK_RAW_MAX)
        return damaged(id, "the size of its pack", e);
    buf_reset(&b->chunk);
    b->chunk_id = 0;
    b->has_pack = expand(codec_of(c), id, data, size, &b->chunk, e);
    return b->has_pack;
}

/* The reader has come to the pack of row `id`, for this chunk. If it came there from the one before, the next
 * is what it will want then. That this fails is told when it is wanted. */
static void look_ahead(struct body_reader *b, struct connection *c, int64_t chunk, int64_t id)
{
    struct sql_rows rows;
    struct err ignored = ERR_INIT;
    bool is_next = b->pack > 0 && chunk > b->pack && chunk - b->pack <= chunk_id(PACK_BODIES, 0);
    b->pack = id;
    if (!b->aheads || !is_next || (!b->ahead && !(b->ahead = ahead_new(b->aheads))) ||
        !sql_query(c->db, &CHUNK, SQL(sql_int(id + 1)), &rows, &ignored))
        return;
    if (sql_next(&rows) && pack_is(sql_get_int(&rows, 0)))
        ahead_begin(b->ahead, id, sql_get_int(&rows, 0), sql_get_str(&rows, 1));
    sql_end(&rows, &ignored);
}

/* The chunk's pack, if it was read ahead. */
static bool take_ahead(struct body_reader *b, struct connection *c, int64_t chunk)
{
    int64_t id = b->ahead ? ahead_take(b->ahead, chunk, &b->chunk) : 0;
    if (id == 0)
        return false;
    b->chunk_id = 0;
    b->has_pack = true;
    look_ahead(b, c, chunk, id);
    return true;
}

static struct buf *place(struct body_reader *b, struct buf *direct)
{
    if (direct)
        return direct;
    buf_reset(&b->chunk);
    b->chunk_id = 0;
    b->has_pack = false;
    return &b->chunk;
}

/* The chunk that came with its row. */
static bool read_given(struct body_reader *b, struct connection *c, uint64_t expected, struct buf *direct,
                       struct err *e)
{
    bool good = expand(codec_of(c), b->packed_id, b->packed, expected, place(b, direct), e);
    if (good && !direct)
        b->chunk_id = b->packed_id;
    return good;
}

/* Reads the chunk, into the reader or, with `direct`, to the end of that, unless it is in a pack. */
static bool read_chunk(struct body_reader *b, struct connection *c, int64_t id, uint64_t expected,
                       struct buf *direct, struct err *e)
{
    struct sql_rows rows;
    if (b->packed_id == id)
        return read_given(b, c, expected, direct, e);
    if (take_ahead(b, c, id))
        return true;
    if (!sql_query(c->db, &CHUNK, SQL(sql_int(id)), &rows, e))
        return false;
    int64_t row = sql_next(&rows) ? sql_get_int(&rows, 0) : 0;
    bool is_pack = row != id && row > 0 && pack_is(row) && id % CHUNKS_MAX == 0, good = false;
    struct err failure = ERR_INIT;
    if (row == id)
        good = expand(codec_of(c), id, sql_get_str(&rows, 1), expected, place(b, direct), &failure);
    else if (is_pack)
        good = take_pack(b, c, id, sql_get_str(&rows, 1), &failure);
    else
        damaged(id, "it is missing", &failure);
    if (!sql_end(&rows, e))
        return false;
    if (good && row == id && !direct)
        b->chunk_id = id;
    if (good && is_pack)
        look_ahead(b, c, id, row);
    return good || err_set(e, failure.kind, "%s", failure.text);
}

/* The chunk, if the reader has it. */
static bool has_chunk(const struct body_reader *b, int64_t id, struct str *bytes)
{
    if (b->has_pack)
        return id % CHUNKS_MAX == 0 && pack_find(buf_str(&b->chunk), id / CHUNKS_MAX, bytes);
    *bytes = buf_str(&b->chunk);
    return b->chunk_id == id;
}

bool body_read(struct body_reader *b, struct connection *c, int64_t body, uint64_t size, uint64_t offset,
               uint64_t n, struct buf *out, struct err *e)
{
    if (offset >= size)
        return true;
    uint64_t end = n < size - offset ? offset + n : size;
    while (offset < end) {
        uint64_t seq = offset / BODY_CHUNK, at = seq * BODY_CHUNK;
        uint64_t chunk = size - at < BODY_CHUNK ? size - at : BODY_CHUNK;
        uint64_t stop = end < at + chunk ? end : at + chunk;
        int64_t id = chunk_id(body, (int64_t)seq);
        struct str bytes;
        size_t before = out->n;
        /* all of it goes straight to where it is wanted */
        struct buf *direct = stop - offset == chunk ? out : NULL;
        bool is_here = has_chunk(b, id, &bytes);
        if (!is_here && !read_chunk(b, c, id, chunk, direct, e))
            return false;
        if (is_here || out->n == before) {
            if (!has_chunk(b, id, &bytes) || bytes.n != chunk)
                return damaged(id, "it is not in its pack", e);
            if (!buf_add(out, str_slice(bytes, offset - at, stop - offset)))
                return err_set(e, ERR_PERMANENT, "more of the message than there is room for");
        }
        offset = stop;
    }
    return true;
}
