/* The SASL mechanisms that carry a password (RFC 4422): PLAIN (RFC 4616), and LOGIN, which was never more
 * than a draft but is all that old Outlooks know. SMTP (RFC 4954), IMAP (RFC 3501 section 6.2.2, RFC 4959)
 * and POP3 (RFC 5034) frame them alike: a challenge in base64 behind a few bytes of their own, and the
 * client's response in base64 on a line. */
#ifndef SASL_SASL_H
#define SASL_SASL_H
#include "base/stream.h"

/* Of a response with its line end: RFC 4954 section 4. */
#define SASL_LINE_MAX ((size_t)12288)

enum sasl_result {
    SASL_DONE,      /* user and password (perhaps empty) are known, and are to be checked */
    SASL_ASK,       /* only of sasl_begin and sasl_answer: the client is to answer the challenge */
    SASL_FOREIGN,   /* the client wants to act for somebody else, which nobody may; `user` is who asks */
    SASL_CANCELLED, /* the client sent "*" */
    SASL_MALFORMED, /* not base64, or not what the mechanism says */
    SASL_TOO_LONG,  /* a response passed its bound; its line is still to be read */
    SASL_TIMEOUT,
    SASL_LOST, /* the connection ended */
};

struct sasl {
    bool is_plain;
    struct buf secret;     /* what the client answered, decoded; never moves; wiped by sasl_free */
    const char *challenge; /* after SASL_ASK: in base64 */
    struct str user, password;
};

/* False: not a mechanism that is offered. Free it then too. */
bool sasl_init(struct sasl *x, struct str mechanism);
void sasl_free(struct sasl *x);
#define CLEAN_SASL __attribute__((cleanup(sasl_free)))

/* The exchange itself, pure. `initial` is the response that came with the command ("=" is an empty one),
 * NULL: none; `line` is an answer to the challenge. */
enum sasl_result sasl_begin(struct sasl *x, const struct str *initial);
enum sasl_result sasl_answer(struct sasl *x, struct str line);

/* The whole of it over a connection, where `prompt` stands in front of a challenge: "334 " or "+ ". */
enum sasl_result sasl_exchange(struct sasl *x, struct stream *s, const char *prompt,
                               const struct str *initial, struct deadline d);

#endif
