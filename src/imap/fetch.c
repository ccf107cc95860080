#include "imap/fetch.h"

#include "imap/flags.h"
#include "imap/rights.h"
#include "imap/section.h"
#include "imap/structure.h"
#include "imap/vanished.h"
#include "message/date.h"

/* Messages that are marked \Seen in one commit. */
#define FETCH_SEEN_BATCH ((size_t)512)

/* --- reading --- */

/* Makes f->row that of uids[at]. False: it is gone, or reading failed, which closing tells. */
static bool find_row(struct fetch *f)
{
    uint32_t uid = f->uids[f->at];
    while (f->row ? f->row->row.uid < uid : !f->is_read)
        if (!store_fetch_next(f->rows, &f->row)) {
            f->row = NULL;
            f->is_read = true;
        }
    return f->row && f->row->row.uid == uid;
}

void fetch_send(struct fetch *f)
{
    stream_write(f->session->stream, buf_str(&f->out));
    buf_reset(&f->out);
    if (stream_flush(f->session->stream, deadline_in(IMAP_COMMAND_MS)) != STREAM_OK)
        f->is_lost = true;
}

/* --- one message --- */

static void fetch_add_separator(struct fetch *f)
{
    if (f->has_item)
        buf_add_byte(&f->out, ' ');
    f->has_item = true;
}

void fetch_add_name(struct fetch *f, struct str name)
{
    fetch_add_separator(f);
    buf_add(&f->out, name);
    buf_add_byte(&f->out, ' ');
}

/* What the view knows by itself. In a session with CONDSTORE modseqs go with flags, and that a message
 * becomes \Seen is told once its modseq is known (store_seen). */
static void add_from_view(struct fetch *f, size_t row, bool becomes_seen)
{
    const struct imap_view *v = &f->session->view;
    bool has_modseqs = v->rows.modseqs != NULL;
    unsigned items = f->request->items;
    bool uid = f->session->by_uid && !(v->enabled & ENABLED_UIDONLY);
    if (uid || items & FETCH_UID) {
        fetch_add_name(f, STR("UID"));
        buf_add_u64(&f->out, v->rows.v[row].uid);
    }
    if (items & FETCH_FLAGS || (becomes_seen && !has_modseqs)) {
        uint32_t flags = v->rows.v[row].flags | (becomes_seen && !has_modseqs ? (uint32_t)FLAG_SEEN : 0);
        fetch_add_name(f, STR("FLAGS"));
        imap_add_flags(&f->out, flags, view_keywords(&v->rows, row));
    }
    if (has_modseqs && items & (FETCH_FLAGS | FETCH_MODSEQ)) {
        fetch_add_separator(f);
        imap_view_add_modseq(v, row, &f->out);
    }
}

static void add_from_row(struct fetch *f)
{
    unsigned items = f->request->items;
    const struct fetch_row *row = f->row;
    if (items & FETCH_INTERNALDATE) {
        fetch_add_name(f, STR("INTERNALDATE"));
        buf_add_byte(&f->out, '"');
        date_add_imap(&f->out, row->row.received, row->row.zone);
        buf_add_byte(&f->out, '"');
    }
    if (items & FETCH_SIZE) {
        fetch_add_name(f, STR("RFC822.SIZE"));
        buf_add_u64(&f->out, row->row.size);
    }
    if (items & FETCH_ENVELOPE) {
        fetch_add_name(f, STR("ENVELOPE"));
        buf_add(&f->out, row->envelope);
    }
    if (items & FETCH_BODYSTRUCTURE) {
        fetch_add_name(f, STR("BODYSTRUCTURE"));
        buf_add(&f->out, row->structure);
    }
    if (items & FETCH_BODY) {
        fetch_add_name(f, STR("BODY"));
        if (!imap_add_body(&f->out, row->structure)) {
            f->is_lost = true;
            f->result = STORE_FAILED;
            err_set(&f->err, ERR_INTERNAL, "the stored BODYSTRUCTURE of message %u cannot be read",
                    f->uids[f->at]);
        }
    }
}

static void add_message(struct fetch *f, size_t row, bool becomes_seen)
{
    size_t before = f->out.n;
    imap_view_add_start(&f->session->view, row, &f->out);
    f->has_item = false;
    add_from_view(f, row, becomes_seen);
    if (f->row) {
        add_from_row(f);
        fetch_add_extensions(f);
    }
    if (f->request->section_count > 0 && !f->is_lost) {
        arena_reset(&f->message);
        fetch_add_sections(f);
    }
    if (!f->has_item) /* nothing but what cannot be decoded was asked for */
        buf_truncate(&f->out, before);
    else
        buf_add(&f->out, STR(")\r\n"));
}

/* --- all of them --- */

