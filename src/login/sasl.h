/* The SASL mechanisms that carry a password (RFC 4422): PLAIN (RFC 4616), and LOGIN, which was never more
 * than a draft but is all that old Outlooks know. IMAP (RFC 3501 section 6.2.2, RFC 4959) and POP3 (RFC 5034)
 * frame them alike: "+ " and a challenge in base64, and the client's response on a line. */
#ifndef LOGIN_SASL_H
#define LOGIN_SASL_H
#include "base/stream.h"

/* A response is base64 of two identities and a password; RFC 4616 gives no bound. */
#define SASL_LINE_MAX ((size_t)8192)

enum sasl_result {
    SASL_DONE,
    SASL_CANCELLED, /* the client sent "*" */
    SASL_MALFORMED, /* not base64, or not what the mechanism says */
    SASL_LOST,      /* the client is gone, or too slow */
};

/* What an exchange yields; wiped by sasl_free. */
struct sasl {
    struct buf secret; /* holds both */
    struct str user, password;
};

typedef enum sasl_result sasl_mechanism(struct sasl *x, struct stream *s, const struct str *initial,
                                        struct deadline d);
/* NULL: not one that is offered. */
sasl_mechanism *sasl_find(struct str name);

void sasl_init(struct sasl *x);
void sasl_free(struct sasl *x);
#define CLEAN_SASL __attribute__((cleanup(sasl_free)))

/* The message of PLAIN: [authzid] NUL authcid NUL passwd. Somebody else's identity (authzid) is refused. */
bool sasl_parse_plain(struct str message, struct str *user, struct str *password);

/* Overwrites what the stream has read and handed out, which was a password. */
void sasl_wipe_read(struct stream *s);

#endif
