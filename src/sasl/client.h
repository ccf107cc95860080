/* The SASL mechanisms, the client's side: PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (sasl.h has the
 * RFCs). Pure but for the nonce. */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/channel_binding.h"
#include "base/err.h"

enum sasl_client_mechanism {
    SASL_CLIENT_SCRAM_PLUS,
    SASL_CLIENT_SCRAM,
    SASL_CLIENT_PLAIN,
    SASL_CLIENT_LOGIN,
};
const char *sasl_client_name(enum sasl_client_mechanism m); /* "SCRAM-SHA-256" */

struct sasl_client {
    enum sasl_client_mechanism mechanism;
    struct str user, password;               /* lent */
    const struct channel_bindings *bindings; /* lent; NULL: the connection has none */
    struct buf response;                     /* in base64, to be sent; wiped */
    unsigned answers;
    bool is_proven; /* the server has shown that it knows the password too (SCRAM) */
    /* SCRAM */
    struct arena arena;
    struct str nonce, header, first_bare;
    unsigned char signature[32]; /* what the server must show */
};

/* Whether there is something that -PLUS can bind to. */
bool sasl_client_can_bind(const struct channel_bindings *b);

/* Begins; x->response is the initial response. LOGIN has none: it is empty. `offers_plus`: the server offers
 * SCRAM-SHA-256-PLUS, so that it cannot have been taken out of the list on the way (RFC 5802 section 6). */
void sasl_client_begin(struct sasl_client *x, enum sasl_client_mechanism m, struct str user,
                       struct str password, const struct channel_bindings *bindings, bool offers_plus);
/* To a challenge in base64: x->response is the answer. False: it is not what the mechanism says, or the
 * server does not know the password: *e. */
bool sasl_client_answer(struct sasl_client *x, struct str challenge, struct err *e);
/* The server says that we are in: false if it should have proven itself and has not. */
bool sasl_client_may_end(const struct sasl_client *x);
void sasl_client_free(struct sasl_client *x);

#endif
