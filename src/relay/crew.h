/* The threads of relay: each carries jobs of one destination over one connection. A job goes to a thread that
 * has a connection there and nothing to do, else to a new thread, else it waits. */
#ifndef RELAY_CREW_H
#define RELAY_CREW_H
#include "relay/courier.h"

#define CREW_THREADS_MAX 256  /* connections at once: most of them wait for the other side */
#define CREW_JOBS_MAX    1024 /* what the queue may give: those of slow destinations wait, and keep nobody */

struct crew;
struct crew_settings {
    const struct config *config;
    struct route_resolver dns;
    struct tls_policies *tls;
    struct reach_sockets sockets;
    /* Called from any thread: the result of a job is there. The job stays the crew's. False: nobody took it,
     * so nobody will record it. */
    bool (*result)(void *context, struct relay_job *j);
    /* Called from any thread, after crew_stop: the last thread has ended. */
    void (*ended)(void *context);
    void *context;
};
struct crew *crew_new(const struct crew_settings *s);

void crew_reconfigure(struct crew *c, const struct config *config);
void crew_add(struct crew *c, struct relay_job *j); /* with its way and key; takes it over */
/* The queue has the result on disk: the thread that carried it may go on. */
void crew_recorded(struct crew *c, uint64_t job);
/* Whoever gave the jobs is gone: those that wait are dropped, those under way are not ended. */
void crew_orphan(struct crew *c);
/* Jobs that wait are given back (a result without answers); those under way end. */
void crew_stop(struct crew *c);

#endif
