#include "base/ipc.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HEADER_BYTES ((size_t)12)
#define PACKET_MAX   (HEADER_BYTES + IPC_PAYLOAD_MAX)

/* One whole frame and a few small ones in each direction; the kernel doubles it for its own bookkeeping. */
#define SOCKET_BUFFER (2 * (int)PACKET_MAX)

/* Memory that a frame keeps for the next one: of most requests, and of most messages that travel in one. */
#define KEPT_MAX ((size_t)16 * 1024)

/* What is not there yet is waited for within recvmsg(2), which costs one system call less than poll(2) before
 * it, for so long at a time: the rest of a deadline that is nearer is polled for. */
#define RECEIVE_WAIT_MS 200

/* The kernel is out of buffers or holds too many descriptors in flight: nothing to poll for, so try again
 * after this. */
#define SEND_PAUSE_NS (1000 * 1000)

/* --- little endian --- */

static void store(unsigned char *to, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t load(const char *from, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)from[i] << (8 * i);
    return v;
}

/* --- frames --- */

void ipc_frame_init(struct ipc_frame *f, uint16_t type)
{
    f->type = type;
    f->id = 0;
    f->nfds = 0;
    f->owns_fds = false;
    buf_init(&f->payload, IPC_PAYLOAD_MAX);
}

static void close_fds(struct ipc_frame *f)
{
    for (size_t i = 0; i < f->nfds; i++)
        if (f->fds[i] >= 0)
            close(f->fds[i]);
    f->nfds = 0;
}

void ipc_frame_empty(struct ipc_frame *f)
{
    if (f->owns_fds)
        close_fds(f);
    f->nfds = 0;
    f->owns_fds = false;
    if (f->payload.n > 0)
        mem_wipe(f->payload.p, f->payload.n); /* passwords travel in frames */
    buf_reset(&f->payload);
    if (f->payload.cap > KEPT_MAX)
        buf_free(&f->payload);
}

void ipc_frame_free(struct ipc_frame *f)
{
    ipc_frame_empty(f);
    buf_free(&f->payload);
}

int ipc_frame_take_fd(struct ipc_frame *f, size_t i)
{
    if (i >= f->nfds)
        return -1;
    int fd = f->fds[i];
    f->fds[i] = -1;
    return fd;
}

/* --- fields --- */

static void put_number(struct ipc_frame *f, uint64_t v, size_t bytes)
{
    unsigned char wire[8];
    store(wire, v, bytes);
    buf_add(&f->payload, str_from(wire, bytes));
}

void ipc_put_u8(struct ipc_frame *f, uint8_t v)
{
    put_number(f, v, 1);
}

void ipc_put_u32(struct ipc_frame *f, uint32_t v)
{
    put_number(f, v, 4);
}

void ipc_put_u64(struct ipc_frame *f, uint64_t v)
{
    put_number(f, v, 8);
}

void ipc_put_str(struct ipc_frame *f, struct str v)
{
    if (v.n > IPC_PAYLOAD_MAX) {
        f->payload.overflow = true; /* ipc_send refuses the frame */
        return;
    }
    put_number(f, v.n, 4);
    buf_add(&f->payload, v);
}

void ipc_put_fd(struct ipc_frame *f, int fd)
{
    if (f->nfds == IPC_FDS_MAX) {
        f->payload.overflow = true;
        return;
    }
    f->fds[f->nfds++] = fd;
}

struct ipc_reader ipc_read(const struct ipc_frame *f)
{
    return (struct ipc_reader){.rest = buf_str(&f->payload)};
}

static struct str take_bytes(struct ipc_reader *r, size_t n)
{
    if (r->bad || r->rest.n < n) {
        r->bad = true;
        return STR("");
    }
    struct str taken = str_slice(r->rest, 0, n);
    r->rest = str_from_offset(r->rest, n);
    return taken;
}

static uint64_t get_number(struct ipc_reader *r, size_t bytes)
{
    struct str s = take_bytes(r, bytes);
    return s.n == bytes ? load(s.p, bytes) : 0;
}

uint8_t ipc_get_u8(struct ipc_reader *r)
{
    return (uint8_t)get_number(r, 1);
}

