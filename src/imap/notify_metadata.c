/* NOTIFY of annotations: MailboxMetadataChange and ServerMetadataChange (RFC 5465 sections 5.6 and 5.7). */
#include "imap/metadata.h"
#include "imap/notify_state.h"

unsigned notify_all_events(const struct imap_notify *n)
{
    unsigned events = 0;
    for (size_t i = 0; i < n->group_count; i++)
        events |= n->groups[i].events;
    return events;
}

/* The mailbox, when its changes are to be told; of METADATA_SERVER a name that is empty. */
static bool is_wanted(const struct imap_notify *n, int64_t mailbox, struct str *name)
{
    *name = STR("");
    if (mailbox == METADATA_SERVER)
        return notify_all_events(n) & NOTIFY_SERVER_METADATA;
    for (size_t i = 0; i < n->picture.n; i++) {
        const struct notify_mailbox *m = &n->picture.v[i];
        if (m->id != mailbox)
            continue;
        *name = m->name;
        return m->has_metadata && notify_events(n, m) & NOTIFY_METADATA;
    }
    return false;
}

/* entry-list of RFC 5464 section 4.4.2: names without values, of one mailbox. Returns how many those are. */
static size_t tell_mailbox(struct imap_session *s, const struct imap_notify *n,
                           const struct metadata_list *list, size_t at)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct str name;
    size_t count = 0;
    bool wanted = is_wanted(n, list->v[at].mailbox, &name);
    buf_add(&out, STR("* METADATA "));
    imap_add_mailbox(s, &out, name);
    for (; at + count < list->n && list->v[at + count].mailbox == list->v[at].mailbox; count++) {
        buf_add_byte(&out, ' ');
        imap_add_astring(&out, list->v[at + count].name);
    }
    buf_add(&out, STR("\r\n"));
    if (wanted)
        stream_write(s->stream, buf_str(&out));
    return count;
}

enum store_result notify_metadata(struct imap_session *s, struct imap_notify *n, bool is_start, struct err *e)
{
    struct metadata_list list;
    uint64_t now, since = is_start ? UINT64_MAX : n->metadata_seen;
    if (!(notify_all_events(n) & (NOTIFY_METADATA | NOTIFY_SERVER_METADATA)))
        return STORE_OK;
    enum store_result r = store_metadata_changes(s->store, since, s->user, &s->arena, &list, &now, e);
    if (r != STORE_OK)
        return r;
    for (size_t at = 0; at < list.n;)
        at += tell_mailbox(s, n, &list, at);
    n->metadata_seen = now;
    return STORE_OK;
}
