/* NOTIFY of mailboxes that are not selected: what is there now against what the client was last told of. */
#include "base/log.h"
#include "imap/metadata.h"
#include "imap/notify_state.h"
#include "imap/rights.h"
#include "imap/roles.h"

#include <stdlib.h>

/* --- looking --- */

static int by_id(const void *a, const void *b)
{
    const struct notify_mailbox *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static struct notify_mailbox picture_of(const struct mailbox *m, unsigned rights, struct arena *a)
{
    return (struct notify_mailbox){
        .id = m->id,
        .name = arena_copy(a, m->name),
        .is_there = m->selectable,
        .has_children = m->has_children,
        .is_readable = rights & RIGHT_READ,
        .has_metadata = imap_may_read_metadata(rights),
        .uidvalidity = m->uidvalidity,
        .uidnext = m->uidnext,
        .messages = m->messages,
        .unseen = m->unseen,
        .modseq = m->highestmodseq,
        .role = m->role,
        .subscribed = m->subscribed,
    };
}

enum store_result notify_look(struct imap_session *s, struct notify_picture *out, struct err *e)
{
    struct imap_mailboxes list;
    *out = (struct notify_picture){0};
    enum store_result r = imap_list_mailboxes(s, &list, e);
    if (r == STORE_OK && list.n > NOTIFY_MAILBOXES_MAX)
        r = STORE_LIMIT;
    if (r == STORE_OK)
        r = store_subscriptions(s->store, &out->arena, &out->subscribed, &out->subscribed_count, e);
    if (r != STORE_OK)
        return r;
    out->v = ARENA_ARRAY(&out->arena, struct notify_mailbox, list.n + 1);
    out->n = list.n;
    for (size_t i = 0; i < list.n; i++)
        out->v[i] = picture_of(&list.v[i], list.rights[i], &out->arena);
    qsort(out->v, out->n, sizeof *out->v, by_id);
    if (out->subscribed_count > 0)
        qsort(out->subscribed, out->subscribed_count, sizeof *out->subscribed, by_name);
    return STORE_OK;
}

void notify_forget(struct notify_picture *p)
{
    arena_free(&p->arena);
    *p = (struct notify_picture){0};
}

unsigned notify_events(const struct imap_notify *n, const struct notify_mailbox *m)
{
    const struct mailbox named = {.id = m->id, .name = m->name, .subscribed = m->subscribed};
    unsigned events = 0;
    for (size_t i = 0; i < n->group_count; i++)
        if (imap_filter_matches(&n->groups[i].filter, &named, 0))
            events |= n->groups[i].events;
    return events;
}

/* --- telling --- */

void notify_tell_status(struct imap_session *s, const struct notify_mailbox *m, unsigned events)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* STATUS "));
    imap_add_mailbox(s, &out, m->name);
    buf_add(&out, STR(" ("));
    if (events & (NOTIFY_NEW | NOTIFY_EXPUNGE))
        buf_addf(&out, "MESSAGES %u UIDNEXT %u ", m->messages, m->uidnext);
    if (events & NOTIFY_FLAGS)
        buf_addf(&out, "UNSEEN %u ", m->unseen);
    if (s->enabled & ENABLED_CONDSTORE)
        buf_addf(&out, "HIGHESTMODSEQ %llu ", (unsigned long long)(m->modseq > 0 ? m->modseq : 1));
    buf_addf(&out, "UIDVALIDITY %u)\r\n", m->uidvalidity);
    stream_write(s->stream, buf_str(&out));
}

static void add_attribute(struct buf *out, const char *attribute)
{
    if (out->p[out->n - 1] != '(')
        buf_add_byte(out, ' ');
    buf_add_c(out, attribute);
}

/* A mailbox that is not there any more: `m` is as it was, but for its attributes. `old`: it had that name
 * before (section 5.4); NULL: it is not about that. */
