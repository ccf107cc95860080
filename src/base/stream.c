#include "base/stream.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Less room than this behind the buffered bytes is not worth a system call: they are moved to the front, or
 * the buffer grows. */
#define READ_ROOM_LEAST ((size_t)4096)

void stream_open(struct stream *s, int fd, struct str already)
{
    *s = (struct stream){.fd = fd, .may_have_more = true};
    buf_init(&s->in, BUF_MAX_DEFAULT);  /* bounded by `max` of stream_read_line and the size of one read */
    buf_init(&s->out, BUF_MAX_DEFAULT); /* bounded by STREAM_OUT_FLUSH and one formatted piece */
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK); /* cannot fail where F_GETFL worked */
    if (already.n > 0)
        buf_add(&s->in, already);
    s->received = already.n;
}

/* A deadline is told by the kernel to within STREAM_READ_WAIT_MS, so whatever remains of it is polled for. */
void stream_wait_in_reads(struct stream *s)
{
    const struct timeval moment = {.tv_usec = STREAM_READ_WAIT_MS * 1000};
    s->waits_in_read = setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment) == 0 &&
                       fcntl(s->fd, F_SETFL, 0) == 0; /* of what can be set, O_NONBLOCK is all that was */
}

void stream_wait_in_polls(struct stream *s)
{
    if (s->waits_in_read)
        fcntl(s->fd, F_SETFL, O_NONBLOCK); /* cannot fail where stream_wait_in_reads did not */
    s->waits_in_read = false;
}

