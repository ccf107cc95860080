/* The queue as smtp sees it, and the frames between queue and relay. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
#include "base/arena.h"
#include "base/ipc.h"

struct role;
struct queue_client;
struct queue_client *queue_client(struct role *r);

struct queue_recipient {
    struct str address;
    int64_t account; /* 0: elsewhere, by relay; else a local account to be tried again (address is its own) */
    struct str original; /* as the client gave it, for reports and Delivered-To */
    struct str detail;
};

struct queue_message {
    int memfd; /* sealed, lent; with its Received line */
    uint64_t size;
    unsigned char id[16]; /* the delivery id, kept through every attempt */
    struct str sender;    /* "" for <> */
    bool is_8bit;         /* has bytes over 127 */
    struct queue_recipient *recipients;
    size_t count;
};

#define QUEUE_TIMEOUT_MS (60 * 1000)

/* Durable when it returns true; *queue_id names it in the log, in reports and in `golub queue`. */
bool queue_enqueue(struct queue_client *q, const struct queue_message *m, int64_t *queue_id, struct err *e);

/* A non-delivery report that smtp itself owes (see DESIGN: several recipients, different fates) is asked for
 * by enqueueing with recipients whose `account` is QUEUE_REFUSED and whose `detail` is the reply. */
#define QUEUE_REFUSED (-1)

enum queue_frame {
    QUEUE_FRAME_ENQUEUE =
        1, /* smtp: 16 bytes id (str), str sender, u8 is_8bit, u64 size, u32 n, n x (str address,
              u64 account, str original, str detail); fd memfd. More recipients than fit a frame:
              `more` u8 at the end is 1 and further frames QUEUE_FRAME_RECIPIENTS follow */
    QUEUE_FRAME_RECIPIENTS, /* u32 n, n x as above, u8 more */
    QUEUE_FRAME_ENQUEUED,   /* u64 queue id, or with u64 0: str why */
    QUEUE_FRAME_READY,      /* relay: u32 how many jobs it takes at once */
    QUEUE_FRAME_JOB, /* queue: u64 job, u64 message, str destination domain, str sender, u8 is_8bit, u64 size,
                        u32 n, n x (u64 recipient row, str address); fd memfd */
    QUEUE_FRAME_RESULT,   /* relay: u64 job, u32 n, n x (u64 recipient row, u8 fate, str host, str reply) */
    QUEUE_FRAME_RECORDED, /* queue: u64 job: the result is on disk; only then does relay take the next message
                             of that connection, so that a crash can repeat at most the one in flight */
};
enum queue_fate { QUEUE_SENT, QUEUE_DEFERRED, QUEUE_FAILED };

#endif
