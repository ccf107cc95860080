/* What becomes of a message that has come whole: handed to accounts, put into the queue, or refused. */
#ifndef SMTP_FATE_H
#define SMTP_FATE_H
#include "smtp/incoming.h"
#include "smtp/session.h"

/* The delivery id, one a message, that every place keeps: accounts know a repeated attempt by it. */
struct fate_id {
    unsigned char bytes[DELIVERY_ID_BYTES];
    char hex[2 * DELIVERY_ID_BYTES + 1]; /* in the log and the trace line */
};

/* Delivers and enqueues, answers the client, and writes the log line. Only what is on disk gets a 250. */
void fate_decide(struct session *s, struct incoming *m, const struct fate_id *id);

#endif
