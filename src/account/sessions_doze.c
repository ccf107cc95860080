#include "account/sessions_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "imap/park.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct str state_of(const struct session *s)
{
    return buf_str(&s->s.frozen.state);
}

/* --- watching its client --- */

static void client_speaks(void *session, uint32_t events)
{
    (void)events;
    sessions_wake(session); /* also one whose client is gone: its thread sees that */
}

static bool send_line(const struct session *s, struct str line)
{
    return send(s->s.connection.fd, line.p, line.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)line.n;
}

static void set_timer(struct session *s);

static void is_due(void *session)
{
    struct session *s = session;
    s->still = NULL;
    if (clock_ms() >= s->s.frozen.wake_at_ms || !send_line(s, s->s.frozen.still))
        sessions_wake(s);
    else
        set_timer(s);
}

static void set_timer(struct session *s)
{
    int64_t left = s->s.frozen.wake_at_ms - clock_ms(), every = s->s.frozen.still_every_ms;
    left = left < 0 ? 0 : left;
    s->still = loop_timer(s->all->host->loop, left < every ? left : every, is_due, s);
}

static void start_doze(struct session *s)
{
    struct sessions *all = s->all;
    s->dozes = loop_watch(all->host->loop, s->s.connection.fd, EPOLLIN | EPOLLRDHUP, client_speaks, s);
    set_timer(s);
    if (all->dozing++ == 0)
        sessions_want_commits(all, true);
}

void sessions_end_doze(struct session *s)
{
    struct sessions *all = s->all;
    if (!s->dozes)
        return;
    loop_unwatch(s->dozes);
    s->dozes = NULL;
    if (s->still)
        loop_timer_cancel(s->still);
    s->still = NULL;
    if (--all->dozing > 0)
        return;
    sessions_want_commits(all, false);
    imap_news_free(&all->news);
}

/* --- telling it --- */

static enum imap_hears tell(struct session *s, bool others_first)
{
    CLEAN_BUF struct buf lines;
    struct account_frozen next = {0};
    buf_init(&lines, BUF_MAX_DEFAULT);
    enum imap_hears hears =
        imap_doze_hear(&s->all->news, s->s.store, s->s.address, state_of(s), others_first, &lines, &next);
    /* A client that does not take a line is told by its thread, which waits for it. */
    if (hears == IMAP_HEARS && lines.n > 0 && !send_line(s, buf_str(&lines)))
        hears = IMAP_HAS_TO_WAKE;
    if (hears == IMAP_HEARS) {
        buf_free(&s->s.frozen.state);
        s->s.frozen = next;
        atomic_store(&s->s.quiet_since_ms, clock_ms());
    } else {
        buf_free(&next.state);
    }
    return hears;
}

static void tell_or_wake(struct session *s)
{
    if (tell(s, false) == IMAP_HAS_TO_WAKE)
        sessions_wake(s);
}

void sessions_tell_dozing(struct sessions *all)
{
    struct session *last = NULL;
    for (struct session *s = all->first, *next; s && all->dozing > 0; s = next) {
        next = s->next;
        enum imap_hears hears = s->dozes ? tell(s, true) : IMAP_HEARS_NOTHING;
        if (hears == IMAP_HAS_TO_WAKE)
            sessions_wake(s);
        if (hears != IMAP_HEARS_LAST)
            continue;
        if (last) /* of another mailbox */
            tell_or_wake(last);
        last = s;
    }
    if (last)
        tell_or_wake(last);
}

/* --- the beginning and the end --- */

/* Whether it may: what was there before it slept is in `frozen` from then on. */
static bool take_state(struct session *s)
{
    struct imap_frozen z;
    if (s->is_frozen)
        return imap_can_doze(state_of(s));
    if (!imap_can_doze(s->thawed) || !imap_frozen_get(s->thawed, &z))
        return false;
    imap_park_describe(&z, &s->s.frozen);
    s->is_frozen = true;
    s->all->frozen++;
    return true;
}

bool sessions_doze(struct session *s)
{
    if (atomic_load(&s->all->stopping) || !take_state(s))
        return false;
    start_doze(s); /* before it looks: what is committed from now on is heard of */
    atomic_store(&s->s.quiet_since_ms, clock_ms());
    tell_or_wake(s);
    return true;
}

void sessions_wake(struct session *s)
{
    sessions_end_doze(s);
    struct buf state = s->s.frozen.state;
    s->is_frozen = false;
    s->all->frozen--;
    free((void *)(uintptr_t)s->thawed.p);
    s->thawed = s->s.thawed = buf_str(&state); /* its memory with it */
    s->s.frozen = (struct account_frozen){0};
    atomic_store(&s->s.quiet_since_ms, 0);
    if (!sessions_run(s))
        sessions_lose(s, "no room for its thread");
}
