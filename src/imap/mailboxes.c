/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 section 6.3). */
#include "config/config.h"
#include "imap/rights.h"
#include "imap/roles.h"
#include "mailbox/search.h"

/* --- CREATE, with the use of RFC 6154 section 3 --- */

/* "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"; *is_known: a mailbox can be made for that use. */
static bool take_use(struct imap_cursor *c, enum mailbox_role *role, bool *is_known)
{
    *role = MAILBOX_NO_ROLE;
    *is_known = true;
    if (!imap_take_byte(c, '(') || !imap_take_word(c, STR("USE")) || !imap_take_space(c) ||
        !imap_take_byte(c, '('))
        return false;
    for (size_t n = 0; imap_peek(c) != ')'; n++) {
        struct str use;
        if ((n > 0 && !imap_take_space(c)) || !imap_take_byte(c, '\\') || !imap_take_atom(c, &use))
            return false;
        *is_known = n == 0 && imap_role_of_use(use, role); /* a mailbox has one role at most */
    }
    return imap_take_byte(c, ')') && imap_take_byte(c, ')');
}

static bool is_role_taken(const struct mailbox_list *list, enum mailbox_role role)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].role == role)
            return true;
    return false;
}

enum imap_status imap_do_create(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    enum mailbox_role role = MAILBOX_NO_ROLE;
    bool is_known = true;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name))
        return imap_bad_syntax(s, c);
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !take_use(c, &role, &is_known)))
        return imap_bad_syntax(s, c);
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    if (role != MAILBOX_NO_ROLE && is_known) {
        struct mailbox_list list;
        enum store_result r = store_mailbox_list(s->store, &s->arena, &list, &e);
        if (r != STORE_OK)
            return imap_no_store(s, r, &e);
        is_known = !is_role_taken(&list, role);
    }
    if (!is_known)
        return imap_no(s, "[USEATTR] A mailbox for that use cannot be made, or there is one already");
    struct mailbox made;
    enum store_result r = imap_may_create(s, name, &e);
    if (r == STORE_OK)
        r = store_mailbox_create(s->store, name, role, &e);
    if (r == STORE_OK)
        r = store_mailbox_find(s->store, name, &s->arena, &made, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    return imap_ok(s, "[%.*s] Mailbox created", STR_ARGS(imap_mailbox_id_code(s, made.id)));
}

/* --- the others --- */

enum imap_status imap_do_delete(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    struct mailbox m;
    enum store_result r = imap_find(s, name, RIGHT_DELETE_MAILBOX, &m, NULL, &e);
    if (r == STORE_OK)
        r = store_mailbox_delete(s->store, name, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (s->is_selected && m.id == s->mailbox)
        imap_deselect(s); /* other sessions are told BYE */
    return imap_ok(s, "Mailbox deleted");
}

enum imap_status imap_do_rename(struct imap_session *s, struct imap_cursor *c)
{
    struct str from, to;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &from) || !imap_take_space(c) ||
        !imap_take_mailbox(s, c, &to) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    struct mailbox m;
    enum store_result r = imap_find(s, from, RIGHT_DELETE_MAILBOX, &m, NULL, &e);
    if (r == STORE_OK)
        r = imap_may_create(s, to, &e);
    if (r == STORE_OK)
        r = store_mailbox_rename(s->store, from, to, &e);
    return r == STORE_OK ? imap_ok(s, "Mailbox renamed") : imap_no_store(s, r, &e);
}

/* Subscriptions are the owner's. A guest's are kept in the guest's own account, with the names that the
 * mailboxes have there. */
static enum imap_status subscribe(struct imap_session *s, struct imap_cursor *c, bool subscribed)
{
    struct str name;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (!s->is_owner)
        return imap_no(s, "[NOPERM] Only the owner of these mailboxes subscribes to them here");
    struct err e = ERR_INIT;
    enum store_result r = store_subscribe(s->store, name, subscribed, &e);
    return r == STORE_OK ? imap_ok(s, subscribed ? "Subscribed" : "Unsubscribed") : imap_no_store(s, r, &e);
}

