/* The trace line that we put on top of every message: RFC 5321 section 4.4. */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H
#include "base/buf.h"
#include "gate/connection.h"

/* What the name of the protocol tells. */
struct received_with {
    bool is_lmtp, is_esmtp, is_utf8, is_authenticated;
};

struct received {
    const struct connection *connection;
    struct received_with with;
    struct str helo;     /* as the client said it: made harmless here */
    struct str hostname; /* ours */
    struct str id;       /* the delivery id in hex, as in the log */
    struct str for_path; /* the one recipient, without brackets; "" when there are several: one must not learn
                            of the others (RFC 5321 section 7.2) */
    int priority;        /* MT-PRIORITY, 0: nothing to tell */
    struct str solicit;  /* SOLICIT, "" for none */
    int64_t at;
    int zone;
};

void received_add(struct buf *out, const struct received *r);

/* "UTF8SMTPSA": a name of IANA's registry "Mail Transmission Types" (RFC 3848, RFC 6531 section 4.3). */
#define RECEIVED_PROTOCOL_MAX 12
void received_protocol(const struct received_with *w, bool is_tls, char name[RECEIVED_PROTOCOL_MAX]);

#endif
