/* ESEARCH (RFC 7377): UID SEARCH in several mailboxes at once, or in the selected one. */
#include "imap/context.h"
#include "imap/mailbox_filter.h"
#include "imap/rights.h"
#include "imap/search.h"

/* Filters in one IN (...). */
#define SOURCES_MAX 64

struct sources {
    bool are_given; /* IN was there: answers name their mailbox */
    struct mailbox_filter v[SOURCES_MAX];
    size_t n;
};

/* [SP "IN" SP "(" source-mbox *(SP source-mbox) [SP "(" scope-options ")"] ")"]. No scope option is defined
 * yet (section 2.2), so there can be none. */
static bool take_sources(struct imap_session *s, struct imap_cursor *c, struct sources *out)
{
    struct imap_cursor ahead = *c;
    *out = (struct sources){0};
    if (!imap_take_space(&ahead) || !imap_take_word(&ahead, STR("IN"))) {
        out->v[out->n++] = (struct mailbox_filter){.kind = FILTER_SELECTED};
        return true;
    }
    c->at = ahead.at;
    out->are_given = true;
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    do {
        if (out->n == SOURCES_MAX) {
            c->problem = "too many sources in one search";
            return false;
        }
        if (!imap_take_mailbox_filter(s, c, &out->v[out->n]))
            return false;
        if (out->v[out->n].kind == FILTER_SELECTED_DELAYED) {
            c->problem = "selected-delayed is for NOTIFY";
            return false;
        }
        out->n++;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

static bool only_selected(const struct sources *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->v[i].kind != FILTER_SELECTED)
            return false;
    return true;
}

static bool names_selected(const struct sources *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->v[i].kind == FILTER_SELECTED)
            return true;
    return false;
}

/* TAG "a1" MAILBOX name UIDVALIDITY n (section 2.1) */
static struct str correlator(struct imap_session *s, const struct mailbox *m)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, imap_tag_correlator(s));
    buf_add(&out, STR(" MAILBOX "));
    imap_add_mailbox(s, &out, m->name);
    buf_addf(&out, " UIDVALIDITY %u", m->uidvalidity);
    return arena_copy(&s->arena, buf_str(&out));
}

static enum imap_status search_selected(struct imap_session *s, const struct sources *in,
                                        const struct search_request *q)
{
    struct str names = imap_tag_correlator(s);
    struct mailbox m;
    struct err e = ERR_INIT;
    if (in->are_given) {
        enum store_result r = store_mailbox_by_id(s->store, s->mailbox, &s->arena, &m, &e);
        if (r != STORE_OK)
            return imap_no_store(s, r, &e);
        names = correlator(s, &m);
    }
    return imap_search_selected(s, STR("SEARCH"), true, q, names);
}

/* --- several mailboxes --- */

struct multisearch {
    struct imap_session *session;
    struct imap_cursor
        program; /* what stands behind IN (...): sequence numbers and "*" are each mailbox's own */
    const struct search_request *request;
};

/* Answers for one mailbox; nothing where nothing is found. */
static enum store_result tell_mailbox(struct multisearch *m, const struct mailbox *mailbox,
                                      const struct imap_view *view, const struct search_request *q,
                                      struct err *e)
{
    struct imap_session *s = m->session;
    struct search_found found;
    enum store_result r = imap_search_find(s, mailbox->id, view, true, q, &found, e);
    if (r != STORE_OK || found.results.n == 0)
        return r;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    imap_add_esearch(&out, correlator(s, mailbox), true, q, &found.results);
    stream_write(s->stream, buf_str(&out));
    return r;
}

