/* One message on its way to one server: what transaction.c, transaction_fit.c and transaction_bytes.c share.
 * Inside the module only. */
#ifndef RELAY_TRANSACTION_H
#define RELAY_TRANSACTION_H
#include "relay/command.h"
#include "relay/peer_talk.h"

enum step { STEP_GO_ON, STEP_STOP, STEP_BROKEN };

struct transaction {
    struct peer *peer;
    struct peer_message *message;
    struct err *error; /* of STEP_BROKEN */
    struct buf lines;  /* commands that are being written */
    struct buf converted;
    struct str bytes; /* as they are sent */
    struct command_message about;
    struct command_terms terms;
    bool is_piped, uses_bdat;
    bool at_once;  /* the bytes leave together with the envelope */
    size_t *tried; /* places in message->recipients */
    size_t count, accepted;
    bool *is_accepted; /* of those tried */
    bool is_ended;     /* the end of the message has been sent: it may have arrived */
};

/* transaction_fit.c: what this server gets, whom it is for, and how it is sent. False: it cannot take the
 * message, and everybody has an answer. */
bool transaction_fit(struct transaction *t);

/* transaction_bytes.c: the message by DATA or BDAT, and what the server says of it in the end. */
void transaction_add_bdat(struct transaction *t);
enum step transaction_send(struct transaction *t);
enum step transaction_hear_end(struct transaction *t);

/* transaction.c */
struct peer_recipient *transaction_tried(const struct transaction *t, size_t i);
void transaction_answer(struct peer_recipient *r, enum queue_fate fate, struct str reply);
void transaction_answer_tried(const struct transaction *t, enum queue_fate fate, struct str reply);
struct str transaction_keep(const struct transaction *t, const struct reply *r); /* its words, to stay */
enum queue_fate transaction_bad_fate(const struct reply *r); /* of a reply that is not good */
void transaction_say(struct transaction *t);                 /* t->lines */
enum step transaction_broken(const struct transaction *t, const char *what, const struct reply *r);

#endif
