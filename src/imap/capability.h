/* What the server says that it can do (RFC 3501 section 7.2.1): one table for before and after login. */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H
#include "base/buf.h"
#include "base/channel_binding.h"

struct imap_offer {
    bool starttls; /* TLS is not on and may be had */
    bool login;    /* a password may be sent now; else LOGINDISABLED, RFC 3501 section 6.2.3 */
    const struct channel_bindings *bindings; /* of the TLS connection; NULL: none */
};

/* "IMAP4rev1 SASL-IR ..." for the greeting, CAPABILITY and after STARTTLS. */
void imap_add_capability_before_login(struct buf *out, const struct imap_offer *offer);

/* The same once somebody is logged in, with the limits that the config sets: APPENDLIMIT (RFC 7889) and
 * MESSAGELIMIT (RFC 9738). */
struct config;
void imap_add_capability_after_login(struct buf *out, const struct config *config);

#endif
