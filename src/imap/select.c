/* SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 sections 6.3.2, 6.3.3, 6.4.1, 6.4.2), and the resynchronisation
 * of RFC 7162 section 3.2.5. */
#include "imap/rights.h"
#include "imap/vanished.h"

/* The number of the first message that is not \Seen; 0: all are. */
static size_t first_unseen(const struct imap_view *v)
{
    for (size_t i = 0; i < v->rows.n; i++)
        if (!(v->rows.v[i].flags & FLAG_SEEN))
            return i + 1;
    return 0;
}

/* Mail may have come between the two reads. */
static uint32_t uidnext_of(const struct imap_session *s, const struct mailbox *m)
{
    uint32_t last = imap_view_last_uid(&s->view);
    return m->uidnext > last ? m->uidnext : last + 1;
}

/* In IMAP4rev2 the name comes as LIST has it, and nothing is \Recent or the first unseen (RFC 9051 section
 * 6.3.2). UIDONLY has no number for the first unseen (RFC 9586 section 3). */
static void tell_mailbox(struct imap_session *s, const struct mailbox *m, struct str asked)
{
    const struct imap_view *v = &s->view;
    struct stream *out = s->stream;
    bool rev2 = s->enabled & ENABLED_IMAP4REV2;
    imap_tell_flags(s);
    stream_writef(out, "* %zu EXISTS\r\n", v->rows.n);
    if (!rev2)
        stream_writef(out, "* %zu RECENT\r\n", v->recent);
    size_t unseen = rev2 || s->enabled & ENABLED_UIDONLY ? 0 : first_unseen(v);
    if (unseen > 0)
        stream_writef(out, "* OK [UNSEEN %zu] The first unseen message\r\n", unseen);
    stream_writef(out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] The next UID\r\n",
                  m->uidvalidity, uidnext_of(s, m));
    stream_writef(out, "* OK [HIGHESTMODSEQ %llu] The highest mod-sequence\r\n",
                  (unsigned long long)imap_view_modseq(v));
    stream_write(out, STR("* OK ["));
    stream_write(out, imap_mailbox_id_code(s, m->id));
    stream_write(out, STR("] Its id, which stays\r\n"));
    if (rev2)
        imap_tell_name(s, m->name, asked);
}

/* Without a right to change anything, SELECT is EXAMINE (RFC 4314 section 5.2). */
static enum store_result open_mailbox(struct imap_session *s, struct str name, bool read_only,
                                      struct mailbox *m, struct err *e)
{
    s->rights_version = store_rights_version(s->store);
    enum store_result r = imap_find(s, name, RIGHT_READ, m, &s->rights, e);
    if (r == STORE_OK && !m->selectable)
        r = STORE_NONE;
    s->is_read_only = read_only || !(s->rights & RIGHTS_TO_CHANGE);
    uint32_t first_recent = m->first_recent;
    if (s->enabled & ENABLED_IMAP4REV2)
        first_recent = UINT32_MAX;
    else if (r == STORE_OK && !s->is_read_only)
        r = store_claim_recent(s->store, m->id, &first_recent, e);
    if (r == STORE_OK)
        r = imap_view_open(&s->view, s->store, m->id, s->enabled, first_recent, e);
    return r;
}

/* --- what has happened since the client last saw the mailbox --- */

static bool is_known(const struct imap_set *known, size_t *at, uint32_t uid)
{
    while (*at < known->n && known->v[*at].to < uid)
        ++*at;
    return known->n == 0 || (*at < known->n && known->v[*at].from <= uid);
}

static void tell_changed(struct imap_session *s, const struct qresync *q)
{
    const struct imap_view *v = &s->view;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    size_t at = 0;
    for (size_t row = 0; row < v->rows.n; row++) {
        if (v->rows.modseqs[row] <= q->modseq || !is_known(&q->known, &at, v->rows.v[row].uid))
            continue;
        imap_view_add_row(v, row, true, true, &out);
        if (out.n < STREAM_OUT_FLUSH)
            continue;
        stream_write(s->stream, buf_str(&out));
        buf_reset(&out);
    }
    stream_write(s->stream, buf_str(&out));
}

