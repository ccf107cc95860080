#include "base/stream_deflate.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* Of what is sent. Level 6, zlib's own choice, saves a tenth of the bytes of mail for half as much time
 * again, and the time is the server's. */
#define DEFLATE_LEVEL     1
/* Both windows are as large as the format allows: the peer's must be (it may refer back so far), ours costs
 * 256 KiB with its tables, but only while something is being sent. Half the window would cost a tenth of the
 * bytes. Negative: raw, without zlib's own header. */
#define DEFLATE_WINDOW    (-MAX_WBITS)
#define DEFLATE_MEM_LEVEL 8
/* Compressed and sent at a time; read and expanded at a time. */
#define PIECE             ((size_t)16 * 1024)

struct deflate {
    int fd;
    const struct stream_transport *under; /* NULL: the descriptor itself */
    void *under_context;

    z_stream out;
    bool has_out;
    bool is_flushed;   /* the peer can read all that was written, once `packed` is sent */
    struct buf packed; /* to be sent */

    z_stream in;
    bool has_in;
    bool is_at_end;     /* the peer has ended its stream of blocks */
    bool may_have_more; /* of what was read already */
    struct buf raw;     /* read, and not expanded yet */
    char *history; /* while !has_in: what the peer may refer to; malloc'd, NULL: it has sent nothing yet */
    size_t history_size;
};

/* --- what lies under it --- */

static ssize_t read_under(struct deflate *d, void *to, size_t n, short *wants)
{
    return d->under ? d->under->read(d->under_context, to, n, wants) : read(d->fd, to, n);
}

