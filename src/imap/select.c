/* SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 sections 6.3.1, 6.3.2, 6.4.2; RFC 3691). */
#include "imap/session.h"

/* The number of the first message that is not \Seen; 0: all are. */
static size_t first_unseen(const struct imap_view *v)
{
    for (size_t i = 0; i < v->rows.n; i++)
        if (!(v->rows.v[i].flags & FLAG_SEEN))
            return i + 1;
    return 0;
}

static void tell_mailbox(struct imap_session *s, const struct mailbox *m)
{
    const struct imap_view *v = &s->view;
    struct stream *out = s->stream;
    imap_view_tell_flags(v, out);
    if (s->is_read_only)
        stream_write(out, STR("* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n"));
    else
        stream_write(out, STR("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] "
                              "Keywords may be made up\r\n"));
    stream_writef(out, "* %zu EXISTS\r\n* %zu RECENT\r\n", v->rows.n, v->recent);
    size_t unseen = first_unseen(v);
    if (unseen > 0)
        stream_writef(out, "* OK [UNSEEN %zu] The first unseen message\r\n", unseen);
    /* Mail may have come between the two reads. */
    uint32_t next = m->uidnext > imap_view_last_uid(v) ? m->uidnext : imap_view_last_uid(v) + 1;
    stream_writef(out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] The next UID\r\n",
                  m->uidvalidity, next);
}

static enum store_result open_mailbox(struct imap_session *s, struct str name, bool read_only,
                                      struct mailbox *m, struct err *e)
{
    enum store_result r = store_mailbox_find(s->store, name, &s->arena, m, e);
    if (r == STORE_OK && !m->selectable)
        r = STORE_NONE;
    uint32_t first_recent = m->first_recent;
    if (r == STORE_OK && !read_only)
        r = store_claim_recent(s->store, m->id, &first_recent, e);
    if (r == STORE_OK)
        r = imap_view_open(&s->view, s->store, m->id, first_recent, e);
    return r;
}

static enum imap_status select_or_examine(struct imap_session *s, struct imap_cursor *c, bool read_only)
{
    struct str name;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    imap_deselect(s); /* also when it fails: section 6.3.1 */
    struct mailbox m = {0};
    struct err e = ERR_INIT;
    enum store_result r = open_mailbox(s, name, read_only, &m, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    s->is_selected = true;
    s->is_read_only = read_only;
    s->mailbox = m.id;
    tell_mailbox(s, &m);
    return imap_ok(s, read_only ? "[READ-ONLY] Mailbox examined" : "[READ-WRITE] Mailbox selected");
}

enum imap_status imap_do_select(struct imap_session *s, struct imap_cursor *c)
{
    return select_or_examine(s, c, false);
}

enum imap_status imap_do_examine(struct imap_session *s, struct imap_cursor *c)
{
    return select_or_examine(s, c, true);
}

/* Removes what is \Deleted without a word about it. */
enum imap_status imap_do_close(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    uint32_t *expunged;
    size_t n;
    enum store_result r = STORE_OK;
    if (!s->is_read_only)
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
