#include "imap/status.h"

#include "config/config.h"
#include "imap/objectid.h"
#include "imap/rights.h"
#include "mailbox/search.h"

/* How many messages no session has claimed yet. */
static enum store_result count_recent(struct imap_session *s, const struct mailbox *m, uint64_t *n,
                                      struct err *e)
{
    struct uid_range newer = {m->first_recent, UINT32_MAX};
    const struct search_node tree = {.kind = SEARCH_UIDS, .ranges = &newer, .range_count = 1};
    uint32_t *uids;
    size_t found = 0;
    enum store_result r = STORE_OK;
    if (m->first_recent < m->uidnext)
        r = store_search(s->store, m->id, &tree, &s->arena, &uids, &found, NULL, NULL, e);
    *n = found;
    return r;
}

/* --- the items: each adds its value --- */

typedef void add_item(struct imap_session *s, const struct mailbox *m, struct buf *out);

static void add_messages(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->messages);
}

static void add_uidnext(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->uidnext);
}

static void add_uidvalidity(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->uidvalidity);
}

static void add_unseen(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->unseen);
}

static void add_deleted(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->deleted);
}

static void add_deleted_storage(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->deleted_size);
}

static void add_size(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->size);
}

static void add_modseq(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_u64(out, m->highestmodseq);
}

static void add_mailboxid(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)s;
    buf_add_byte(out, '(');
    imap_add_objectid(out, IMAP_OBJECT_MAILBOX, m->id);
    buf_add_byte(out, ')');
}

static void add_appendlimit(struct imap_session *s, const struct mailbox *m, struct buf *out)
{
    (void)m;
    buf_add_u64(out, s->host->config->message_size_max);
}

static const struct {
    struct str name;
    add_item *add; /* NULL: RECENT, which has to be looked up */
} ITEMS[] = {
    {STR_INIT("MESSAGES"), add_messages},
    {STR_INIT("RECENT"), NULL}, /* RFC 3501 section 6.3.10 */
    {STR_INIT("UIDNEXT"), add_uidnext},
    {STR_INIT("UIDVALIDITY"), add_uidvalidity},
    {STR_INIT("UNSEEN"), add_unseen},
    {STR_INIT("DELETED"), add_deleted},                 /* RFC 9051, RFC 9208 section 4.1.4 */
    {STR_INIT("SIZE"), add_size},                       /* RFC 9051, RFC 8438 */
    {STR_INIT("DELETED-STORAGE"), add_deleted_storage}, /* RFC 9208 section 4.1.4 */
    {STR_INIT("HIGHESTMODSEQ"), add_modseq},            /* RFC 7162 section 3.1.7 */
    {STR_INIT("APPENDLIMIT"), add_appendlimit},         /* RFC 7889 section 3.1 */
    {STR_INIT("MAILBOXID"), add_mailboxid},             /* RFC 8474 section 4.3 */
};
#define ITEM_COUNT (sizeof ITEMS / sizeof *ITEMS)

bool imap_take_status_items(struct imap_cursor *c, unsigned *items)
{
    *items = 0;
    if (!imap_take_byte(c, '('))
        return false;
    do {
        size_t item = 0;
        while (item < ITEM_COUNT && !imap_take_word(c, ITEMS[item].name))
            item++;
        if (item == ITEM_COUNT) {
            c->problem = "expected MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN or another item of STATUS";
            return false;
        }
        *items |= 1u << item;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

enum store_result imap_enable_for_status(struct imap_session *s, unsigned items, struct err *e)
{
    for (size_t i = 0; i < ITEM_COUNT; i++)
        if (items & 1u << i && ITEMS[i].add == add_modseq && !(s->enabled & ENABLED_CONDSTORE))
            return imap_enable(s, ENABLED_CONDSTORE, e);
    return STORE_OK;
}

enum store_result imap_tell_status(struct imap_session *s, const struct mailbox *m, unsigned items,
                                   struct err *e)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* STATUS "));
    imap_add_mailbox(s, &out, m->name);
    const char *separator = " (";
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        uint64_t recent;
        if (!(items & 1u << i))
            continue;
        buf_add_c(&out, separator);
        buf_add(&out, ITEMS[i].name);
        buf_add_byte(&out, ' ');
        separator = " ";
        if (ITEMS[i].add) {
            ITEMS[i].add(s, m, &out);
            continue;
        }
        enum store_result r = count_recent(s, m, &recent, e);
        if (r != STORE_OK)
            return r;
        buf_add_u64(&out, recent);
    }
    buf_add(&out, STR(")\r\n"));
    stream_write(s->stream, buf_str(&out));
    return STORE_OK;
}

enum imap_status imap_do_status(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    unsigned items;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_space(c) ||
        !imap_take_status_items(c, &items) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct mailbox m;
    struct err e = ERR_INIT;
    enum store_result r = imap_find(s, name, RIGHT_READ, &m, NULL, &e);
    if (r == STORE_OK && !m.selectable)
        return imap_no(s, "[CANNOT] That name holds other mailboxes, but no messages");
    if (r == STORE_OK)
        r = imap_enable_for_status(s, items, &e);
    if (r == STORE_OK)
        r = imap_tell_status(s, &m, items, &e);
    return r == STORE_OK ? imap_ok(s, "Done") : imap_no_store(s, r, &e);
}