static ssize_t write_under(struct deflate *d, struct str bytes, short *wants)
{
    *wants = POLLOUT;
    return d->under ? d->under->write(d->under_context, bytes.p, bytes.n, wants)
                    : send(d->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
}

/* 0: all is sent; -1 with errno. */
static int send_packed(struct deflate *d, short *wants)
{
    while (d->packed.n > 0) {
        ssize_t n = write_under(d, buf_str(&d->packed), wants);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        buf_consume(&d->packed, (size_t)n);
    }
    return 0;
}

/* --- out --- */

static void start_out(struct deflate *d)
{
    if (d->has_out)
        return;
    d->out = (z_stream){0};
    if (deflateInit2(&d->out, DEFLATE_LEVEL, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        log_die("stream.deflate", "no memory to compress a connection");
    d->has_out = true;
}

static void stop_out(struct deflate *d)
{
    if (d->has_out)
        deflateEnd(&d->out);
    d->has_out = false;
}

/* All of `bytes`, to the end of d->packed. */
static void pack(struct deflate *d, struct str bytes, int flush)
{
    start_out(d);
    d->out.next_in = (z_const Bytef *)bytes.p;
    d->out.avail_in = (uInt)bytes.n;
    do {
        char *to = buf_room(&d->packed, PIECE);
        d->out.next_out = (Bytef *)to;
        d->out.avail_out = (uInt)PIECE;
        deflate(&d->out, flush); /* Z_BUF_ERROR: there was nothing more to be flushed */
        buf_grew(&d->packed, PIECE - d->out.avail_out);
    } while (d->out.avail_out == 0);
}

static ssize_t deflate_write(void *context, const void *from, size_t n, short *wants)
{
    struct deflate *d = context;
    if (d->packed.n >= PIECE && send_packed(d, wants) != 0)
        return -1;
    struct str bytes = str_slice(str_from(from, n), 0, PIECE);
    pack(d, bytes, Z_NO_FLUSH);
    d->is_flushed = false;
    return (ssize_t)bytes.n;
}

/* RFC 4978 section 4: a sync flush where the peer is to see an answer. */
static int deflate_flush(void *context, short *wants)
{
    struct deflate *d = context;
    if (!d->is_flushed)
        pack(d, STR(""), Z_SYNC_FLUSH);
    d->is_flushed = true;
    return send_packed(d, wants);
}

/* --- in --- */

static void start_in(struct deflate *d)
{
    if (d->has_in)
        return;
    d->in = (z_stream){0};
    if (inflateInit2(&d->in, DEFLATE_WINDOW) != Z_OK ||
        (d->history &&
         inflateSetDictionary(&d->in, (const Bytef *)d->history, (uInt)d->history_size) != Z_OK))
        log_die("stream.inflate", "no memory to expand a connection");
    free(d->history);
    d->history = NULL;
    d->has_in = true;
}

/* Between two blocks, with no bits of a byte left over: then the window is all there is to remember. zlib's
 * data_type says so: 128 at the end of a block, 64 in the last one, the number of bits below. */
static bool can_stop_in(const struct deflate *d)
{
    return d->has_in && d->raw.n == 0 && !d->is_at_end && d->in.data_type == 128;
}

static void stop_in(struct deflate *d)
{
    uInt n = 0;
    char *window = mem_new((size_t)1 << MAX_WBITS, 1);
    if (inflateGetDictionary(&d->in, (Bytef *)window, &n) == Z_OK) {
        inflateEnd(&d->in);
        d->has_in = false;
        d->history = n > 0 ? mem_resize(window, n, 1) : NULL;
        d->history_size = n;
    }
    if (!d->history)
        free(window);
}

/* Expands what there is of d->raw. */
static ssize_t unpack(struct deflate *d, void *to, size_t n)
{
    start_in(d);
    d->in.next_in = (z_const Bytef *)d->raw.p;
    d->in.avail_in = (uInt)d->raw.n;
    d->in.next_out = to;
    d->in.avail_out = (uInt)(n < UINT32_MAX ? n : UINT32_MAX);
    size_t room = d->in.avail_out;
    int r = inflate(&d->in, Z_SYNC_FLUSH);
    buf_consume(&d->raw, d->raw.n - d->in.avail_in);
    d->is_at_end = r == Z_STREAM_END;
    d->may_have_more = d->in.avail_out == 0;
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
        errno = EPROTO;
        return -1;
    }
    return (ssize_t)(room - d->in.avail_out);
}

static ssize_t deflate_read(void *context, void *to, size_t n, short *wants)
{
    struct deflate *d = context;
    *wants = POLLIN;
    while (!d->is_at_end) {
        if (d->raw.n > 0 || d->may_have_more) {
            ssize_t got = unpack(d, to, n);
            if (got != 0)
                return got;
            continue;
        }
        ssize_t got = read_under(d, buf_room(&d->raw, PIECE), PIECE, wants);
        if (got <= 0)
            return got;
        buf_grew(&d->raw, (size_t)got);
    }
    return 0; /* the peer closed its stream of blocks, which is as good as the connection */
}

/* --- both --- */

static void deflate_rest(void *context)
{
    struct deflate *d = context;
    if (d->is_flushed && d->packed.n == 0) {
        stop_out(d);
        buf_free(&d->packed);
    }
    if (can_stop_in(d))
        stop_in(d);
    if (d->raw.n == 0)
        buf_free(&d->raw);
    if (d->under && d->under->rest)
        d->under->rest(d->under_context);
}

static void deflate_close(void *context)
{
    struct deflate *d = context;
    stop_out(d);
    if (d->has_in)
        inflateEnd(&d->in);
    buf_free(&d->packed);
    buf_free(&d->raw);
    free(d->history);
    if (d->under && d->under->close)
        d->under->close(d->under_context);
    free(d);
}

static const struct stream_transport DEFLATE = {
    .read = deflate_read,
    .write = deflate_write,
    .flush = deflate_flush,
    .rest = deflate_rest,
    .close = deflate_close,
};

bool stream_is_deflated(const struct stream *s)
{
    return s->transport == &DEFLATE;
}

void stream_deflate(struct stream *s)
{
    struct deflate *d = MEM_NEW(struct deflate);
    stream_wait_in_polls(s); /* what it reads ahead of the stream must not wait */
    d->fd = s->fd;
    d->under = s->transport;
    d->under_context = s->context;
    d->is_flushed = true;
    buf_init(&d->packed, BUF_MAX_DEFAULT); /* a piece and what it is sent in */
    buf_init(&d->raw, BUF_MAX_DEFAULT);    /* a piece, and what was read before */
    struct str before = stream_buffered(s);
    buf_add(&d->raw, before);
    stream_take(s, before.n);
    s->transport = &DEFLATE;
    s->context = d;
    s->may_have_more = true;
}