/* The answers said that these are \Seen; now that is made true. Where it fails, what is true is told, and
 * with CONDSTORE what they have become. */
static void store_seen(struct fetch *f, const uint32_t *uids, size_t n)
{
    struct imap_session *s = f->session;
    const struct flag_store seen = {.how = FLAGS_ADD, .flags = FLAG_SEEN, .unchanged_since = UINT64_MAX};
    struct view_changes changed = {0};
    struct err e = ERR_INIT;
    enum store_result r =
        store_flags(s->store, s->mailbox, uids, n, &seen, &s->arena, &changed, NULL, NULL, &e);
    if (r == STORE_OK)
        imap_view_take_own(&s->view, &changed);
    bool tells = r != STORE_OK || s->view.rows.modseqs;
    for (size_t i = 0; tells && i < n; i++) {
        ptrdiff_t row = imap_view_find(&s->view, uids[i]);
        if (row >= 0)
            imap_view_tell_row(&s->view, (size_t)row, s->by_uid, s->stream);
    }
    if (r != STORE_OK && f->result == STORE_OK) {
        f->result = r;
        f->err = e;
    }
}

/* Returns how many messages were gone. */
static size_t fetch_all(struct fetch *f)
{
    struct imap_session *s = f->session;
    bool marks_seen = f->request->sets_seen && !s->is_read_only && s->rights & RIGHT_SEEN;
    uint32_t *seen = marks_seen ? ARENA_ARRAY(&s->arena, uint32_t, FETCH_SEEN_BATCH) : NULL;
    size_t seen_count = 0, missing = 0;
    ptrdiff_t row = -1;
    for (f->at = 0; f->at < f->n && !f->is_lost && f->result == STORE_OK; f->at++) {
        bool is_next = (size_t)++row < s->view.rows.n && s->view.rows.v[row].uid == f->uids[f->at];
        if (!is_next) /* most often it is */
            row = imap_view_find(&s->view, f->uids[f->at]);
        if (row < 0 || (f->rows && !find_row(f))) {
            missing++;
            continue;
        }
        bool becomes_seen = marks_seen && !(s->view.rows.v[row].flags & FLAG_SEEN);
        add_message(f, (size_t)row, becomes_seen);
        if (becomes_seen)
            seen[seen_count++] = f->uids[f->at];
        if (f->out.n >= FETCH_GATHER || seen_count == FETCH_SEEN_BATCH)
            fetch_send(f);
        if (seen_count == FETCH_SEEN_BATCH && !f->is_lost) {
            store_seen(f, seen, seen_count);
            seen_count = 0;
        }
    }
    if (!f->is_lost) /* the rest goes out with the tagged answer */
        stream_write(s->stream, buf_str(&f->out));
    if (seen_count > 0 && !f->is_lost) /* of a client that is gone nobody knows what it has seen */
        store_seen(f, seen, seen_count);
    return missing;
}

static bool needs_store(const struct fetch_request *q)
{
    return q->section_count > 0 || (q->items & ~(unsigned)(FETCH_UID | FETCH_FLAGS | FETCH_MODSEQ)) != 0;
}

static size_t open_and_fetch(struct fetch *f)
{
    if (!needs_store(f->request) || f->n == 0)
        return fetch_all(f);
    f->result =
        store_fetch_open(f->session->store, f->session->mailbox, f->uids, f->n, f->wants, &f->rows, &f->err);
    if (f->result != STORE_OK)
        return 0;
    size_t missing = fetch_all(f);
    struct err e = ERR_INIT;
    enum store_result closed = store_fetch_close(f->rows, &e);
    if (f->result == STORE_OK && closed != STORE_OK) {
        f->result = closed;
        f->err = e;
    }
    return missing;
}

/* What of a message is to be read from the store. */
static unsigned wants_of(const struct fetch_request *q)
{
    unsigned wants = 0;
    if (q->items & FETCH_ENVELOPE)
        wants |= WANT_ENVELOPE;
    if (q->items & (FETCH_BODYSTRUCTURE | FETCH_BODY))
        wants |= WANT_STRUCTURE;
    if (q->items & FETCH_PREVIEW)
        wants |= WANT_PREVIEW;
    if (q->section_count > 0)
        wants |= WANT_BODY;
    for (size_t i = 0; i < q->section_count; i++)
        if (section_needs_parts(&q->sections[i]))
            wants |= WANT_PARTS;
    return wants;
}

static size_t count_numbers(const struct imap_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += (size_t)(set->v[i].to - set->v[i].from) + 1;
    return n;
}

