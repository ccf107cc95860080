/* GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 section 4.1). An account has one quota root, "", for all its
 * mailboxes but Recently Deleted, which does not count. What the administrator gives is above this: SETQUOTA
 * sets what the owner keeps to, at most that.
 */
#include "imap/quota_parse.h"
#include "imap/rights.h"

/* What somebody uses is nobody else's business (section 7). */
static enum imap_status not_yours(struct imap_session *s)
{
    return imap_no(s, "[NOPERM] Only the owner of these mailboxes is told their quota");
}

static bool take_root(struct imap_session *s, struct imap_cursor *c, struct str *root)
{
    return imap_take_space(c) && imap_take_astring(c, &s->arena, root);
}

static enum store_result tell_quota(struct imap_session *s, struct err *e)
{
    struct quota q;
    enum store_result r = store_quota(s->store, &q, e);
    if (r != STORE_OK)
        return r;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* QUOTA \"\" "));
    imap_add_quota(&out, q.used, q.limit);
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
    return STORE_OK;
}

enum imap_status imap_do_getquota(struct imap_session *s, struct imap_cursor *c)
{
    struct str root;
    struct err e = ERR_INIT;
    if (!take_root(s, c, &root) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (root.n > 0)
        return imap_no(s, "[NONEXISTENT] There is no such quota root; the only one is \"\"");
    if (!s->is_owner)
        return not_yours(s);
    enum store_result r = tell_quota(s, &e);
    return r == STORE_OK ? imap_ok(s, "Done") : imap_no_store(s, r, &e);
}

static enum store_result has_root(struct imap_session *s, struct str name, bool *has, struct err *e)
{
    struct mailbox m;
    *has = s->is_owner;
    enum store_result r = store_mailbox_find(s->store, name, &s->arena, &m, e);
    if (r == STORE_OK && m.role == MAILBOX_RECENTLY_DELETED)
        *has = false;
    return r == STORE_NONE ? STORE_OK : r;
}

/* The mailbox need not be there: a client may ask what would hold for it. */
enum imap_status imap_do_getquotaroot(struct imap_session *s, struct imap_cursor *c)
{
    struct str mailbox;
    struct err e = ERR_INIT;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &mailbox) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    bool has;
    enum store_result r = has_root(s, mailbox, &has, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* QUOTAROOT "));
    imap_add_mailbox(s, &out, mailbox);
    buf_add(&out, has ? STR(" \"\"\r\n") : STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
    if (has)
        r = tell_quota(s, &e);
    return r == STORE_OK ? imap_ok(s, "Done") : imap_no_store(s, r, &e);
}

/* A resource that is not named has no limit of the owner's any more (section 4.1.3). */
enum imap_status imap_do_setquota(struct imap_session *s, struct imap_cursor *c)
{
    struct str root;
    uint64_t limits[QUOTA_RESOURCES];
    struct err e = ERR_INIT;
    if (!take_root(s, c, &root) || !imap_take_space(c) || !imap_take_quota_limits(c, limits) ||
        !imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (root.n > 0)
        return imap_no(s, "[NONEXISTENT] There is no such quota root; the only one is \"\"");
    if (!s->is_owner)
        return not_yours(s);
    enum store_result r = store_set_own_quota(s->store, limits, &e);
    bool is_too_much = r == STORE_LIMIT;
    if (r == STORE_OK || is_too_much)
        r = tell_quota(s, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    return is_too_much ? imap_no(s, "[NOPERM] That is more than the administrator gives")
                       : imap_ok(s, "Limits set");
}

void imap_warn_of_quota(struct imap_session *s)
{
    if (s->is_owner && store_quota_is_near(s->store))
        stream_writef(s->stream, "* NO [OVERQUOTA] The account is fuller than %d%% of its quota\r\n",
                      QUOTA_SOFT_PERCENT);
}
