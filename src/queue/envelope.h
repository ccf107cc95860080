/* What a sender asked for a message beyond its addresses, and what the server must remember of it on the way:
 * from smtp through the queue to relay, to the next server, and into reports. */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H
#include "base/arena.h"
#include "base/ipc.h"
#include "config/config.h"

enum envelope_body { /* the most that the message's bytes may need */
                     ENVELOPE_7BIT,
                     ENVELOPE_8BIT,   /* RFC 6152: bytes over 127, lines */
                     ENVELOPE_BINARY, /* RFC 3030: any bytes, no lines */
};
enum envelope_return { /* RET of RFC 3461 section 4.3 */
                       ENVELOPE_RETURN_UNSET,
                       ENVELOPE_RETURN_FULL,
                       ENVELOPE_RETURN_HEADERS,
};
enum envelope_by { /* what becomes of the message at deliver_by: RFC 2852 section 4 */
                   ENVELOPE_BY_NONE,
                   ENVELOPE_BY_RETURN, /* it is given up */
                   ENVELOPE_BY_NOTIFY, /* the sender is told, and it goes on */
};

#define ENVELOPE_ID_MAX       100 /* ENVID, decoded and as xtext: RFC 3461 section 4.4 */
#define ENVELOPE_ORIGINAL_MAX 500 /* ORCPT: RFC 3461 section 4.2 */
#define ENVELOPE_PRIORITY_MAX 9   /* and -9: RFC 6710 section 4.1 */

struct envelope {
    enum envelope_body body;
    enum envelope_return ret;
    enum envelope_by by;
    bool is_utf8;                  /* SMTPUTF8: RFC 6531 section 3.4 */
    bool requires_tls;             /* REQUIRETLS: RFC 8689 */
    bool by_trace;                 /* BY with T: RFC 2852 section 4 */
    int priority;                  /* MT-PRIORITY, 0 unless asked */
    int64_t deliver_by;            /* seconds since 1970; with `by` */
    int64_t hold_until;            /* seconds since 1970, 0 for at once: FUTURERELEASE, RFC 4865 */
    int64_t submitter;             /* the account that gave it to us; 0: another server, or ourselves */
    int64_t uid;                   /* of the user of this machine whose program gave it to us; -1: none */
    enum config_language language; /* that is set of the submitter: of reports to it */
    struct str id;                 /* ENVID, decoded; "" for none */
};

enum { /* NOTIFY of RFC 3461 section 4.1; 0: not said, which is FAILURE and perhaps DELAY */
       ENVELOPE_NOTIFY_NEVER = 1,
       ENVELOPE_NOTIFY_SUCCESS = 2,
       ENVELOPE_NOTIFY_FAILURE = 4,
       ENVELOPE_NOTIFY_DELAY = 8,
};
struct envelope_recipient {
    unsigned notify;     /* ENVELOPE_NOTIFY_ bits */
    struct str original; /* ORCPT, decoded but with its type: "rfc822;ana@example.org"; "" for none */
};

#define ENVELOPE_INIT                                                    \
    {                                                                    \
        .uid = -1, .language = CONFIG_LANGUAGE_UNSET, .id = STR_INIT("") \
    }
#define ENVELOPE_RECIPIENT_INIT  \
    {                            \
        .original = STR_INIT("") \
    }

/* As fields of a frame. What comes is checked: a value out of its bounds makes the reader bad. Strings are
 * slices of the frame. */
void envelope_put(struct ipc_frame *f, const struct envelope *e);
void envelope_get(struct ipc_reader *r, struct envelope *out);
void envelope_recipient_put(struct ipc_frame *f, const struct envelope_recipient *e);
void envelope_recipient_get(struct ipc_reader *r, struct envelope_recipient *out);

#endif
