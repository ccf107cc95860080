/* How the sessions of an account go to sleep, all together: each is frozen, and keeper gets their
 * connections. */
#include "account/park.h"
#include "account/sessions_parts.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "keeper/parked.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* For all sessions to be frozen: each has only to notice. One that has begun to work meanwhile keeps the
 * others awake, whose clients must not wait for it. */
#define FREEZE_MS        100
#define PARK_AFTER_MAX_S 3600u /* longer than any session may be silent */

uint32_t sessions_least_patience(const struct sessions *all)
{
    unsigned s = all->host->start->config->imap_park_after_s;
    return (s < PARK_AFTER_MAX_S ? s : PARK_AFTER_MAX_S) * 1000;
}

int64_t sessions_quiet_in(const struct sessions *all)
{
    int64_t now = clock_ms(), longest = 0;
    for (const struct session *s = all->first; s; s = s->next) {
        int64_t since = atomic_load(&s->s.quiet_since_ms);
        int64_t left = since == 0 ? s->patience_ms : since + s->patience_ms - now;
        if (s->is_pop3 || s->patience_ms == 0)
            return -1;
        longest = left > longest ? left : longest;
    }
    return longest;
}

void sessions_want_commits(struct sessions *all, bool wants)
{
    if (wants && all->commits_wanted++ == 0)
        store_watch(all->host->store, all->commits);
    else if (!wants && --all->commits_wanted == 0)
        store_unwatch(all->host->store, all->commits);
}

static void stop_freezing(struct sessions *all)
{
    if (!atomic_exchange(&all->freezing, false))
        return;
    if (all->freeze_end)
        loop_timer_cancel(all->freeze_end);
    all->freeze_end = NULL;
    sessions_want_commits(all, false);
}

/* One that is frozen goes on here, as if it had slept. */
static void go_on(struct session *s)
{
    if (!sessions_doze(s))
        sessions_wake(s);
}

void sessions_stay(struct sessions *all)
{
    stop_freezing(all);
    for (struct session *s = all->first, *next; s; s = next) {
        next = s->next;
        if (s->is_frozen && !s->dozes)
            go_on(s);
    }
}

void sessions_hear_of_commit(void *context, uint32_t events)
{
    struct sessions *all = context;
    eventfd_t commits;
    (void)events;
    if (eventfd_read(all->commits, &commits) != 0)
        return;
    sessions_tell_dozing(all);
    if (!atomic_load(&all->freezing))
        return;
    sessions_stay(all);
    host_touch(all->host);
}

static void took_too_long(void *context)
{
    struct sessions *all = context;
    all->freeze_end = NULL;
    sessions_stay(all);
    host_touch(all->host);
}

void sessions_park(struct sessions *all)
{
    if (atomic_load(&all->freezing))
        return;
    eventfd_t earlier;
    sessions_want_commits(all, true);
    if (eventfd_read(all->commits, &earlier) == 0) /* none: EAGAIN */
        sessions_tell_dozing(all);
    all->freeze_end = loop_timer(all->host->loop, FREEZE_MS, took_too_long, all);
    atomic_store(&all->freezing, true);
    for (struct session *s = all->first; s; s = s->next)
        if (!s->is_frozen)
            eventfd_write(s->s.wake_fd, 1);
    sessions_park_if_all_are_frozen(all); /* those that doze are */
}

/* False: keeper does not take it. */
static bool give_to_keeper(struct session *s)
{
    struct account_parked p = {.connection = s->s.connection,
                               .since_ms = clock_ms(),
                               .patience_ms = s->patience_ms,
                               .protocol = buf_str(&s->s.frozen.state)};
    CLEAN_FRAME struct ipc_frame state, f;
    ipc_frame_init(&state, 0);
    ipc_frame_init(&f, ACCOUNT_FRAME_PARK);
    account_parked_put(&state, &p);
    parked_request_put(&f, &(struct parked_request){.fd = s->s.connection.fd,
                                                    .wake_at_ms = s->s.frozen.wake_at_ms,
                                                    .still_every_ms = s->s.frozen.still_every_ms,
                                                    .still = s->s.frozen.still,
                                                    .bye = s->s.frozen.bye,
                                                    .address = s->s.address,
                                                    .state = buf_str(&state.payload)});
    return ipc_send(s->all->host->control, &f, deadline_in(SESSION_SEND_MS)) == IPC_OK;
}

/* Each was frozen when it knew all that had happened; a commit of one that was frozen later would be news for
 * the others. */
void sessions_park_if_all_are_frozen(struct sessions *all)
{
    eventfd_t commits;
    if (!atomic_load(&all->freezing) || all->frozen < all->count)
        return;
    if (eventfd_read(all->commits, &commits) == 0) {
        sessions_tell_dozing(all);
        sessions_stay(all);
        host_touch(all->host);
        return;
    }
    stop_freezing(all);
    for (struct session *s = all->first, *next; s; s = next) {
        next = s->next;
        sessions_end_doze(s);
        if (!give_to_keeper(s)) /* keeper is gone, and we are about to notice */
            LOG_ERROR("session.lost", F_C("address", all->host->start->address),
                      F_C("why", "keeper is gone"));
        close(s->s.connection.fd);
        sessions_remove(s);
    }
    all->frozen = 0;
    host_offer_to_leave(all->host);
}

void sessions_frozen(void *context)
{
    struct session *s = context;
    s->is_frozen = true;
    s->all->frozen++;
    if (atomic_load(&s->all->freezing))
        sessions_park_if_all_are_frozen(s->all);
    else
        go_on(s);
}
