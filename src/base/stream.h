/* A connection as protocol code sees it: blocking, buffered, every wait with a deadline. A stream belongs to
 * one thread. Plain sockets and socketpairs are served by read(2) and write(2); a role that speaks TLS itself
 * (relay) puts a transport under it.
 *
 * Buffers are taken when needed and given back while the peer is quiet, so that thousands of idle sessions
 * cost little. */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H
#include "base/buf.h"
#include "base/clock.h"

#include <sys/types.h>

enum stream_result {
    STREAM_OK,
    STREAM_EOF,      /* the peer closed; what came before it was delivered first */
    STREAM_TIMEOUT,  /* the deadline passed: an ordinary result */
    STREAM_ERROR,    /* the connection broke; errno is kept in stream.error */
    STREAM_TOO_LONG, /* a line passed its bound; the stream stands where it stood: see stream_skip_line */
    STREAM_WOKEN,    /* stream_wait only: the other descriptor became readable */
};

/* What lies under a stream that is not a bare descriptor. Both return bytes moved, 0 at the end (read), or -1
 * with errno; EAGAIN means: poll `fd` for *wants (POLLIN or POLLOUT) and call again. */
struct stream_transport {
    ssize_t (*read)(void *context, void *to, size_t n, short *wants);
    ssize_t (*write)(void *context, const void *from, size_t n, short *wants);
    /* NULL where there is nothing to do. flush: what was written goes out to the peer; 0, or -1 as above.
     * rest: the peer is quiet; memory that is not needed may be given back. close: frees the context. */
    int (*flush)(void *context, short *wants);
    void (*rest)(void *context);
    void (*close)(void *context);
};

struct stream {
    int fd;                                   /* closed by stream_close */
    const struct stream_transport *transport; /* NULL: the descriptor itself */
    void *context;
    struct buf in, out;
    size_t in_at; /* bytes of `in` already taken */
    int error;
    enum stream_result write_failed; /* of a write; told by every flush from then on */
    bool may_have_more;              /* a read is worth trying before a wait */
    bool waits_in_read;              /* stream_wait_in_reads */
    bool is_unanswered;              /* something was read since something was sent: see acknowledge() */
    uint64_t received, sent;         /* bytes, for logs and limits */
};

#define STREAM_READ_CHUNK ((size_t)16384) /* asked of the kernel at a time */
#define STREAM_OUT_FLUSH  ((size_t)65536) /* more than this waiting is sent without being asked to */
#define STREAM_WRITE_MS   (5 * 60 * 1000) /* such sending waits so long for a peer that does not read */
#define STREAM_REST_MS    5000 /* a peer that stream_wait has not heard from for so long is quiet */

/* Takes over `fd` (made nonblocking). `already` are bytes that were read from it before (copied). */
void stream_open(struct stream *s, int fd, struct str already);
void stream_close(struct stream *s); /* frees, closes; does not flush */

/* For a peer that answers at once, as clients do that send commands: what is not there yet is waited for in
 * read(2) itself, for a moment, before buffers are given back and the stream is polled: one system call
 * instead of two, and no buffer taken anew. The descriptor must be a plain socket that nobody else reads; it
 * becomes blocking, and whoever gets it after this stream must see to that. stream_wait hears of its other
 * descriptor so much later. */
void stream_wait_in_reads(struct stream *s);
#define STREAM_READ_WAIT_MS 200 /* most round trips */
/* No longer: the descriptor is nonblocking again, for whoever gets it next. */
void stream_wait_in_polls(struct stream *s);

/* The end of a conversation: flushes, and closes so that the peer can read what was sent last. TCP resets a
 * connection that is closed with unread bytes in it, and the reset overtakes those words; so what the peer
 * still sends is dropped until it closes too, for a moment (STREAM_LINGER_MS), and only if it sends. */
void stream_hang_up(struct stream *s, struct deadline d);
#define STREAM_LINGER_MS 2000 /* a round trip or two; who goes on sending for longer does not listen */

/* One line up to and with LF, at most `max` bytes with its line end. *line is without the line end and valid
 * until the next call on this stream. *bare_lf says that it ended in LF without CR (NULL: do not care). A CR
 * elsewhere is a byte like another; the protocol decides. At EOF an unfinished line is dropped. */
enum stream_result stream_read_line(struct stream *s, size_t max, struct deadline d, struct str *line,
                                    bool *bare_lf);

/* After STREAM_TOO_LONG: drops bytes up to and with the next LF. */
enum stream_result stream_skip_line(struct stream *s, struct deadline d);

/* The bytes that have been read and not taken, without taking them; reads, and waits for at least one, only
 * if there are none. Then stream_take says how many were used: peeking again without taking gives the same
 * bytes. *bytes is valid until the next call. */
enum stream_result stream_peek(struct stream *s, struct deadline d, struct str *bytes);
void stream_take(struct stream *s, size_t n);
struct str stream_buffered(const struct stream *s); /* what has been read and not taken; never waits */

/* Overwrites what was read and handed out: it was, or may have been, a password. */
void stream_wipe_taken(struct stream *s);

/* Queues output; sends it when much has gathered, at stream_flush, and when a read has to wait (so answers to
 * pipelined commands leave together). A write that fails is reported by the next flush, and by every later
 * one, so protocol code may write several pieces and check once. Sending within stream_write waits at most
 * STREAM_WRITE_MS. */
void stream_write(struct stream *s, struct str bytes);
void stream_writef(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum stream_result stream_flush(struct stream *s, struct deadline d);

/* Flushes, then waits until the peer sends something or closes (STREAM_OK, STREAM_EOF), `other_fd` (-1: none)
 * is readable (STREAM_WOKEN), or the deadline passes. Gives its buffers back while it waits. */
enum stream_result stream_wait(struct stream *s, int other_fd, struct deadline d);
/* The same for who wants to hear of `other_fd` at once, whatever stream_wait_in_reads says. */
enum stream_result stream_wait_for_both(struct stream *s, int other_fd, struct deadline d);

#endif