void stream_close(struct stream *s)
{
    buf_free(&s->in);
    buf_free(&s->out);
    s->in_at = 0;
    if (s->transport && s->transport->close)
        s->transport->close(s->context);
    s->transport = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static enum stream_result broke(struct stream *s, int error)
{
    s->error = error;
    return STREAM_ERROR;
}

/* Waits for `wants` on the stream, or for `other_fd` (-1: none) to be readable. */
static enum stream_result await(struct stream *s, short wants, int other_fd, struct deadline d)
{
    struct pollfd p[2] = {{.fd = s->fd, .events = wants}, {.fd = other_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(p, other_fd >= 0 ? 2 : 1, deadline_left_ms(d));
        if (n == 0) {
            if (deadline_passed(d)) /* else: a wait longer than INT_MAX milliseconds */
                return STREAM_TIMEOUT;
        } else if (n < 0) {
            if (errno != EINTR)
                return broke(s, errno);
        } else if (p[0].revents & POLLNVAL) {
            return broke(s, EBADF);
        } else {
            return p[0].revents ? STREAM_OK : STREAM_WOKEN;
        }
    }
}

/* --- output --- */

static ssize_t write_some(struct stream *s, struct str bytes, short *wants)
{
    *wants = POLLOUT;
    if (s->transport)
        return s->transport->write(s->context, bytes.p, bytes.n, wants);
    return send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static enum stream_result send_all(struct stream *s, struct str bytes, struct deadline d)
{
    while (bytes.n > 0) {
        short wants;
        ssize_t n = write_some(s, bytes, &wants);
        if (n > 0) {
            bytes = str_from_offset(bytes, (size_t)n);
            s->sent += (uint64_t)n;
            s->is_unanswered = false;
        } else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            if (errno != EINTR)
                return broke(s, errno);
        } else {
            enum stream_result r = await(s, wants, -1, d);
            if (r != STREAM_OK)
                return r;
        }
    }
    return STREAM_OK;
}

/* What the transport still holds of what it was given. */
static enum stream_result flush_transport(struct stream *s, struct deadline d)
{
    short wants = POLLOUT;
    while (s->transport && s->transport->flush && s->transport->flush(s->context, &wants) != 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return broke(s, errno);
        enum stream_result r = await(s, wants, -1, d);
        if (r != STREAM_OK)
            return r;
    }
    return STREAM_OK;
}

/* Sends what is queued, then `more`. After a failure nothing is ever sent again: the peer would see a hole.
 */
static enum stream_result send_queued(struct stream *s, struct str more, struct deadline d)
{
    if (s->write_failed == STREAM_OK)
        s->write_failed = send_all(s, buf_str(&s->out), d);
    if (s->write_failed == STREAM_OK)
        s->write_failed = send_all(s, more, d);
    if (s->write_failed == STREAM_OK)
        s->write_failed = flush_transport(s, d);
    buf_reset(&s->out);
    return s->write_failed;
}

void stream_write(struct stream *s, struct str bytes)
{
    if (s->write_failed != STREAM_OK)
        return;
    if (s->out.n + bytes.n > STREAM_OUT_FLUSH)
        send_queued(s, bytes, deadline_in(STREAM_WRITE_MS));
    else
        buf_add(&s->out, bytes);
}

void stream_writef(struct stream *s, const char *format, ...)
{
    if (s->write_failed != STREAM_OK)
        return;
    va_list args;
    va_start(args, format);
    buf_addv(&s->out, format, args);
    va_end(args);
    if (s->out.n > STREAM_OUT_FLUSH)
        send_queued(s, STR(""), deadline_in(STREAM_WRITE_MS));
}

enum stream_result stream_flush(struct stream *s, struct deadline d)
{
    return send_queued(s, STR(""), d);
}

/* --- input --- */

struct str stream_buffered(const struct stream *s)
{
    return str_from_offset(buf_str(&s->in), s->in_at);
}

void stream_take(struct stream *s, size_t n)
{
    size_t there = s->in.n - s->in_at;
    s->in_at += n < there ? n : there;
    if (s->in_at == s->in.n) {
        s->in_at = 0;
        buf_reset(&s->in);
    }
}

void stream_wipe_taken(struct stream *s)
{
    if (!s->in.p)
        return;
    mem_wipe(s->in.p, s->in_at);
    mem_wipe(s->in.p + s->in.n, s->in.cap - s->in.n); /* moved or taken whole: the bytes are still there */
}

/* Somewhere to read to, moving the untaken bytes as rarely as possible. */
static char *read_room(struct stream *s, size_t *room)
{
    if (s->in_at > 0 && s->in.cap - s->in.n < READ_ROOM_LEAST) {
        buf_consume(&s->in, s->in_at);
        s->in_at = 0;
    }
    size_t there = s->in.cap - s->in.n;
    bool small = s->in.n + READ_ROOM_LEAST <= STREAM_READ_CHUNK; /* one chunk in all is enough for it */
    *room = there >= READ_ROOM_LEAST ? there : STREAM_READ_CHUNK - (small ? s->in.n : 0);
    return buf_room(&s->in, *room);
}

static void give_back_buffers(struct stream *s)
{
    if (s->in_at == s->in.n) {
        buf_free(&s->in);
        s->in_at = 0;
    }
    if (s->out.n == 0)
        buf_free(&s->out);
}

/* One read; with MSG_DONTWAIT in `flags` without waiting: >0 bytes were added, 0 the end, -1 with errno. */
static ssize_t read_some(struct stream *s, int flags, short *wants)
{
    size_t room;
    char *to = read_room(s, &room);
    if (!to) {
        errno = ENOBUFS;
        return -1;
    }
    *wants = POLLIN;
    ssize_t n = s->transport ? s->transport->read(s->context, to, room, wants) : recv(s->fd, to, room, flags);
    if (n > 0) {
        buf_grew(&s->in, (size_t)n);
        s->received += (uint64_t)n;
        s->is_unanswered = true;
    }
    /* A read that did not fill its room has emptied the socket, so the next one would only say EAGAIN: wait
     * for more right away. A transport may hold decrypted bytes that poll knows nothing of: always ask it. */
    s->may_have_more = s->transport || (n > 0 && (size_t)n == room);
    return n;
}

/* We wait for more before we can answer, so nothing will carry the acknowledgement of what has come, and the
 * kernel would put it off for 40 ms. A peer that writes in small pieces under Nagle's algorithm (RFC 896)
 * sends the rest only after it: replies to a pipelined group one by one, or the CRLF behind the literal of an
 * APPEND. */
static void acknowledge(struct stream *s)
{
    if (!s->is_unanswered)
        return;
    s->is_unanswered = false;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1},
                     sizeof(int)); /* fails for what is not TCP */
}

/* A read that waits for a moment. STREAM_TIMEOUT: nothing came, or the deadline is nearer than that. */
static enum stream_result read_soon(struct stream *s, struct deadline d)
{
    short wants;
    if (!s->waits_in_read || deadline_left_ms(d) < STREAM_READ_WAIT_MS)
        return STREAM_TIMEOUT;
    ssize_t n = read_some(s, 0, &wants);
    if (n >= 0)
        return n > 0 ? STREAM_OK : STREAM_EOF;
    return errno == EAGAIN || errno == EINTR ? STREAM_TIMEOUT : broke(s, errno);
}

/* Adds at least one byte to `in`. What is queued for the peer goes out before we wait for the peer: it may be
 * waiting for that. A failure to send it is told by the next flush. */
static enum stream_result read_more(struct stream *s, struct deadline d)
{
    short wants = POLLIN;
    for (;;) {
        if (s->may_have_more) {
            ssize_t n = read_some(s, MSG_DONTWAIT, &wants);
            if (n > 0)
                return STREAM_OK;
            if (n == 0)
                return STREAM_EOF;
            if (errno == EINTR) {
                s->may_have_more = true;
                continue;
            }
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                return broke(s, errno);
        }
        if (s->out.n > 0)
            send_queued(s, STR(""), d);
        acknowledge(s);
        enum stream_result r = read_soon(s, d);
        if (r != STREAM_TIMEOUT)
            return r;
        give_back_buffers(s);
        r = await(s, wants, -1, d);
        if (r != STREAM_OK)
            return r;
        s->may_have_more = true;
    }
}

