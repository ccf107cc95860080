/* The SASL mechanisms (RFC 4422), the server's side: PLAIN (RFC 4616); LOGIN, which was never more than a
 * draft but is all that old Outlooks know; SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), where
 * the password stays with the client. SMTP (RFC 4954), IMAP (RFC 3501 section 6.2.2, RFC 4959) and POP3
 * (RFC 5034) frame them alike: a challenge in base64 behind a few bytes of their own, and the client's
 * response in base64 on a line. */
#ifndef SASL_SASL_H
#define SASL_SASL_H
#include "base/stream.h"
#include "sasl/scram.h"

/* Of a response with its line end: RFC 4954 section 4. */
#define SASL_LINE_MAX ((size_t)12288)

enum sasl_result {
    SASL_DONE, /* PLAIN, LOGIN: user and password (perhaps empty) are known, and are to be checked */
    /* SCRAM: whoever has the verifiers is asked, and the exchange goes on with what it says. */
    SASL_NEEDS_SALT,    /* for `message`, client-first-message; then sasl_salted */
    SASL_NEEDS_VERDICT, /* for `message`, client-final-message; if it is good, then sasl_signed */
    SASL_PROVEN,        /* `user` is who it says */
    SASL_ASK,           /* only of the pure functions: the client is to answer the challenge */
    SASL_FOREIGN,       /* the client wants to act for somebody else, which nobody may; `user` is who asks */
    SASL_UNBOUND,       /* the channel binding is not this connection's: perhaps somebody is in the middle */
    SASL_CANCELLED,     /* the client sent "*" */
    SASL_MALFORMED,     /* not base64, or not what the mechanism says */
    SASL_TOO_LONG,      /* a response passed its bound; its line is still to be read */
    SASL_TIMEOUT,
    SASL_LOST, /* the connection ended */
};

struct sasl {
    const struct sasl_mechanism *mechanism;
    const struct channel_bindings *bindings; /* lent */
    unsigned responses;                      /* that have come */
    struct buf secret;                       /* them, decoded; never moves; wiped by sasl_free */
    struct arena arena;
    const char *challenge; /* after SASL_ASK: in base64 */
    struct str user, password;
    struct str message; /* the last response, decoded */
    struct {
        struct scram_first first;
        struct scram_final final;
        struct str nonce; /* the client's and ours */
    } scram;
};

/* What the client may choose from on this connection: NULL for `bindings`, or none in them, leaves out
 * -PLUS. `separator` stands between the names, and `prefix` before each. */
void sasl_add_names(struct buf *out, const char *prefix, const char *separator,
                    const struct channel_bindings *bindings);
/* Whether -PLUS is among them. */
bool sasl_can_bind(const struct channel_bindings *bindings);

/* False: not a mechanism that is offered. Free it then too. */
bool sasl_init(struct sasl *x, struct str mechanism, const struct channel_bindings *bindings);
void sasl_free(struct sasl *x);
#define CLEAN_SASL __attribute__((cleanup(sasl_free)))

/* --- the exchange itself, pure --- `initial` is the response that came with the command ("=" is an empty
 * one), NULL: none; `line` is an answer to the challenge. */
enum sasl_result sasl_begin(struct sasl *x, const struct str *initial);
enum sasl_result sasl_answer(struct sasl *x, struct str line);
/* After SASL_NEEDS_SALT and SASL_NEEDS_VERDICT: what the directory said. SASL_ASK, or SASL_MALFORMED for a
 * nonce that does not begin with the client's. */
enum sasl_result sasl_salted(struct sasl *x, const struct scram_salted *s);
enum sasl_result sasl_signed(struct sasl *x, const unsigned char signature[SCRAM_KEY_BYTES]);

/* --- over a connection --- `prompt` stands in front of a challenge: "334 " or "+ ". Until the client has
 * said what can be checked, or there is an end. */
enum sasl_result sasl_exchange(struct sasl *x, struct stream *s, const char *prompt,
                               const struct str *initial, struct deadline d);
/* On from `r`, which sasl_salted or sasl_signed returned. */
enum sasl_result sasl_go_on(struct sasl *x, enum sasl_result r, struct stream *s, const char *prompt,
                            struct deadline d);

#endif