/* With the program read anew, as it is in a mailbox that is seen so. */
static enum store_result tell_seen(struct multisearch *m, const struct mailbox *mailbox,
                                   const struct imap_view *view, struct err *e)
{
    struct imap_cursor c = m->program;
    struct search_scope scope = {.view = view};
    struct search_request q;
    if (imap_take_search(&c, &scope, &m->session->arena, &q) != SEARCH_PARSED) {
        err_set(e, ERR_INTERNAL, "a search was read before and cannot be read again");
        return STORE_FAILED;
    }
    q.returns = m->request->returns;
    q.is_extended = true;
    return tell_mailbox(m, mailbox, view, &q, e);
}

static enum store_result search_mailbox(struct multisearch *m, const struct mailbox *mailbox, struct err *e)
{
    struct imap_session *s = m->session;
    const struct search_keys *keys = &m->request->keys;
    bool is_selected = s->is_selected && mailbox->id == s->mailbox;
    if (!keys->needs_view && !keys->has_modseq)
        return tell_mailbox(m, mailbox, is_selected ? &s->view : NULL, m->request, e);
    if (is_selected)
        return tell_seen(m, mailbox, &s->view, e);
    struct imap_view view;
    enum store_result r = imap_view_open(&view, s->store, mailbox->id, s->enabled, mailbox->first_recent, e);
    if (r != STORE_OK)
        return r;
    r = tell_seen(m, mailbox, &view, e);
    imap_view_close(&view);
    return r;
}

static bool is_wanted(const struct imap_session *s, const struct sources *in, const struct mailbox *m)
{
    for (size_t i = 0; i < in->n && m->selectable; i++)
        if (imap_filter_matches(&in->v[i], m, s->is_selected ? s->mailbox : 0))
            return true;
    return false;
}

/* Names of mailboxes that are not there, or not to be read, are passed over (section 2.2), and so is one that
 * goes meanwhile. */
static enum imap_status search_several(struct multisearch *m, const struct sources *in)
{
    struct imap_session *s = m->session;
    struct imap_mailboxes list;
    struct err e = ERR_INIT;
    enum store_result r = imap_list_mailboxes(s, &list, &e);
    for (size_t i = 0; r == STORE_OK && i < list.n && s->stream->write_failed == STREAM_OK; i++) {
        if (list.rights[i] & RIGHT_READ && is_wanted(s, in, &list.v[i]))
            r = search_mailbox(m, &list.v[i], &e);
        if (r == STORE_NONE)
            r = STORE_OK;
    }
    return r == STORE_OK ? imap_ok(s, "Searched") : imap_no_store(s, r, &e);
}

enum imap_status imap_do_esearch(struct imap_session *s, struct imap_cursor *c)
{
    const struct imap_view nothing = {.enabled = s->enabled};
    struct sources in;
    if (!take_sources(s, c, &in))
        return imap_bad_syntax(s, c);
    if (!s->is_selected && names_selected(&in))
        return imap_bad(s, "No mailbox is selected");
    imap_sync(s, false);
    struct multisearch m = {.session = s, .program = *c};
    struct search_request q;
    struct search_scope scope = imap_selected_scope(s);
    if (!only_selected(&in))
        scope = (struct search_scope){.view = &nothing};
    enum search_parse_result parsed = imap_take_search(c, &scope, &s->arena, &q);
    enum imap_status problem = imap_search_problem(s, c, parsed, &q);
    if (problem != IMAP_OK)
        return problem;
    if (!q.is_extended)
        q.returns = RETURN_ALL;
    q.is_extended = true;
    if (only_selected(&in))
        return search_selected(s, &in, &q);
    struct err e = ERR_INIT;
    if (q.keys.has_modseq && imap_enable(s, ENABLED_CONDSTORE, &e) != STORE_OK) /* RFC 7162 section 3.1 */
        return imap_no_store(s, STORE_FAILED, &e);
    if (q.returns & RETURN_SAVE) /* section 2.3 */
        return imap_bad(s, "SAVE is for searches in the selected mailbox alone");
    if (q.returns & RETURN_UPDATE)
        imap_context_refuse(s, "Only a search in the selected mailbox can be updated");
    m.request = &q;
    return search_several(&m, &in);
}
