/* Delivery status notifications: the report that a sender gets about a message that could not be delivered,
 * or not yet. multipart/report (RFC 3462) of a text for people, a message/delivery-status (RFC 3464) for
 * programs and the header of the message. Pure. */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H
#include "base/buf.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED };

struct dsn_recipient {
    struct str address;
    struct str original; /* as the sender gave it; "" when the same or not known */
    struct str host;     /* who said `reply`; "" when we did */
    struct str reply;    /* "550 5.1.1 No such user" of a host, "4.4.1 Cannot connect" of ours */
    bool expired;        /* failed because its time was over: `reply` is a temporary one */
};

struct dsn {
    enum dsn_action action;
    struct str hostname; /* of this server */
    struct str to;       /* the sender of the message */
    struct str unique;   /* hexadecimal, random: Message-ID and boundary */
    int64_t queue_id;
    int64_t now, arrived, until; /* until: when we give up */
    int zone;                    /* minutes east of UTC */
    struct str header;           /* of the message, as far as it is at hand */
    const struct dsn_recipient *recipients;
    size_t count;
};

#define DSN_HEADER_MAX ((size_t)32 * 1024) /* of the message's header; the rest is left out */

/* *is_8bit: the report holds bytes over 127 (they come from the header). Lines end in CRLF. */
void dsn_build(const struct dsn *d, struct buf *out, bool *is_8bit);

/* The status code for a recipient (RFC 3463): the one that its reply holds if it fits the action, else one
 * that says as much as the action does. */
#define DSN_STATUS_MAX 12
void dsn_status(const struct dsn_recipient *r, enum dsn_action action, char status[DSN_STATUS_MAX]);

#endif
