/* The queue as smtp sees it, and the frames between queue and relay. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
#include "base/parcel.h"
#include "queue/envelope.h"

struct role;
struct queue_client;
struct queue_client *queue_client(struct role *r);

struct queue_recipient {
    struct str address;
    int64_t account; /* 0: elsewhere, by relay; else a local account to be tried again (address is its own) */
    struct str original; /* as the client gave it, for reports and Delivered-To */
    struct str detail;
    struct envelope_recipient asked;
    struct str sender; /* elsewhere, and a forward: the sender that it must have (directory/srs.h); "": the
                          message's */
};

struct queue_message {
    struct parcel body;   /* lent; header and all, with its Received line. Its bytes may be of any length */
    unsigned char id[16]; /* the delivery id, kept through every attempt */
    struct str sender;    /* "" for <> */
    bool is_8bit;         /* has bytes over 127 */
    struct envelope asked;
    struct queue_recipient *recipients;
    size_t count;
};

#define QUEUE_TIMEOUT_MS (60 * 1000)

/* Recipients with a sender of their own become messages of their own in the queue. Durable when it returns
 * true; *queue_id names it in the log, in reports and in `golub queue`. */
bool queue_enqueue(struct queue_client *q, const struct queue_message *m, int64_t *queue_id, struct err *e);

/* A non-delivery report that smtp itself owes (see DESIGN: several recipients, different fates) is asked for
 * by enqueueing with recipients whose `account` is QUEUE_REFUSED and whose `detail` is the reply. */
#define QUEUE_REFUSED (-1)
/* In the same way the reports of success (RFC 3461 section 5.2) that smtp owes a sender who asked for them,
 * and to whom reports may go: */

/* In a mailbox here: "delivered". */
#define QUEUE_STORED (-3)

/* The address led to several, who were not asked to report (5.2.7): "expanded". */
#define QUEUE_EXPANDED (-4)

/* The role: what waits to leave, in DATA/queue/queue.db. */
int queue_main(struct role *r);

/* Bounds of what an enqueue may hold; beyond is ERR_PERMANENT. */
#define QUEUE_RECIPIENTS_MAX 100000 /* far over any config: an alias may lead to many */
#define QUEUE_REPLY_MAX      500    /* bytes of a host's reply that are kept, its lines joined by spaces */
#define QUEUE_JOB_RECIPIENTS 100    /* RFC 5321 section 4.5.3.1.8: what every server must take at once */
#define QUEUE_TRANSCRIPT_MAX ((size_t)16 * 1024) /* of an attempt: 100 RCPTs and their answers */

enum queue_frame {
    QUEUE_FRAME_ENQUEUE = 1, /* smtp: 16 bytes id (str), str sender, u8 is_8bit, parcel, envelope, u32 n, str
                                list: n x (str address, u64 account, str original, str detail, envelope of the
                                recipient). A list that does not fit is "" and stands in a sealed memfd
                                instead, the frame's last */
    QUEUE_FRAME_ENQUEUED,    /* u64 queue id, or with u64 0: str why */
    QUEUE_FRAME_READY,       /* relay: u32 how many jobs it takes at once, u32 how many of them of one flow */
    QUEUE_FRAME_JOB, /* queue: u64 job, u64 message, 16 bytes delivery id (str), str destination domain, str
                        sender, u8 is_8bit, parcel, envelope, u32 n, n x (u64 recipient row, str address,
                        envelope of the recipient) */
    QUEUE_FRAME_RESULT, /* relay: u64 job, u8 contact, str transcript, u32 n, n x (u64 recipient row, u8 fate,
                           u8 passing, str host, str reply). A recipient that is missing was not tried and is
                           due again at once. `reply` is the host's own ("550 5.1.1 No such user") or relay's,
                           without code ("4.4.1 ...") */
    QUEUE_FRAME_RECORDED, /* queue: u64 job, one or several: the results are on disk; only then does relay
                             take the next message of those connections, so that a crash can repeat at most
                             the one in flight */
    QUEUE_FRAME_WAKE,     /* queue: an administrator asked for reports about TLS */
    QUEUE_FRAME_TLS_ANSWER = 32, /* queue: to each of those of queue/tls_memory.h */
};
enum queue_fate { QUEUE_SENT, QUEUE_DEFERRED, QUEUE_FAILED };

/* How the destination bore a job, whatever it said about its recipients: by this queue decides how many jobs
 * it gives out for it at once, and whether it waits for it to come back. */
enum queue_contact {
    QUEUE_CONTACT_NONE,        /* nobody knows: it was not tried, or broke off for reasons of ours */
    QUEUE_CONTACT_GOOD,        /* a server took the connection and the message's turn came */
    QUEUE_CONTACT_BUSY,        /* 421, refused for too many connections, or lost on the way */
    QUEUE_CONTACT_UNREACHABLE, /* no server of the destination could be reached */
};

/* What became of a sender's wish for reports (RFC 3461 section 5.2) with a recipient that was sent. */
enum queue_passing {
    QUEUE_PASSED_PLAIN, /* to a server without DSN: a report of success is ours, "relayed" (5.2.2) */
    QUEUE_PASSED_DSN,   /* with NOTIFY: every further report is the other server's (5.2.1) */
    QUEUE_PASSED_FINAL, /* to a mailbox, by LMTP: "delivered" (5.2.4) */
};

/* The transcript of an attempt (RESULT): lines that end in LF, in UTF-8, the oldest first. Each is the
 * moment, in milliseconds since 1970, a space, a sign and the words: "*" what happened ("connected to
 * mx.example.net [192.0.2.1]:25", "TLSv1.3 ..."), ">" what was sent, "<" an answer's line. No password and no
 * message text.
 *
 *   1795518000123 * connecting to mx.example.net [192.0.2.1]:25
 *   1795518000151 < 220 mx.example.net ESMTP
 *   1795518000151 > EHLO mail.example.org
 */

#endif
