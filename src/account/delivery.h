/* Handing a message to the account of its recipient: what smtp and queue call. The account process runs, or
 * is started by keeper; it commits before it answers. */
#ifndef ACCOUNT_DELIVERY_H
#define ACCOUNT_DELIVERY_H
#include "base/arena.h"
#include "base/ipc.h"
#include "trust/tls_summary.h"

struct role;
struct delivery_client;
struct delivery_client *delivery_client(struct role *r);

#define DELIVERY_ID_BYTES 16
#define DELIVERY_TIMEOUT_MS \
    (60 * 1000) /* under the 10 minutes that a sender waits after DATA (RFC 5321 4.5.3.2.6) */

/* A message of at most so many bytes may travel in the frame itself: making, sealing, passing and checking a
 * memfd takes ten system calls in two processes, which is more than copying a page. */
#define DELIVERY_INLINE_MAX ((size_t)32 * 1024)

struct delivery_message {
    int memfd; /* sealed; the message as it will be stored but for `prefix`; lent. -1: it is in `bytes` */
    struct str bytes; /* with memfd -1: the same, at most DELIVERY_INLINE_MAX */
    uint64_t size;
    unsigned char id[DELIVERY_ID_BYTES]; /* random, one a message: makes a repeated attempt harmless */
    struct str sender;                   /* reverse-path, "" for <>: becomes Return-Path */
    bool again; /* somebody tried before under this id and does not know for sure that it was not stored */
};

enum delivery_fate { DELIVERY_STORED, DELIVERY_TEMPORARY, DELIVERY_PERMANENT };

struct delivery_recipient {
    int64_t account;
    struct str address;  /* the account's canonical address */
    struct str original; /* as in RCPT; becomes Delivered-To */
    struct str detail;   /* of foo+tag@ */
    /* out */
    enum delivery_fate fate;
    char reply[256]; /* an SMTP reply without code: "4.3.1 Mailbox storage is full" ; enhanced status first */
    char where[256]; /* stored: the folder that has it, UTF-8, cut if it is longer; else "" */
};

/* All recipients at once, each account working beside the others; returns when each has its fate. */
void delivery_deliver(struct delivery_client *c, const struct delivery_message *m,
                      struct delivery_recipient *to, size_t n);

/* Whether an account that has a quota would take a message of `size` bytes (0: that is not known yet). False
 * with to->fate and to->reply: it is full. An account that does not answer in time has room: the message
 * itself will tell. */
#define DELIVERY_ROOM_MS (10 * 1000)
bool delivery_has_room(struct delivery_client *c, struct delivery_recipient *to, uint64_t size);

/* What a message that carries a report about TLS (RFC 8460) says. It is unpacked and parsed in the process of
 * `to->account`, which has the message and can reach nothing but that account. False: *e says what is wrong
 * with it, or that the account did not answer. Strings live in `a`. */
#define DELIVERY_REPORT_MS (20 * 1000)
bool delivery_read_report(struct delivery_client *c, const struct delivery_message *m,
                          const struct delivery_recipient *to, struct arena *a, struct tls_summary *out,
                          struct err *e);

/* Frames smtp/queue -> account, on a channel that keeper gave. */
enum delivery_frame {
    DELIVERY_FRAME_MESSAGE = 1, /* 16 bytes id (str), u8 again, str sender, str original, str detail, u64
                                   size, str bytes; or with "" for bytes: fd memfd */
    DELIVERY_FRAME_RESULT,      /* u8 fate, str reply, str where */
    DELIVERY_FRAME_ROOM,        /* str original, u64 size; the answer is a RESULT */
    DELIVERY_FRAME_REPORT,  /* u64 size, str bytes; or with "" for bytes: fd memfd. The answer is a SUMMARY */
    DELIVERY_FRAME_SUMMARY, /* u8 1 and a struct tls_summary; or u8 0, str why */
};

#endif