enum imap_status imap_do_subscribe(struct imap_session *s, struct imap_cursor *c)
{
    return subscribe(s, c, true);
}

enum imap_status imap_do_unsubscribe(struct imap_session *s, struct imap_cursor *c)
{
    return subscribe(s, c, false);
}

/* --- STATUS --- */

enum status_item {
    STATUS_MESSAGES,
    STATUS_RECENT,
    STATUS_UIDNEXT,
    STATUS_UIDVALIDITY,
    STATUS_UNSEEN,
    STATUS_APPENDLIMIT, /* RFC 7889 section 2 */
    STATUS_MAILBOXID,   /* RFC 8474 section 4.3 */
    STATUS_COUNT
};

static const struct str STATUS_NAMES[STATUS_COUNT] = {
    [STATUS_MESSAGES] = STR_INIT("MESSAGES"),   [STATUS_RECENT] = STR_INIT("RECENT"),
    [STATUS_UIDNEXT] = STR_INIT("UIDNEXT"),     [STATUS_UIDVALIDITY] = STR_INIT("UIDVALIDITY"),
    [STATUS_UNSEEN] = STR_INIT("UNSEEN"),       [STATUS_APPENDLIMIT] = STR_INIT("APPENDLIMIT"),
    [STATUS_MAILBOXID] = STR_INIT("MAILBOXID"),
};

/* "(" status-att *(SP status-att) ")" as bits 1 << item. */
static bool take_status_items(struct imap_cursor *c, unsigned *items)
{
    *items = 0;
    if (!imap_take_byte(c, '('))
        return false;
    do {
        int item = 0;
        while (item < STATUS_COUNT && !imap_take_word(c, STATUS_NAMES[item]))
            item++;
        if (item == STATUS_COUNT) {
            c->problem = "expected MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, APPENDLIMIT or MAILBOXID";
            return false;
        }
        *items |= 1u << item;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

static enum store_result count_recent(struct imap_session *s, const struct mailbox *m, size_t *n,
                                      struct err *e)
{
    struct uid_range newer = {m->first_recent, UINT32_MAX};
    const struct search_node tree = {.kind = SEARCH_UIDS, .ranges = &newer, .range_count = 1};
    uint32_t *uids;
    *n = 0;
    if (m->first_recent >= m->uidnext)
        return STORE_OK;
    return store_search(s->store, m->id, &tree, &s->arena, &uids, n, NULL, NULL, e);
}

static void tell_status(struct imap_session *s, const struct mailbox *m, unsigned items, size_t recent)
{
    const uint64_t values[STATUS_COUNT] = {
        [STATUS_MESSAGES] = m->messages, [STATUS_RECENT] = recent,
        [STATUS_UIDNEXT] = m->uidnext,   [STATUS_UIDVALIDITY] = m->uidvalidity,
        [STATUS_UNSEEN] = m->unseen,     [STATUS_APPENDLIMIT] = s->host->config->message_size_max,
    };
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* STATUS "));
    imap_add_mailbox(s, &out, m->name);
    const char *separator = " (";
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (!(items & 1u << i))
            continue;
        buf_add_c(&out, separator);
        separator = " ";
        if (i == STATUS_MAILBOXID) {
            buf_add(&out, imap_mailbox_id_code(s, m->id));
            continue;
        }
        buf_add(&out, STATUS_NAMES[i]);
        buf_add_byte(&out, ' ');
        buf_add_u64(&out, values[i]);
    }
    buf_add(&out, STR(")\r\n"));
    stream_write(s->stream, buf_str(&out));
}

enum imap_status imap_do_status(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    unsigned items;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_space(c) ||
        !take_status_items(c, &items) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct mailbox m;
    struct err e = ERR_INIT;
    size_t recent = 0;
    enum store_result r = imap_find(s, name, RIGHT_READ, &m, NULL, &e);
    if (r == STORE_OK && !m.selectable)
        return imap_no(s, "[CANNOT] That name holds other mailboxes, but no messages");
    if (r == STORE_OK && items & 1u << STATUS_RECENT)
        r = count_recent(s, &m, &recent, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    tell_status(s, &m, items, recent);
    return imap_ok(s, "Done");
}
