/* Commands and replies, one by one: what opening a connection (peer.c) and a transaction (transaction.c) are
 * made of. Inside the module only. */
#ifndef RELAY_PEER_TALK_H
#define RELAY_PEER_TALK_H
#include "relay/peer.h"

/* RFC 5321 section 4.5.3.2. */
#define GREETING_MS (5 * 60 * 1000)
#define EHLO_MS     (5 * 60 * 1000)
#define AUTH_MS     (5 * 60 * 1000)
#define MAIL_MS     (5 * 60 * 1000)
#define RCPT_MS     (5 * 60 * 1000)
#define DATA_MS     (2 * 60 * 1000)
#define BLOCK_MS    (3 * 60 * 1000)
#define END_MS      (10 * 60 * 1000)
#define TLS_MS      (60 * 1000)
#define QUIT_MS     (2 * 1000) /* nobody waits for a goodbye */

const char *peer_what_broke(enum stream_result r);
/* Queues command lines, with their CRLFs. */
void peer_say(struct peer *p, struct str lines);
/* False: *e says what happened while `what` was going on. *ehlo (may be NULL) gets the lines after the first.
 * A 421, or words of too many connections, set p->is_busy. */
bool peer_hear(struct peer *p, const char *what, int ms, struct reply *r, struct ehlo *ehlo, struct err *e);
/* *e: the server answered `what` with that. False. */
bool peer_refused(const struct peer *p, const char *what, const struct reply *r, struct err *e);
void peer_shut(struct peer *p); /* without a word */

#endif
