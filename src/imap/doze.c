#include "imap/doze.h"

#include "imap/enabled.h"
#include "imap/park.h"
#include "mailbox/rights.h"

void imap_news_free(struct imap_news *n)
{
    arena_free(&n->arena);
    *n = (struct imap_news){0};
}

static bool is_dozing(const struct imap_frozen *z)
{
    return z->is_idle && z->past.gone_count == 0;
}

bool imap_can_doze(struct str state)
{
    struct imap_frozen z;
    return imap_frozen_get(state, &z) && is_dozing(&z);
}

/* --- what there is to be told --- */

static bool take_uids(struct imap_news *n, const struct view_changes *changes)
{
    n->uids = ARENA_ARRAY(&n->arena, uint32_t, changes->changed_count);
    n->n = changes->changed_count;
    for (size_t i = 0; i < n->n; i++) {
        n->uids[i] = changes->changed[i].uid;
        if (changes->changed[i].keywords.n > 0) /* FLAGS may have to list them */
            return false;
    }
    return changes->expunged_count == 0;
}

/* After a commit of our own the modseq that it made is known; one of another process is heard of later. */
static bool is_fresh(const struct imap_news *n, struct store *s, const struct imap_frozen *z)
{
    uint64_t newest = store_highestmodseq(s, z->past.mailbox);
    return n->mailbox == z->past.mailbox && n->since == z->past.modseq && newest <= n->modseq &&
           n->rights_version == store_rights_version(s);
}

static void find_out(struct imap_news *n, struct store *s, struct str user, const struct imap_frozen *z)
{
    struct err ignored = ERR_INIT; /* a session that is awake says it */
    struct view_changes changes;
    imap_news_free(n);
    n->mailbox = z->past.mailbox;
    n->since = z->past.modseq;
    n->rights_version = store_rights_version(s);
    if (store_rights(s, n->mailbox, user, true, &n->rights, &ignored) != STORE_OK ||
        store_view_changes(s, n->mailbox, n->since, &n->arena, &changes, &ignored) != STORE_OK)
        return;
    n->modseq = changes.modseq;
    n->messages = changes.messages;
    n->can_be_told = take_uids(n, &changes);
}

static bool can_hear(const struct imap_news *n, const struct imap_frozen *z)
{
    if (!n->can_be_told || n->rights != z->rights)
        return false;
    if (n->n > 0 && (n->uids[0] <= z->past.last_uid || z->recent_count == FROZEN_RECENT_MAX))
        return false;
    return z->past.messages + n->n == n->messages; /* else some are gone, and that is forgotten already */
}

/* --- telling it --- */

/* As imap_view_sync does for a session that is awake. */
static enum imap_hears find_first_recent(struct imap_news *n, struct store *s, const struct imap_frozen *z,
                                         bool others_first, uint32_t *first_recent)
{
    struct err ignored = ERR_INIT;
    bool claims = !z->is_read_only && !(z->enabled & ENABLED_IMAP4REV2);
    *first_recent = z->is_read_only && !(z->enabled & ENABLED_IMAP4REV2) ? 0 : UINT32_MAX;
    if (!claims || n->is_claimed || (others_first && n->is_reserved))
        return IMAP_HEARS; /* of these another session is the first to hear */
    n->is_reserved = true;
    if (others_first)
        return IMAP_HEARS_LAST;
    if (store_claim_recent(s, n->mailbox, first_recent, &ignored) != STORE_OK)
        return IMAP_HAS_TO_WAKE;
    n->is_claimed = true;
    return IMAP_HEARS;
}

static void add_recent(struct imap_frozen *z, const struct imap_news *n, uint32_t first_recent)
{
    size_t at = 0;
    while (at < n->n && n->uids[at] < first_recent)
        at++;
    if (at == n->n)
        return;
    struct imap_range *last = z->recent_count > 0 ? &z->recent[z->recent_count - 1] : NULL;
    if (at > 0 || !last || last->to != z->past.last_uid) {
        last = &z->recent[z->recent_count++];
        last->from = n->uids[at];
    }
    last->to = n->uids[n->n - 1];
    z->recent_messages += (uint32_t)(n->n - at);
}

static enum imap_hears tell(struct imap_frozen *z, struct imap_news *n, struct store *s, bool others_first,
                            struct buf *lines)
{
    uint32_t first_recent;
    enum imap_hears hears = find_first_recent(n, s, z, others_first, &first_recent);
    if (hears != IMAP_HEARS)
        return hears;
    add_recent(z, n, first_recent);
    z->past.last_uid = n->uids[n->n - 1];
    z->past.messages += n->n;
    size_t before = lines->n;
    buf_addf(lines, "* %zu EXISTS\r\n", z->past.messages);
    if (!(z->enabled & ENABLED_IMAP4REV2))
        buf_addf(lines, "* %u RECENT\r\n", z->recent_messages);
    z->sent += lines->n - before;
    return IMAP_HEARS;
}

enum imap_hears imap_doze_hear(struct imap_news *n, struct store *s, struct str user, struct str state,
                               bool others_first, struct buf *lines, struct account_frozen *next)
{
    struct imap_frozen z;
    if (!imap_frozen_get(state, &z) || !is_dozing(&z))
        return IMAP_HAS_TO_WAKE;
    if (!z.is_selected)
        return IMAP_HEARS_NOTHING;
    if (!is_fresh(n, s, &z))
        find_out(n, s, user, &z);
    if (!can_hear(n, &z))
        return IMAP_HAS_TO_WAKE;
    enum imap_hears hears = n->n > 0 ? tell(&z, n, s, others_first, lines) : IMAP_HEARS;
    if (hears != IMAP_HEARS)
        return hears;
    if (n->modseq <= z.past.modseq)
        return IMAP_HEARS_NOTHING;
    z.past.modseq = n->modseq;
    imap_park_describe(&z, next);
    return IMAP_HEARS;
}