uint32_t ipc_get_u32(struct ipc_reader *r)
{
    return (uint32_t)get_number(r, 4);
}

uint64_t ipc_get_u64(struct ipc_reader *r)
{
    return get_number(r, 8);
}

struct str ipc_get_str(struct ipc_reader *r)
{
    return take_bytes(r, ipc_get_u32(r));
}

bool ipc_done(const struct ipc_reader *r)
{
    return !r->bad && r->rest.n == 0;
}

/* --- packets --- */

/* Into a frame that is initialised and empty. */
static bool parse(struct str packet, struct ipc_frame *f)
{
    if (packet.n < HEADER_BYTES || packet.n > PACKET_MAX)
        return false;
    if (load(packet.p, 4) != packet.n - HEADER_BYTES || load(packet.p + 6, 2) != 0)
        return false;
    f->type = (uint16_t)load(packet.p + 4, 2);
    f->id = (uint32_t)load(packet.p + 8, 4);
    buf_add(&f->payload, str_from_offset(packet, HEADER_BYTES));
    return true;
}

bool ipc_parse(struct str packet, struct ipc_frame *f)
{
    ipc_frame_init(f, 0);
    return parse(packet, f);
}

bool ipc_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    /* Either fails only for what is no socket; the kernel cuts a size to its own maximum. */
    const struct timeval moment = {.tv_usec = RECEIVE_WAIT_MS * 1000};
    for (int i = 0; i < 2; i++) {
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &(int){SOCKET_BUFFER}, sizeof(int));
        setsockopt(ends[i], SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    }
    return true;
}

static enum ipc_result await(int channel, short wants, struct deadline d)
{
    struct pollfd p = {.fd = channel, .events = wants};
    for (;;) {
        int n = poll(&p, 1, deadline_left_ms(d));
        if (n > 0)
            return p.revents & POLLNVAL ? IPC_BAD : IPC_OK;
        if (n == 0 && deadline_passed(d))
            return IPC_TIMEOUT;
        if (n < 0 && errno != EINTR)
            return IPC_BAD;
    }
}

/* Room for the descriptors of one frame, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    struct cmsghdr align;
};

enum ipc_result ipc_send(int channel, const struct ipc_frame *f, struct deadline d)
{
    if (f->payload.overflow || f->nfds > IPC_FDS_MAX)
        return IPC_BAD;
    unsigned char header[HEADER_BYTES];
    store(header, f->payload.n, 4);
    store(header + 4, f->type, 4); /* and the zero */
    store(header + 8, f->id, 4);
    struct iovec parts[2] = {{header, sizeof header}, {f->payload.p, f->payload.n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = f->payload.n ? 2 : 1};
    union control control = {.bytes = {0}};
    if (f->nfds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * f->nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * f->nfds);
        memcpy(CMSG_DATA(c), f->fds, sizeof(int) * f->nfds);
    }
    while (sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        enum ipc_result waited = IPC_OK;
        switch (errno) {
        case EINTR: break;
        case EAGAIN: waited = await(channel, POLLOUT, d); break;
        case ENOBUFS:
        case ETOOMANYREFS:
            nanosleep(&(struct timespec){.tv_nsec = SEND_PAUSE_NS}, NULL);
            waited = deadline_passed(d) ? IPC_TIMEOUT : IPC_OK;
            break;
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN: return IPC_EOF;
        default: return IPC_BAD;
        }
        if (waited != IPC_OK)
            return waited;
    }
    return IPC_OK;
}

/* Where a thread receives packets before they are copied into a frame of their size: one system call a
 * packet, and no 128 KiB taken and given back for each. Of the area only what packets fill takes memory. */
static pthread_key_t area_key;
static pthread_once_t area_once = PTHREAD_ONCE_INIT;

static void make_area_key(void)
{
    if (pthread_key_create(&area_key, free) != 0)
        log_die("ipc.start", "no room for a thread's area");
}

static char *own_area(void)
{
    pthread_once(&area_once, make_area_key);
    char *area = pthread_getspecific(area_key);
    if (!area) {
        area = mem_resize(NULL, PACKET_MAX, 1);
        pthread_setspecific(area_key, area);
    }
    return area;
}