/* VANISHED first (RFC 7162 section 3.2.5.1). Of another UIDVALIDITY nothing is said: the client starts anew.
 */
static enum store_result resynchronise(struct imap_session *s, const struct mailbox *m,
                                       const struct qresync *q, struct err *e)
{
    if (q->uidvalidity != m->uidvalidity)
        return STORE_OK;
    enum store_result r =
        imap_tell_vanished(s, q->modseq, &q->known, uidnext_of(s, m), imap_matched_uid(&s->view, q), e);
    if (r == STORE_OK)
        tell_changed(s, q);
    return r;
}

/* --- the commands --- */

static bool take_arguments(struct imap_session *s, struct imap_cursor *c, struct str *name,
                           struct select_parameters *p)
{
    *p = (struct select_parameters){0};
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, name))
        return false;
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !imap_take_select_parameters(c, &s->arena, p)))
        return false;
    return imap_take_end(c);
}

static enum imap_status select_or_examine(struct imap_session *s, struct imap_cursor *c, bool read_only)
{
    struct str name;
    struct select_parameters p;
    struct err e = ERR_INIT;
    if (!take_arguments(s, c, &name, &p))
        return imap_bad_syntax(s, c);
    if (p.has_qresync && !(s->enabled & ENABLED_QRESYNC)) /* section 3.2.5 */
        return imap_bad(s, "ENABLE QRESYNC first");
    if (p.has_qresync && p.qresync.numbers.n > 0 && s->enabled & ENABLED_UIDONLY)
        return imap_bad(s, "[UIDREQUIRED] There are no sequence numbers with UIDONLY");
    if (s->is_selected) /* what comes before it is about the old mailbox: RFC 9051 section 7.1 */
        stream_write(s->stream, STR("* OK [CLOSED] The mailbox before is closed\r\n"));
    imap_deselect(s); /* also when it fails: section 6.3.2 */
    if (p.condstore || p.has_qresync)
        imap_enable(s, ENABLED_CONDSTORE, &e); /* nothing is selected: it cannot fail */
    struct mailbox m = {0};
    enum store_result r = open_mailbox(s, name, read_only, &m, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    s->is_selected = true;
    s->mailbox = m.id;
    tell_mailbox(s, &m, name);
    r = p.has_qresync ? resynchronise(s, &m, &p.qresync, &e) : STORE_OK;
    if (r != STORE_OK) {
        imap_deselect(s);
        return imap_no_store(s, r, &e);
    }
    return imap_ok(s, s->is_read_only ? "[READ-ONLY] Mailbox opened for reading only"
                                      : "[READ-WRITE] Mailbox selected");
}

enum imap_status imap_do_select(struct imap_session *s, struct imap_cursor *c)
{
    return select_or_examine(s, c, false);
}

enum imap_status imap_do_examine(struct imap_session *s, struct imap_cursor *c)
{
    return select_or_examine(s, c, true);
}

/* Removes what is \Deleted without a word about it; without the right to, it only closes (RFC 4314 section
 * 4). */
enum imap_status imap_do_close(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    uint32_t *expunged;
    size_t n;
    enum store_result r = STORE_OK;
    if (!s->is_read_only && s->rights & RIGHT_EXPUNGE)
        r = store_expunge(s->store, s->mailbox, NULL, 0, false, &s->arena, &expunged, &n, &e);
    if (r != STORE_OK && r != STORE_NONE) /* NONE: the mailbox itself is gone */
        return imap_no_store(s, r, &e);
    imap_deselect(s);
    return imap_ok(s, "Mailbox closed");
}

enum imap_status imap_do_unselect(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    imap_deselect(s);
    return imap_ok(s, "Mailbox closed, nothing expunged");
}
