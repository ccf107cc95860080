/* COPY (RFC 3501 section 6.4.7), MOVE (RFC 6851), EXPUNGE (section 6.4.3) and UID EXPUNGE (RFC 4315). */
#include "imap/progress.h"
#include "imap/rights.h"

/* "COPYUID validity from to", in the arena: which message became which (RFC 4315 section 3). */
static struct str copyuid(struct imap_session *s, uint32_t uidvalidity, const uint32_t *from,
                          const uint32_t *to, size_t n)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_addf(&text, "COPYUID %u ", uidvalidity);
    imap_add_set(&text, from, n);
    buf_add_byte(&text, ' ');
    imap_add_set(&text, to, n);
    return arena_copy(&s->arena, buf_str(&text));
}

static enum imap_status copy_or_move(struct imap_session *s, struct imap_cursor *c, bool moves)
{
    struct imap_set set;
    struct str name;
    if (!imap_take_space(c) || !imap_take_messages(s, c, &set) || !imap_take_space(c) ||
        !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum imap_status status;
    if (moves && !imap_may(s, RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE, &status)) /* RFC 6851 section 4.4 */
        return status;
    struct err e = ERR_INIT;
    struct mailbox to;
    unsigned rights;
    enum store_result r = imap_find(s, name, RIGHT_INSERT, &to, &rights, &e);
    if (r == STORE_NONE || (r == STORE_OK && !to.selectable))
        return imap_no(s, "[TRYCREATE] There is no such mailbox");
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    size_t n, count = 0;
    uint32_t *uids = imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &n);
    if (imap_is_over_limit(s, n))
        return imap_no_limit(s);
    uint32_t *from_uids = NULL, *to_uids = NULL, uidvalidity = 0;
    struct imap_progress seen;
    const struct store_progress progress = imap_progress_start(&seen, s);
    if (n > 0)
        r = store_copy(s->store, s->mailbox, uids, n, to.id,
                       imap_copy_how(rights) | (moves ? (unsigned)COPY_MOVE : 0), &progress, &s->arena,
                       &from_uids, &to_uids, &count, &uidvalidity, &e);
    if (r == STORE_NONE)
        return imap_no(s, "[TRYCREATE] The mailbox was deleted meanwhile");
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (count == 0)
        return imap_ok(s, "There was nothing to do");
    imap_note_own(s, to.id, to_uids[0], to_uids[count - 1]);
    struct str code = copyuid(s, uidvalidity, from_uids, to_uids, count);
    if (!moves) {
        imap_warn_of_quota(s);
        return imap_ok(s, "[%.*s] Copied", STR_ARGS(code));
    }
    /* Before the EXPUNGEs, which the session tells behind the command (RFC 6851 section 4.3). */
    stream_write(s->stream, STR("* OK ["));
    stream_write(s->stream, code);
    stream_write(s->stream, STR("] Moved\r\n"));
    s->answers_modseq = s->enabled & ENABLED_QRESYNC; /* RFC 7162 section 3.2.7 */
    return imap_ok(s, "Moved");
}

enum imap_status imap_do_copy(struct imap_session *s, struct imap_cursor *c)
{
    return copy_or_move(s, c, false);
}

enum imap_status imap_do_move(struct imap_session *s, struct imap_cursor *c)
{
    return copy_or_move(s, c, true);
}

enum imap_status imap_do_expunge(struct imap_session *s, struct imap_cursor *c)
{
    uint32_t *uids = NULL, *expunged;
    size_t n = 0, expunged_count = 0;
    if (s->by_uid) {
        struct imap_set set;
        if (!imap_take_space(c) || !imap_take_messages(s, c, &set))
            return imap_bad_syntax(s, c);
        uids = imap_view_uids(&s->view, &set, true, &s->arena, &n);
        imap_limit(s, &uids, &n);
    }
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum imap_status status;
    if (!imap_may(s, RIGHT_EXPUNGE, &status))
        return status;
    struct err e = ERR_INIT;
    if (s->by_uid && n == 0)
        return imap_ok(s, "There was nothing to do");
    enum store_result r =
        store_expunge(s->store, s->mailbox, uids, n, false, &s->arena, &expunged, &expunged_count, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    s->answers_modseq = expunged_count > 0 && s->enabled & ENABLED_QRESYNC;
    return imap_ok(s, "Expunged");
}
