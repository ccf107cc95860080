/* REPLACE and UID REPLACE (RFC 8508): a new message comes and an old one goes, at once. */
#include "imap/append.h"
#include "imap/rights.h"

/* seq-number or uniqueid. A number that is not in use is BAD, as everywhere; a uid may name nothing. */
static bool take_replaced(struct append *a, uint32_t *uid)
{
    struct imap_session *s = a->session;
    struct imap_cursor *c = a->c;
    size_t start = c->at;
    struct imap_set set;
    size_t n;
    if (!imap_take_space(c) || !imap_take_messages(s, c, &set))
        return append_fail_syntax(a);
    if (set.n != 1 || set.v[0].from != set.v[0].to) {
        c->at = start + 1;
        c->problem = "one message can be replaced at a time";
        return append_fail_syntax(a);
    }
    uint32_t *uids = imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &n);
    if (n != 1)
        return append_fail(a, imap_no(s, "[NONEXISTENT] There is no message to be replaced"));
    *uid = uids[0];
    return true;
}

static bool replace(struct append *a)
{
    struct imap_session *s = a->session;
    struct store_replaced replaced = {.mailbox = s->mailbox};
    struct str uids;
    uint32_t uidvalidity;
    if (!take_replaced(a, &replaced.uid) || !append_take_mailbox(a))
        return false;
    if (!imap_may(s, RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE, &a->status)) /* section 4.3 */
        return false;
    if (!append_take_message(a))
        return false;
    if (!imap_take_end(a->c))
        return append_fail_syntax(a);
    if (!append_store(a, &replaced, &uids, &uidvalidity))
        return false;
    /* In front of the EXPUNGE, so that no client thinks its message lost (section 3.3). */
    stream_writef(s->stream, "* OK [APPENDUID %u %.*s] The new message is stored\r\n", uidvalidity,
                  STR_ARGS(uids));
    return true;
}

enum imap_status imap_do_replace(struct imap_session *s, struct imap_cursor *c)
{
    struct append a;
    append_start(&a, s, c);
    if (replace(&a))
        a.status = imap_ok(s, "Replaced");
    append_free(&a);
    return a.status;
}
