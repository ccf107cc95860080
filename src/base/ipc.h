/* Frames between processes, over SOCK_SEQPACKET socketpairs ("channels"): a type, a request id, a payload of
 * fields, and descriptors. Whoever receives checks everything: the peer may have been taken over.
 * Message bytes do not travel in frames: a sealed memfd does.
 *
 * Frame: u32 length of payload, u16 type, u16 zero, u32 id (little endian), payload. Fields of a payload
 * stand one after another without tags: u8, u32, u64 little endian; a string is u32 length and bytes. */
#ifndef BASE_IPC_H
#define BASE_IPC_H
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#define IPC_PAYLOAD_MAX ((size_t)128 * 1024) /* under the kernel's default socket buffer of 208 KiB */
#define IPC_FDS_MAX     16

struct ipc_frame {
    uint16_t type;
    uint32_t id; /* a reply carries its request's id */
    struct buf payload;
    int fds[IPC_FDS_MAX];
    size_t nfds;
    bool owns_fds; /* received: ipc_frame_free closes those not taken. Made here: they are only lent */
};

enum ipc_result {
    IPC_OK,
    IPC_EOF, /* the peer is gone */
    IPC_TIMEOUT,
    IPC_BAD,   /* not a frame: the channel must be closed */
    IPC_AGAIN, /* ipc_receive_now only: nothing there */
};

void ipc_frame_init(struct ipc_frame *f, uint16_t type);
/* Frees the payload, and closes received descriptors that nobody took. */
void ipc_frame_free(struct ipc_frame *f);
/* The same, but that the payload's memory, unless it is large, is kept for what the frame holds next. */
void ipc_frame_empty(struct ipc_frame *f);
#define CLEAN_FRAME __attribute__((cleanup(ipc_frame_free)))
/* Takes descriptor `i` out of a received frame; -1 when it has none. The caller closes it. */
int ipc_frame_take_fd(struct ipc_frame *f, size_t i);

/* --- fields --- */
void ipc_put_u8(struct ipc_frame *f, uint8_t v);
void ipc_put_u32(struct ipc_frame *f, uint32_t v);
void ipc_put_u64(struct ipc_frame *f, uint64_t v);
void ipc_put_str(struct ipc_frame *f, struct str v);
/* Lends the descriptor: it must stay open until the frame is sent, and its owner closes it afterwards. */
void ipc_put_fd(struct ipc_frame *f, int fd);

struct ipc_reader {
    struct str rest;
    bool bad; /* set by the first field that is not there; every later field is then 0 or empty */
};
struct ipc_reader ipc_read(const struct ipc_frame *f);
uint8_t ipc_get_u8(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
uint64_t ipc_get_u64(struct ipc_reader *r);
struct str ipc_get_str(struct ipc_reader *r); /* a slice of the frame */
bool ipc_done(const struct ipc_reader *r);    /* every field was there and nothing is left over */

/* Parses the bytes of one packet into `f`, without descriptors (pure; what ipc_receive uses and the fuzzer
 * drives). */
bool ipc_parse(struct str packet, struct ipc_frame *f);

/* --- channels --- */
/* Makes a channel; all others here want one that comes from it. Both ends are close-on-exec. False with
 * errno.
 */
bool ipc_pair(int ends[2]);
/* Sends whole or not at all. Safe from several threads on one channel (a packet is atomic). */
enum ipc_result ipc_send(int channel, const struct ipc_frame *f, struct deadline d);
/* `f` need not be initialised; on IPC_OK the caller frees it. Waits until the deadline. */
enum ipc_result ipc_receive(int channel, struct ipc_frame *f, struct deadline d);
enum ipc_result ipc_receive_now(int channel, struct ipc_frame *f);
/* The same into a frame that is empty or all zeros: its memory is used again. */
enum ipc_result ipc_receive_reusing(int channel, struct ipc_frame *f);
/* Sends a request under a new id and waits for the reply with that id; replies to older requests, given up
 * on, are dropped. One call at a time on a channel. */
enum ipc_result ipc_call(int channel, struct ipc_frame *request, struct ipc_frame *reply, struct deadline d);
/* The same with up to IPC_CALLS_MAX requests at once, whose replies come in any order; replies[i] is that to
 * requests[i]. All of them, or none. *sent says whether a request reached the peer, so that a caller knows
 * whether they may be repeated. */
#define IPC_CALLS_MAX 8
enum ipc_result ipc_call_all(int channel, struct ipc_frame *requests, struct ipc_frame *replies, size_t n,
                             struct deadline d, bool *sent);

/* --- pool: many threads of one process calling one service ---
 * Each call takes a free channel (or opens one through `connect`), so calls run side by side without anybody
 * sorting replies. At most `max` channels; a further caller waits for one, within its deadline. A channel
 * that broke or timed out is closed, and one whose peer was already gone is opened anew once before giving
 * up. */
struct ipc_pool;
typedef int ipc_connect_fn(void *context, struct deadline d); /* a channel, or -1 */
struct ipc_pool *ipc_pool_new(const char *service, unsigned max, ipc_connect_fn *connect, void *context);
void ipc_pool_free(struct ipc_pool *p); /* no call may be under way */
/* True with *reply filled (caller frees), or false with ERR_TEMPORARY: "<service> does not answer". */
bool ipc_pool_call(struct ipc_pool *p, struct ipc_frame *request, struct ipc_frame *reply, struct deadline d,
                   struct err *e);
/* Several at once, over one channel: ipc_call_all. */
bool ipc_pool_call_all(struct ipc_pool *p, struct ipc_frame *requests, struct ipc_frame *replies, size_t n,
                       struct deadline d, struct err *e);

#endif
