/* What becomes of a message that has come whole: handed to accounts, put into the queue, or refused. */
#ifndef SMTP_FATE_H
#define SMTP_FATE_H
#include "smtp/incoming.h"
#include "smtp/session.h"

/* Delivers and enqueues, answers the client, and writes the log line. Only what is on disk gets a 250. */
void fate_decide(struct session *s, struct incoming *m);

#endif
