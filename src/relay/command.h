/* What a message needs of the server that takes it, and how MAIL and RCPT are written for that server: the
 * parameters of RFC 1870, 2852, 3030, 3461, 4954, 6152, 6531, 6710 and 8689. Pure. */
#ifndef RELAY_COMMAND_H
#define RELAY_COMMAND_H
#include "base/arena.h"
#include "base/buf.h"
#include "queue/envelope.h"
#include "relay/ehlo.h"

struct command_message {
    struct str sender; /* as it stands between < and >; "" for <> */
    const struct envelope *asked;
    size_t size;
    enum envelope_body body; /* what the bytes are */
    bool has_utf8_header;    /* the sender said SMTPUTF8, and there are bytes over 127 in a header */
    int64_t now;             /* seconds since 1970 */
};

/* Whether the server can take the message as it is. */
enum command_fit {
    COMMAND_FITS,
    COMMAND_NEEDS_7BIT, /* once it has been converted: relay/convert.h */
    COMMAND_NEEDS_8BIT,
    COMMAND_REFUSED, /* never by this server: *why, with its status code */
};
enum command_fit command_fit(const struct command_message *m, const struct ehlo *e, struct arena *a,
                             struct str *why);

/* Line and CRLF. `body` is what the bytes are by now; `is_utf8`: SMTPUTF8 is asked for;
 * `is_authenticated`: the server knows who we are, and gets AUTH= (RFC 4954 section 5). */
struct command_terms {
    enum envelope_body body;
    bool is_utf8, is_authenticated;
};
void command_mail(struct buf *out, const struct command_message *m, const struct ehlo *e,
                  const struct command_terms *t);
void command_rcpt(struct buf *out, struct str path, const struct envelope_recipient *asked,
                  const struct ehlo *e, const struct command_terms *t);

#endif
