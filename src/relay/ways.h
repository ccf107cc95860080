/* Which way mail leaves, as the directory says (directory_route). It is asked in a thread of its own, so that
 * nobody waits who need not, and its answers count for a second: what an administrator sets holds at once. */
#ifndef RELAY_WAYS_H
#define RELAY_WAYS_H
#include "relay/job.h"

#define WAYS_MEMORY_MS 1000
#define WAYS_PLACES    1024 /* answers that are remembered: of so many senders and destinations a second */

struct ways;
struct ways_settings {
    /* directory_route, or what a test puts in its place. */
    bool (*ask)(void *context, struct str sender, struct str domain, struct arena *a,
                struct directory_route *out, struct err *e);
    void *directory;
    /* Called from the caller's thread or from ours, with j->way and j->key filled, or j->way_failure. */
    void (*found)(void *context, struct relay_job *j);
    void *context;
};
struct ways *ways_new(const struct ways_settings *s);
void ways_find(struct ways *w, struct relay_job *j); /* takes the job over, until `found` has it */

#endif