enum stream_result stream_read_line(struct stream *s, size_t max, struct deadline d, struct str *line,
                                    bool *bare_lf)
{
    size_t searched = 0; /* so that a line that comes in pieces is not searched again from its start */
    for (;;) {
        struct str there = str_slice(stream_buffered(s), 0, max);
        size_t at = str_find_byte(str_from_offset(there, searched), '\n');
        if (at != STR_NONE) {
            at += searched;
            bool crlf = at > 0 && there.p[at - 1] == '\r';
            *line = str_slice(there, 0, crlf ? at - 1 : at);
            if (bare_lf)
                *bare_lf = !crlf;
            /* Not stream_take: the slice stays where it is until the next call. */
            s->in_at += at + 1;
            return STREAM_OK;
        }
        if (there.n >= max)
            return STREAM_TOO_LONG;
        searched = there.n;
        if (there.n == 0)
            stream_take(s, 0); /* everything was taken: read to the front again */
        enum stream_result r = read_more(s, d);
        if (r != STREAM_OK)
            return r;
    }
}

enum stream_result stream_skip_line(struct stream *s, struct deadline d)
{
    for (;;) {
        size_t at = str_find_byte(stream_buffered(s), '\n');
        if (at != STR_NONE) {
            stream_take(s, at + 1);
            return STREAM_OK;
        }
        stream_take(s, SIZE_MAX);
        if (deadline_passed(d)) /* a peer that never stops sending is never waited for */
            return STREAM_TIMEOUT;
        enum stream_result r = read_more(s, d);
        if (r != STREAM_OK)
            return r;
    }
}

enum stream_result stream_peek(struct stream *s, struct deadline d, struct str *bytes)
{
    if (s->in_at == s->in.n) {
        stream_take(s, 0);
        enum stream_result r = read_more(s, d);
        if (r != STREAM_OK)
            return r;
    }
    *bytes = stream_buffered(s);
    return STREAM_OK;
}

/* Waits for the peer; one that stays quiet has its transport rest meanwhile. */
static enum stream_result await_peer(struct stream *s, short wants, int other_fd, struct deadline d)
{
    if (s->transport && s->transport->rest) {
        struct deadline quiet = deadline_sooner(d, deadline_in(STREAM_REST_MS));
        enum stream_result r = await(s, wants, other_fd, quiet);
        if (r != STREAM_TIMEOUT)
            return r;
        s->transport->rest(s->context);
    }
    return await(s, wants, other_fd, d);
}

static enum stream_result wait_for_more(struct stream *s, int other_fd, struct deadline d, bool may_read)
{
    enum stream_result r = stream_flush(s, d);
    if (r != STREAM_OK)
        return r;
    short wants = POLLIN;
    while (s->in_at == s->in.n) {
        if (s->transport) { /* see read_some */
            ssize_t n = read_some(s, MSG_DONTWAIT, &wants);
            if (n >= 0)
                return n > 0 ? STREAM_OK : STREAM_EOF;
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                return broke(s, errno);
        }
        r = may_read ? read_soon(s, d) : STREAM_TIMEOUT;
        if (r != STREAM_TIMEOUT)
            return r;
        give_back_buffers(s);
        r = await_peer(s, wants, other_fd, d);
        if (r != STREAM_OK)
            return r;
        s->may_have_more = true;
        if (!s->transport)
            return STREAM_OK;
    }
    return STREAM_OK;
}

enum stream_result stream_wait(struct stream *s, int other_fd, struct deadline d)
{
    return wait_for_more(s, other_fd, d, true);
}

enum stream_result stream_wait_for_both(struct stream *s, int other_fd, struct deadline d)
{
    return wait_for_more(s, other_fd, d, false);
}

/* --- the end --- */

/* Whether the peer has sent what nobody read. */
static bool has_unread(struct stream *s)
{
    short wants;
    return s->in_at < s->in.n || read_some(s, MSG_DONTWAIT, &wants) > 0;
}

void stream_hang_up(struct stream *s, struct deadline d)
{
    if (s->fd >= 0 && stream_flush(s, d) == STREAM_OK && has_unread(s) && shutdown(s->fd, SHUT_WR) == 0) {
        struct deadline end = deadline_sooner(d, deadline_in(STREAM_LINGER_MS));
        do
            stream_take(s, SIZE_MAX);
        while (!deadline_passed(end) && read_more(s, end) == STREAM_OK);
    }
    stream_close(s);
}