static enum imap_status fetch_outcome(struct fetch *f, size_t missing)
{
    struct imap_session *s = f->session;
    enum imap_status failed = f->result == STORE_OK ? IMAP_OK : imap_no_store(s, f->result, &f->err);
    if (f->is_lost || failed != IMAP_OK)
        return f->is_lost ? IMAP_LOST : failed;
    /* UIDs that are not there are passed over in silence (section 6.4.8); numbers are still held by the
     * client, which has not been told yet that their messages are gone (RFC 5530). */
    if (missing > 0 && !s->by_uid)
        return imap_no(s, "[EXPUNGEISSUED] Some of the messages are gone");
    if (f->has_unknown_encoding) /* RFC 3516 section 4.3 */
        return imap_no(s, "[UNKNOWN-CTE] A part has a transfer encoding that is not known here");
    return imap_ok(s, "Fetched");
}

/* PARTIAL comes before CHANGEDSINCE: what has changed within the window is told (RFC 9394 section 3.3). */
static void keep_window(struct fetch *f)
{
    size_t first, count;
    imap_partial_slice(&f->request->window, f->n, &first, &count);
    f->uids += first;
    f->n = count;
}

/* CHANGEDSINCE: of the messages those that have changed. */
static void keep_changed(struct fetch *f)
{
    const struct imap_view *v = &f->session->view;
    size_t kept = 0;
    for (size_t i = 0, row = 0; i < f->n; i++) {
        row = view_place(&v->rows, f->uids[i]);
        if (v->rows.modseqs[row] > f->request->changed_since)
            f->uids[kept++] = f->uids[i];
    }
    f->n = kept;
}

/* What CONDSTORE and QRESYNC have to say before the messages themselves. */
static enum store_result begin(struct fetch *f, const struct imap_set *set)
{
    struct imap_session *s = f->session;
    const struct fetch_request *q = f->request;
    enum store_result r = STORE_OK;
    if (q->items & FETCH_MODSEQ)
        r = imap_enable(s, ENABLED_CONDSTORE, &f->err);
    if (r == STORE_OK && q->has_changed_since)
        keep_changed(f);
    imap_limit(s, &f->uids, &f->n);
    if (r == STORE_OK && q->wants_vanished) {
        struct mailbox m;
        r = store_mailbox_by_id(s->store, s->mailbox, &s->arena, &m, &f->err);
        if (r == STORE_OK)
            r = imap_tell_vanished(s, q->changed_since, set, m.uidnext, 0, &f->err);
    }
    return r;
}

enum store_result imap_fetch_told(struct imap_session *s, const struct fetch_request *q, uint32_t *uids,
                                  size_t n, struct err *e)
{
    struct fetch f = {.session = s, .request = q, .wants = wants_of(q), .uids = uids, .n = n};
    buf_init(&f.out, BUF_MAX_DEFAULT);
    buf_init(&f.header, BUF_MAX_DEFAULT);
    open_and_fetch(&f);
    buf_free(&f.out);
    buf_free(&f.header);
    arena_free(&f.message);
    s->is_ending |= f.is_lost;
    *e = f.err;
    return f.result;
}

static bool take_request(struct imap_session *s, struct imap_cursor *c, struct imap_set *set,
                         struct fetch_request *out)
{
    if (!imap_take_space(c) || !imap_take_messages(s, c, set) || !imap_take_space(c) ||
        !imap_take_fetch_request(c, &s->arena, out))
        return false;
    if (imap_peek(c) == ' ' && !imap_take_fetch_modifiers(c, out))
        return false;
    return imap_take_end(c);
}

enum imap_status imap_do_fetch(struct imap_session *s, struct imap_cursor *c)
{
    struct imap_set set;
    struct fetch_request request;
    if (!take_request(s, c, &set, &request))
        return imap_bad_syntax(s, c);
    if (request.wants_vanished &&
        (!s->by_uid || !request.has_changed_since || !(s->enabled & ENABLED_QRESYNC)))
        return imap_bad(s, "VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC"); /* section 3.2.6 */
    struct fetch f = {.session = s, .request = &request, .wants = wants_of(&request)};
    buf_init(&f.out, BUF_MAX_DEFAULT);
    buf_init(&f.header, BUF_MAX_DEFAULT);
    /* Of a message that is gone, what the view has of it can be told until EXPUNGE is (RFC 2180 4.1.2). */
    f.uids = s->by_uid || needs_store(&request) ? imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &f.n)
                                                : imap_view_uids_untold(&s->view, &set, &s->arena, &f.n);
    size_t missing = s->by_uid ? 0 : count_numbers(&set) - f.n;
    if (request.is_partial)
        keep_window(&f);
    f.result = begin(&f, &set);
    if (f.result == STORE_OK)
        missing += open_and_fetch(&f);
    buf_free(&f.out);
    buf_free(&f.header);
    arena_free(&f.message);
    return fetch_outcome(&f, missing);
}
