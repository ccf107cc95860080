/* The trace line that we put on top of every message: RFC 5321 section 4.4. */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H
#include "base/buf.h"
#include "gate/connection.h"

struct received {
    const struct connection *connection;
    struct str helo; /* as the client said it: made harmless here */
    bool is_esmtp, is_authenticated;
    struct str hostname; /* ours */
    struct str id;       /* the delivery id in hex, as in the log */
    struct str for_path; /* the one recipient, without brackets; "" when there are several: one must not learn
                            of the others (RFC 5321 section 7.2) */
    int64_t at;
    int zone;
};

void received_add(struct buf *out, const struct received *r);

/* "ESMTPSA": RFC 3848. */
const char *received_protocol(bool is_esmtp, bool is_tls, bool is_authenticated);

#endif
