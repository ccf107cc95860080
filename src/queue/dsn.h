/* Delivery status notifications: what a sender is told of a message that could not be delivered, is late, or
 * that arrived when they asked to be told. multipart/report (RFC 6522) of a text for people, a
 * message/delivery-status (RFC 3464; global-delivery-status of RFC 6533 if addresses are not ASCII) for
 * programs, and the message or its header. Pure. */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H
#include "base/buf.h"
#include "config/config.h"

enum dsn_action { /* RFC 3464 section 2.3.3 */
                  DSN_FAILED,
                  DSN_DELAYED,
                  DSN_RELAYED,
                  DSN_DELIVERED,
                  DSN_EXPANDED,
                  DSN_ACTIONS,
};

struct dsn_recipient {
    struct str address;
    struct str original; /* ORCPT as it was given, with its type: "rfc822;ana@example.org"; "" for none */
    struct str host;     /* who said `reply`; "" when we did */
    struct str reply;    /* "550 5.1.1 No such user" of a host, "4.4.1 Cannot connect" of ours; or "" */
    bool expired;        /* failed because its time was over: `reply` is a temporary one */
};

struct dsn {
    enum dsn_action action;
    enum config_language language;
    struct str hostname;    /* of this server */
    struct str to;          /* the sender of the message */
    struct str unique;      /* hexadecimal, random: Message-ID and boundary */
    struct str envelope_id; /* ENVID; "" for none */
    int64_t queue_id;
    int64_t now, arrived, until; /* until: when we give up */
    int zone;                    /* minutes east of UTC */
    bool is_deadline;            /* it is told because the deadline of RFC 2852 has passed */
    bool is_utf8;                /* the message came with SMTPUTF8, so the report may go with it */
    struct str message;          /* as far as it is at hand, the header at least */
    bool is_whole;               /* all of it is, and it is to go back */
    bool is_cut;                 /* it was to go back, but is too large */
    const struct dsn_recipient *recipients;
    size_t count;
};

#define DSN_HEADER_MAX  ((size_t)32 * 1024)  /* of the message's header; the rest is left out */
#define DSN_MESSAGE_MAX ((size_t)100 * 1024) /* a larger one does not go back, but its header does */

/* *is_8bit: the report holds bytes over 127; *needs_utf8: some are in its header fields or addresses (RFC
 * 6533). Lines end in CRLF. */
void dsn_build(const struct dsn *d, struct buf *out, bool *is_8bit, bool *needs_utf8);

/* The status code for a recipient (RFC 3463): the one that its reply holds if it fits the action, else one
 * that says as much as the action does. */
#define DSN_STATUS_MAX 12
void dsn_status(const struct dsn_recipient *r, enum dsn_action action, char status[DSN_STATUS_MAX]);

#endif
