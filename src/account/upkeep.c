#include "account/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "mailbox/search.h"

#include <stdatomic.h>

/* How often messages that were expunged long ago are removed for good. */
#define PURGE_EVERY_MS        (24 * 3600 * (int64_t)1000)
/* After new mail: a burst is over, and is worked on as one. Also the pause in which deliveries that go on for
 * long have the store for themselves. */
#define CATCH_UP_AFTER_MS     (3 * (int64_t)1000)
/* Where mail never stops coming for so long, it is done all the same. */
#define CATCH_UP_AT_LATEST_MS (30 * (int64_t)1000)

struct upkeep {
    struct host *host;
    void (*over)(void *context);
    void *context;
    bool is_purging, has_purged; /* in this process */
    bool is_catching_up;
    bool has_caught_up;          /* once in this process: an earlier one may have left something */
    struct loop_timer *catch_up; /* waits */
    atomic_bool has_news;        /* something came, and the main thread was told */
    atomic_uint arrivals;        /* commits that brought something */
    _Atomic int64_t came_ms;     /* the last of them */
    int64_t since_ms;            /* something waits to be caught up with */
    bool is_left;                /* the thread has left something to do */
};

/* --- purging --- */

static void purge_is_over(void *context)
{
    struct upkeep *u = context;
    u->is_purging = false;
    u->over(u->context);
}

static void purge(void *context)
{
    struct upkeep *u = context;
    struct err e = ERR_INIT;
    int64_t kept_s = (int64_t)u->host->start->config->expunged_days * 86400;
    if (store_purge(u->host->store, clock_wall(), kept_s, &e) != STORE_OK)
        LOG_ERROR("account.purge", F_C("address", u->host->start->address), F_C("error", e.text));
    loop_post(u->host->loop, purge_is_over, u);
}

static void start_purge(struct upkeep *u)
{
    if (!u->host->store || u->is_purging || u->host->stopping)
        return;
    u->has_purged = true;
    u->is_purging = thread_start(purge, u);
}

static void purge_daily(void *context)
{
    struct upkeep *u = context;
    start_purge(u);
    loop_timer(u->host->loop, PURGE_EVERY_MS, purge_daily, u);
}

/* --- catching up --- */

static void catch_up_later(void *context);

static void catch_up_is_over(void *context)
{
    struct upkeep *u = context;
    u->is_catching_up = false;
    if (u->is_left && !u->host->stopping) {
        atomic_store(&u->has_news, true);
        catch_up_later(u);
        return;
    }
    u->over(u->context);
}

/* Step by step, and no further once mail comes again: whoever delivers must not wait for more than one step's
 * commit. Where mail never stops coming, there is still a step every few seconds; a search does what is
 * missing. */
static void catch_up(void *context)
{
    struct upkeep *u = context;
    struct err e = ERR_INIT;
    unsigned arrivals = atomic_load(&u->arrivals);
    bool more = true, good = true;
    while (good && more && arrivals == atomic_load(&u->arrivals))
        good = store_catch_up(u->host->store, &more, &e) == STORE_OK;
    if (!good)
        LOG_ERROR("account.catch-up", F_C("address", u->host->start->address), F_C("error", e.text));
    u->is_left = good && more; /* after an error: with the next mail */
    loop_post(u->host->loop, catch_up_is_over, u);
}

static void start_catch_up(struct upkeep *u)
{
    if (!u->host->store || u->is_catching_up || u->host->stopping)
        return;
    u->has_caught_up = true;
    atomic_store(&u->has_news, false); /* before the thread looks: what comes from now on is told again */
    u->is_catching_up = thread_start(catch_up, u);
}

static void catch_up_now(void *context)
{
    struct upkeep *u = context;
    int64_t now = clock_ms(), quiet = now - atomic_load(&u->came_ms);
    u->catch_up = NULL;
    if (quiet < CATCH_UP_AFTER_MS && now - u->since_ms < CATCH_UP_AT_LATEST_MS)
        u->catch_up = loop_timer(u->host->loop, CATCH_UP_AFTER_MS - quiet, catch_up_now, u);
    else
        start_catch_up(u);
}

static void catch_up_later(void *context)
{
    struct upkeep *u = context;
    if (u->catch_up)
        return;
    u->since_ms = clock_ms();
    u->catch_up = loop_timer(u->host->loop, CATCH_UP_AFTER_MS, catch_up_now, u);
}

/* In the thread that appended. */
static void something_came(void *context)
{
    struct upkeep *u = context;
    atomic_fetch_add(&u->arrivals, 1);
    atomic_store(&u->came_ms, clock_ms());
    if (!atomic_exchange(&u->has_news, true))
        loop_post(u->host->loop, catch_up_later, u);
}

/* --- */

struct upkeep *upkeep_new(struct host *h, void (*over)(void *context), void *context)
{
    struct upkeep *u = MEM_NEW(struct upkeep);
    u->host = h;
    u->over = over;
    u->context = context;
    loop_timer(h->loop, PURGE_EVERY_MS, purge_daily, u);
    return u;
}

void upkeep_start(struct upkeep *u)
{
    store_on_append(u->host->store, something_came, u);
}

bool upkeep_is_busy(const struct upkeep *u)
{
    return u->is_purging || u->is_catching_up;
}

bool upkeep_before_leaving(struct upkeep *u)
{
    if (!u->has_purged)
        start_purge(u);
    if (u->catch_up) {
        loop_timer_cancel(u->catch_up);
        u->catch_up = NULL;
        start_catch_up(u);
    } else if (!u->has_caught_up) {
        start_catch_up(u);
    }
    return upkeep_is_busy(u) && !u->host->stopping;
}
