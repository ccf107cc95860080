#include "imap/notify.h"

#include "base/log.h"
#include "base/mem.h"
#include "imap/fetch.h"
#include "imap/notify_state.h"

/* --- NOTIFY --- */

static struct notify_group *keep_groups(struct arena *a, const struct notify_request *q)
{
    struct notify_group *groups = ARENA_ARRAY(a, struct notify_group, q->n + 1);
    for (size_t i = 0; i < q->n; i++) {
        groups[i] = q->v[i];
        groups[i].filter.names = ARENA_ARRAY(a, struct str, q->v[i].filter.n + 1);
        for (size_t k = 0; k < q->v[i].filter.n; k++)
            groups[i].filter.names[k] = arena_copy(a, q->v[i].filter.names[k]);
    }
    return groups;
}

static struct imap_notify *keep(const struct notify_request *q)
{
    struct imap_notify *n = MEM_NEW(struct imap_notify);
    n->groups = keep_groups(&n->arena, q);
    n->group_count = q->n;
    n->is_delayed = q->is_delayed;
    n->selected = q->selected;
    struct imap_cursor c = {.in = arena_copy(&n->arena, q->new_attributes)};
    if (c.in.n > 0 && imap_take_fetch_request(&c, &n->arena, &n->new_messages))
        n->new_messages.sets_seen = false; /* nobody has read what is only told of (section 5.2) */
    return n;
}

static void free_notify(struct imap_notify *n)
{
    notify_forget(&n->picture);
    arena_free(&n->arena);
    free(n);
}

void imap_notify_end(struct imap_session *s)
{
    if (!s->notify)
        return;
    store_unwatch(s->store, s->host->wake_fd);
    free_notify(s->notify);
    s->notify = NULL;
}

/* SET STATUS: where the client stands in every mailbox that it is told of, but the selected one. */
static void tell_all_status(struct imap_session *s, const struct imap_notify *n)
{
    for (size_t i = 0; i < n->picture.n; i++) {
        const struct notify_mailbox *m = &n->picture.v[i];
        unsigned events = notify_events(n, m) & NOTIFY_MESSAGES;
        bool is_selected = s->is_selected && m->id == s->mailbox;
        if (events && m->is_there && m->is_readable && !is_selected)
            notify_tell_status(s, m, events);
    }
}

/* What may be looked up and not be read cannot be watched, and the client learns that (section 3.1). */
static void tell_no_access(struct imap_session *s, const struct imap_notify *n)
{
    for (size_t i = 0; i < n->picture.n; i++) {
        const struct notify_mailbox *m = &n->picture.v[i];
        if (m->is_there && !m->is_readable && notify_events(n, m) & NOTIFY_MESSAGES)
            notify_tell_list(s, m, NULL);
    }
}

static enum imap_status set(struct imap_session *s, const struct notify_request *q)
{
    struct err e = ERR_INIT;
    struct imap_notify *n = keep(q);
    enum store_result r = STORE_OK;
    s->must_tell = true; /* section 3.1: what has gathered is told first, as by NOOP */
    imap_sync(s, true);
    s->must_tell = false;
    if (n->new_messages.items & FETCH_MODSEQ)
        r = imap_enable(s, ENABLED_CONDSTORE, &e);
    if (r == STORE_OK && q->n > 0) /* of the others nothing else is needed */
        r = notify_look(s, &n->picture, &e);
    if (r == STORE_OK)
        r = notify_metadata(s, n, true, &e);
    if (r != STORE_OK) {
        free_notify(n);
        return r == STORE_LIMIT ? imap_no(s, "[NOTIFICATIONOVERFLOW] There are too many mailboxes to watch")
                                : imap_no_store(s, r, &e);
    }
    imap_notify_end(s);
    s->notify = n;
    store_watch(s->store, s->host->wake_fd);
    tell_no_access(s, n);
    if (q->wants_status)
        tell_all_status(s, n);
    return imap_ok(s, "You will be told");
}

enum imap_status imap_do_notify(struct imap_session *s, struct imap_cursor *c)
{
    struct notify_request q;
    if (!imap_take_notify(s, c, &q))
        return imap_bad_syntax(s, c);
    if (q.has_unknown)
        return imap_no(s, "[BADEVENT (%s)] There is an event among these that is not known here",
                       NOTIFY_EVENT_NAMES);
    if (!q.is_none)
        return set(s, &q);
    imap_notify_end(s);
    return imap_ok(s, "You will not be told");
}

/* --- the selected mailbox --- */

unsigned imap_notify_selected(const struct imap_session *s)
{
    return s->notify ? s->notify->selected : NOTIFY_MESSAGES;
}

void imap_notify_new(struct imap_session *s, uint32_t *uids, size_t n)
{
    const struct fetch_request *q = s->notify ? &s->notify->new_messages : NULL;
    struct err e = ERR_INIT;
    if (n == 0 || !q || (q->items == 0 && q->section_count == 0))
        return;
    if (imap_fetch_told(s, q, uids, n, &e) != STORE_OK)
        LOG_ERROR("imap.notify_failed", F_STR("account", s->user), F_C("error", e.text));
}

void imap_notify_tell(struct imap_session *s)
{
    if (!s->notify)
        return;
    imap_sync(s, !s->notify->is_delayed);
    imap_notify_others(s);
}