static void collect_fds(struct msghdr *m, struct ipc_frame *f)
{
    f->nfds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && f->nfds < IPC_FDS_MAX; i++) /* the control buffer holds no more */
            memcpy(&f->fds[f->nfds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* With MSG_DONTWAIT in `flags` without waiting; else IPC_AGAIN comes after RECEIVE_WAIT_MS. */
static enum ipc_result receive(int channel, int flags, struct ipc_frame *f)
{
    char *area = own_area();
    struct iovec part = {area, PACKET_MAX};
    union control control;
    struct msghdr m;
    ssize_t n;
    do {
        m = (struct msghdr){.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
        n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC | flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? IPC_AGAIN : errno == ECONNRESET || errno == ENOTCONN ? IPC_EOF : IPC_BAD;
    struct ipc_frame received;
    collect_fds(&m, &received);
    bool good = n > 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && parse(str_from(area, (size_t)n), f);
    mem_wipe(area, (size_t)n);
    if (!good) {
        close_fds(&received);
        return n == 0 ? IPC_EOF : IPC_BAD;
    }
    f->owns_fds = true;
    f->nfds = received.nfds;
    memcpy(f->fds, received.fds, sizeof(int) * received.nfds);
    return IPC_OK;
}

enum ipc_result ipc_receive_reusing(int channel, struct ipc_frame *f)
{
    f->payload.max = IPC_PAYLOAD_MAX;
    return receive(channel, MSG_DONTWAIT, f);
}

enum ipc_result ipc_receive_now(int channel, struct ipc_frame *f)
{
    ipc_frame_init(f, 0);
    return receive(channel, MSG_DONTWAIT, f);
}

enum ipc_result ipc_receive(int channel, struct ipc_frame *f, struct deadline d)
{
    ipc_frame_init(f, 0);
    for (;;) {
        bool is_near = deadline_left_ms(d) < RECEIVE_WAIT_MS;
        enum ipc_result r = is_near ? await(channel, POLLIN, d) : IPC_OK;
        if (r == IPC_OK)
            r = receive(channel, is_near ? MSG_DONTWAIT : 0, f);
        if (r != IPC_AGAIN)
            return r;
    }
}

/* --- calls --- */

/* Those to the ids from `first` on. What else comes is an answer to a request that was given up on. */
static enum ipc_result receive_replies(int channel, uint32_t first, struct ipc_frame *replies, size_t n,
                                       struct deadline d)
{
    bool is_there[IPC_CALLS_MAX] = {false};
    enum ipc_result r = IPC_OK;
    for (size_t left = n; left > 0 && r == IPC_OK;) {
        struct ipc_frame f;
        r = ipc_receive(channel, &f, d);
        uint32_t at = r == IPC_OK ? f.id - first : 0;
        if (r == IPC_OK && at < n && !is_there[at]) {
            replies[at] = f;
            is_there[at] = true;
            left--;
        } else if (r == IPC_OK) {
            ipc_frame_free(&f);
            r = deadline_passed(d) ? IPC_TIMEOUT : IPC_OK;
        }
    }
    for (size_t i = 0; i < n && r != IPC_OK; i++)
        if (is_there[i]) {
            ipc_frame_free(&replies[i]);
            replies[i] = (struct ipc_frame){0};
        }
    return r;
}

enum ipc_result ipc_call_all(int channel, struct ipc_frame *requests, struct ipc_frame *replies, size_t n,
                             struct deadline d, bool *sent)
{
    static atomic_uint last_id;
    uint32_t first = atomic_fetch_add_explicit(&last_id, (unsigned)n, memory_order_relaxed) + 1;
    *sent = false;
    if (n > IPC_CALLS_MAX)
        return IPC_BAD;
    for (size_t i = 0; i < n; i++) {
        requests[i].id = first + (uint32_t)i;
        enum ipc_result r = ipc_send(channel, &requests[i], d);
        if (r != IPC_OK)
            return r;
        *sent = true;
    }
    return receive_replies(channel, first, replies, n, d);
}

enum ipc_result ipc_call(int channel, struct ipc_frame *request, struct ipc_frame *reply, struct deadline d)
{
    bool sent;
    return ipc_call_all(channel, request, reply, 1, d, &sent);
}
