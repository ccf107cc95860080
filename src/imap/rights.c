#include "imap/rights.h"

#include "imap/flags.h"
#include "imap/shared.h"

/* --- one mailbox --- */

enum store_result imap_rights(struct imap_session *s, int64_t mailbox, unsigned *rights, struct err *e)
{
    uint64_t version = store_rights_version(s->store);
    if (s->is_owner && s->owned.mailbox == mailbox && s->owned.version == version) {
        *rights = s->owned.rights;
        return STORE_OK;
    }
    enum store_result r = store_rights(s->store, mailbox, s->user, s->is_owner, rights, e);
    if (r == STORE_OK && s->is_owner) {
        s->owned.mailbox = mailbox;
        s->owned.version = version;
        s->owned.rights = *rights;
    }
    return r;
}

enum store_result imap_find(struct imap_session *s, struct str name, unsigned needed, struct mailbox *m,
                            unsigned *rights, struct err *e)
{
    unsigned has;
    enum store_result r = store_mailbox_find(s->store, name, &s->arena, m, e);
    if (r == STORE_OK)
        r = imap_rights(s, m->id, &has, e);
    if (r != STORE_OK)
        return r;
    if (rights)
        *rights = has;
    if ((has & needed) == needed)
        return STORE_OK;
    return has & RIGHT_LOOKUP ? STORE_FORBIDDEN : STORE_NONE;
}

enum store_result imap_may_create(struct imap_session *s, struct str name, struct err *e)
{
    if (imap_is_shared_name(s, name)) {
        err_set(e, ERR_PERMANENT, "what is under %.*s/ are other people's mailboxes",
                STR_ARGS(SHARED_NAMESPACE));
        return STORE_INVALID;
    }
    for (size_t at = name.n; at > 0; at--) {
        if (name.p[at - 1] != MAILBOX_DELIMITER || at == name.n)
            continue;
        struct mailbox m;
        unsigned has;
        enum store_result r = store_mailbox_find(s->store, str_slice(name, 0, at - 1), &s->arena, &m, e);
        if (r == STORE_OK)
            r = imap_rights(s, m.id, &has, e);
        if (r == STORE_NONE)
            continue;
        if (r != STORE_OK)
            return r;
        return has & RIGHT_CREATE ? STORE_OK : STORE_FORBIDDEN;
    }
    return s->is_owner ? STORE_OK : STORE_FORBIDDEN;
}

/* --- all of them --- */

static bool is_below(struct str name, struct str parent)
{
    return name.n > parent.n && str_starts(name, parent) && name.p[parent.n] == MAILBOX_DELIMITER;
}

/* What is told of children must not tell of those that cannot be seen. Names come in order, but not so that
 * children follow their parent at once ("a", "a b", "a/b"); nor is there reason to be quick for a guest. */
static void count_children(struct imap_mailboxes *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (!all->v[i].has_children)
            continue;
        all->v[i].has_children = false;
        for (size_t j = 0; j < all->n && !all->v[i].has_children; j++)
            all->v[i].has_children = is_below(all->v[j].name, all->v[i].name);
    }
}

static const struct rights_entry *entries_of(const struct rights_list *list, int64_t mailbox, size_t *n)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->v[middle].mailbox < mailbox)
            low = middle + 1;
        else
            high = middle;
    }
    *n = 0;
    while (low + *n < list->n && list->v[low + *n].mailbox == mailbox)
        ++*n;
    return list->v + low;
}

enum store_result imap_list_mailboxes(struct imap_session *s, struct imap_mailboxes *out, struct err *e)
{
    struct mailbox_list list;
    struct rights_list entries;
    *out = (struct imap_mailboxes){0};
    enum store_result r = store_mailbox_list(s->store, &s->arena, &list, e);
    if (r == STORE_OK)
        r = store_rights_list(s->store, 0, &s->arena, &entries, e);
    if (r != STORE_OK)
        return r;
    out->v = list.v;
    out->rights = ARENA_ARRAY(&s->arena, unsigned, list.n);
    for (size_t i = 0; i < list.n; i++) {
        size_t n = 0;
        const struct rights_entry *of = entries.n > 0 ? entries_of(&entries, list.v[i].id, &n) : NULL;
        unsigned rights = rights_within(list.v[i].role, rights_of(of, n, s->user, s->is_owner));
        if (!(rights & RIGHT_LOOKUP))
            continue;
        out->v[out->n] = list.v[i];
        out->rights[out->n++] = rights;
    }
    if (out->n < list.n)
        count_children(out);
    return STORE_OK;
}

/* --- the selected mailbox --- */

bool imap_may(struct imap_session *s, unsigned needed, enum imap_status *status)
{
    if ((s->rights & needed) != needed)
        *status = imap_no(s, "[NOPERM] You do not have the rights for that on this mailbox");
    else if (s->is_read_only)
        *status = imap_no(s, "[READ-ONLY] The mailbox was opened for reading only");
    else
        return true;
    return false;
}

uint32_t imap_flags_allowed(unsigned rights, bool *keywords)
{
    uint32_t flags = 0;
    if (rights & RIGHT_SEEN)
        flags |= FLAG_SEEN;
    if (rights & RIGHT_DELETE_MESSAGES)
        flags |= FLAG_DELETED;
    if (rights & RIGHT_WRITE)
        flags |= FLAG_ALL & ~(uint32_t)(FLAG_SEEN | FLAG_DELETED);
    *keywords = rights & RIGHT_WRITE;
    return flags;
}

unsigned imap_copy_how(unsigned rights)
{
    return (rights & RIGHT_SEEN ? 0 : (unsigned)COPY_WITHOUT_SEEN) |
           (rights & RIGHT_DELETE_MESSAGES ? 0 : (unsigned)COPY_WITHOUT_DELETED) |
           (rights & RIGHT_WRITE ? 0 : (unsigned)COPY_WITHOUT_OTHERS);
}

void imap_tell_flags(struct imap_session *s)
{
    imap_view_tell_flags(&s->view, s->stream);
    if (s->is_read_only) {
        stream_write(s->stream, STR("* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n"));
        return;
    }
    bool keywords;
    uint32_t flags = imap_flags_allowed(s->rights, &keywords);
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    imap_add_flags(&text, flags, keywords ? STR("\\*") : STR(""));
    stream_writef(s->stream, "* OK [PERMANENTFLAGS %.*s] %s\r\n", STR_ARGS(buf_str(&text)),
                  keywords ? "Keywords may be made up" : "Others cannot be changed");
}

void imap_sync_rights(struct imap_session *s)
{
    uint64_t version = store_rights_version(s->store);
    if (!s->is_selected || s->is_ending || version == s->rights_version)
        return;
    unsigned rights;
    struct err e = ERR_INIT;
    enum store_result r = imap_rights(s, s->mailbox, &rights, &e);
    if (r != STORE_OK)
        return; /* asked again next time */
    s->rights_version = version;
    if (rights == s->rights)
        return;
    s->rights = rights;
    if (!(rights & RIGHT_READ)) {
        imap_bye(s, "You may no longer read the selected mailbox");
        return;
    }
    s->is_read_only |= !(rights & RIGHTS_TO_CHANGE); /* writable again when it is selected again */
    imap_tell_flags(s);
}
