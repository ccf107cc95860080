/* Channels of one process to one service, shared by its threads: see ipc.h. */
#include "base/ipc.h"
#include "base/mem.h"

#include <pthread.h>
#include <unistd.h>

struct ipc_pool {
    const char *service;
    ipc_connect_fn *connect;
    void *context;
    unsigned max;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t freed; /* a channel came back, or one may be opened */
    unsigned open;        /* channels that exist or are being opened: in `idle` or in a call */
    unsigned idle_count;
    int idle[]; /* max */
};

struct ipc_pool *ipc_pool_new(const char *service, unsigned max, ipc_connect_fn *connect, void *context)
{
    struct ipc_pool *p = mem_new(1, sizeof *p + max * sizeof *p->idle);
    p->service = service;
    p->connect = connect;
    p->context = context;
    p->max = max;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as struct deadline */
    pthread_cond_init(&p->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void ipc_pool_free(struct ipc_pool *p)
{
    for (unsigned i = 0; i < p->idle_count; i++)
        close(p->idle[i]);
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* A channel that is not in use, or -1 with the right to open one. False: none came free in time. */
static bool acquire(struct ipc_pool *p, struct deadline d, int *channel)
{
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    bool ok = true;
    *channel = -1;
    pthread_mutex_lock(&p->lock);
    while (ok && p->idle_count == 0 && p->open == p->max)
        ok = pthread_cond_timedwait(&p->freed, &p->lock, &until) == 0;
    /* A wait that timed out may have been passed over by a channel that came free at that moment. */
    if (p->idle_count > 0)
        *channel = p->idle[--p->idle_count]; /* the last one used: its peer's memory is warm */
    else if (p->open < p->max)
        p->open++;
    ok = ok || *channel >= 0;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

/* Gives back what acquire gave; -1: the channel was closed, or could not be opened. */
static void release(struct ipc_pool *p, int channel)
{
    pthread_mutex_lock(&p->lock);
    if (channel >= 0)
        p->idle[p->idle_count++] = channel;
    else
        p->open--;
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

static bool no_answer(const struct ipc_pool *p, enum ipc_result r, struct err *e)
{
    static const char *const WHY[] = {[IPC_OK] = "",
                                      [IPC_EOF] = ": it went away",
                                      [IPC_TIMEOUT] = " in time",
                                      [IPC_BAD] = ": it sent what is no frame, or was sent too much",
                                      [IPC_AGAIN] = ""};
    return err_set(e, ERR_TEMPORARY, "%s does not answer%s", p->service, WHY[r]);
}

bool ipc_pool_call_all(struct ipc_pool *p, struct ipc_frame *requests, struct ipc_frame *replies, size_t n,
                       struct deadline d, struct err *e)
{
    int channel;
    if (!acquire(p, d, &channel))
        return err_set(e, ERR_TEMPORARY, "%s does not answer: all %u channels are busy", p->service, p->max);
    bool sent = false;
    enum ipc_result r = IPC_EOF;
    if (channel >= 0) {
        r = ipc_call_all(channel, requests, replies, n, d, &sent);
        if (r != IPC_OK) {
            close(channel);
            channel = -1;
        }
    }
    /* Nothing reached the service, which was restarted since the channel was last used (or there was none): a
     * new one. After a request has gone out it is never repeated, since it may have been carried out. */
    if (r == IPC_EOF && !sent) {
        channel = p->connect(p->context, d);
        if (channel >= 0 && (r = ipc_call_all(channel, requests, replies, n, d, &sent)) != IPC_OK) {
            close(channel);
            channel = -1;
        }
    }
    release(p, channel);
    return r == IPC_OK || no_answer(p, r, e);
}

bool ipc_pool_call(struct ipc_pool *p, struct ipc_frame *request, struct ipc_frame *reply, struct deadline d,
                   struct err *e)
{
    return ipc_pool_call_all(p, request, reply, 1, d, e);
}
