/* A message as it stands in the journal of arrivals: all that was decided about it when it came, and its
 * bytes; in this machine's byte order. */
#ifndef MAILBOX_ARRIVALS_RECORD_H
#define MAILBOX_ARRIVALS_RECORD_H
#include "mailbox/store.h"

struct arrival {
    struct store_append item; /* its slices are the record's */
    int64_t saved;
    uint64_t modseq;
};

size_t arrival_bytes(const struct arrival *m);
/* Writes it to `to`, where there is room for arrival_bytes. Returns where the next one goes. Its slices are
 * in the record from then on. */
char *arrival_put(char *to, struct arrival *m);
/* The one at the front of *rest, which goes on behind it. False: there is none that arrival_put could have
 * written. */
bool arrival_take(struct str *rest, struct arrival *m);

#endif