void notify_tell_list(struct imap_session *s, const struct notify_mailbox *m, const struct str *old)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* LIST ("));
    if (!m->is_there)
        add_attribute(&out, "\\NonExistent");
    if (m->is_there && !m->is_readable)
        add_attribute(&out, "\\NoAccess");
    if (m->id > 0)
        add_attribute(&out, m->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (m->is_there && imap_use_of_role(m->role).n > 0)
        add_attribute(&out, imap_use_of_role(m->role).p);
    if (m->subscribed)
        add_attribute(&out, "\\Subscribed");
    buf_addf(&out, ") \"%c\" ", MAILBOX_DELIMITER);
    imap_add_mailbox(s, &out, m->name);
    if (old) {
        buf_add(&out, STR(" (\"OLDNAME\" ("));
        imap_add_mailbox(s, &out, *old);
        buf_add(&out, STR("))"));
    }
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
}

/* --- comparing --- */

/* Which events explain what became of `old`. */
static unsigned message_events(const struct notify_mailbox *old, const struct notify_mailbox *new)
{
    unsigned events = 0;
    if (new->modseq == old->modseq)
        return 0;
    uint32_t came = new->uidnext - old->uidnext;
    if (came > 0)
        events |= NOTIFY_NEW;
    if (new->messages != old->messages + came)
        events |= NOTIFY_EXPUNGE;
    return events ? events | NOTIFY_FLAGS : NOTIFY_FLAGS; /* flags may have changed with it */
}

static void compare_mailbox(struct imap_session *s, const struct notify_mailbox *old,
                            const struct notify_mailbox *new)
{
    const struct imap_notify *n = s->notify;
    unsigned wanted = notify_events(n, new);
    bool access_changed = old->is_readable != new->is_readable; /* section 5.9 */
    bool renamed = !str_eq(old->name, new->name);
    bool changed = renamed || old->is_there != new->is_there || old->has_children != new->has_children;
    if ((changed && (wanted | notify_events(n, old)) & NOTIFY_NAME) ||
        (access_changed && wanted & NOTIFY_MESSAGES))
        notify_tell_list(s, new, renamed ? &old->name : NULL);
    unsigned events = message_events(old, new) & wanted;
    bool is_selected = s->is_selected && new->id == s->mailbox;
    if (events && new->is_there &&new->is_readable && !is_selected)
        notify_tell_status(s, new, events);
}

/* `old` is gone; its subscription may be there still. */
static void tell_gone(struct imap_session *s, const struct notify_mailbox *old,
                      const struct notify_picture *now)
{
    if (!(notify_events(s->notify, old) & NOTIFY_NAME))
        return;
    struct notify_mailbox gone = {.name = old->name};
    gone.subscribed = now->subscribed_count > 0 && bsearch(&gone.name, now->subscribed, now->subscribed_count,
                                                           sizeof gone.name, by_name) != NULL;
    notify_tell_list(s, &gone, NULL);
}

static void tell_made(struct imap_session *s, const struct notify_mailbox *new)
{
    static const struct notify_mailbox EMPTY = {.uidnext = 1};
    unsigned wanted = notify_events(s->notify, new);
    if (wanted & NOTIFY_NAME)
        notify_tell_list(s, new, NULL);
    unsigned events = message_events(&EMPTY, new) & wanted;
    if (events && new->messages > 0 && new->is_there &&new->is_readable)
        notify_tell_status(s, new, events);
}

static void compare_mailboxes(struct imap_session *s, const struct notify_picture *was,
                              const struct notify_picture *now)
{
    size_t i = 0, k = 0;
    while (i < was->n || k < now->n) {
        if (k == now->n || (i < was->n && was->v[i].id < now->v[k].id))
            tell_gone(s, &was->v[i++], now);
        else if (i == was->n || now->v[k].id < was->v[i].id)
            tell_made(s, &now->v[k++]);
        else
            compare_mailbox(s, &was->v[i++], &now->v[k++]);
    }
}

/* A name that was subscribed to, or is no longer (section 5.5). */
static void tell_subscription(struct imap_session *s, struct str name, bool subscribed,
                              const struct notify_picture *now)
{
    struct notify_mailbox m = {.name = name};
    for (size_t i = 0; i < now->n; i++)
        if (str_eq(now->v[i].name, name))
            m = now->v[i];
    m.subscribed = true; /* it is of the subscribed ones, before or after */
    if (!(notify_events(s->notify, &m) & NOTIFY_SUBSCRIPTION))
        return;
    m.subscribed = subscribed;
    notify_tell_list(s, &m, NULL);
}

static void compare_subscriptions(struct imap_session *s, const struct notify_picture *was,
                                  const struct notify_picture *now)
{
    size_t i = 0, k = 0;
    while (i < was->subscribed_count || k < now->subscribed_count) {
        int order = i == was->subscribed_count   ? 1
                    : k == now->subscribed_count ? -1
                                                 : str_compare(was->subscribed[i], now->subscribed[k]);
        if (order < 0)
            tell_subscription(s, was->subscribed[i], false, now);
        if (order > 0)
            tell_subscription(s, now->subscribed[k], true, now);
        i += order <= 0;
        k += order >= 0;
    }
}

/* More mailboxes than can be watched have been made: section 5.8. */
static void give_up(struct imap_session *s)
{
    stream_write(s->stream, STR("* OK [NOTIFICATIONOVERFLOW] There are too many mailboxes to watch\r\n"));
    imap_notify_end(s);
}

void imap_notify_others(struct imap_session *s)
{
    struct notify_picture now;
    struct err e = ERR_INIT;
    if (!s->notify || s->notify->group_count == 0 || s->is_ending)
        return;
    enum store_result r = notify_look(s, &now, &e);
    if (r == STORE_OK) {
        compare_mailboxes(s, &s->notify->picture, &now);
        compare_subscriptions(s, &s->notify->picture, &now);
        notify_forget(&s->notify->picture);
        s->notify->picture = now;
        r = notify_metadata(s, s->notify, false, &e);
    } else {
        notify_forget(&now);
    }
    if (r == STORE_OK)
        return;
    if (r == STORE_LIMIT)
        give_up(s);
    else /* what cannot be told now is told with what happens next */
        LOG_ERROR("imap.notify_failed", F_STR("account", s->user), F_C("error", e.text));
}
