/* SEARCH and SORT in the selected mailbox (RFC 9051 section 6.4.4, RFC 5256), whose answer is ESEARCH where
 * RETURN asks for it (RFC 4731, RFC 5267 section 3) or IMAP4rev2 is enabled. */
#include "imap/search.h"

#include "imap/context.h"
#include "imap/saved.h"
#include "imap/search_view.h"

#include <stdlib.h>

struct search_scope imap_selected_scope(const struct imap_session *s)
{
    return (struct search_scope){.view = &s->view, .saved = &s->saved};
}

enum imap_status imap_search_problem(struct imap_session *s, const struct imap_cursor *c,
                                     enum search_parse_result r, const struct search_request *q)
{
    switch (r) {
    case SEARCH_PARSED: break;
    case SEARCH_SYNTAX: return imap_bad_syntax(s, c);
    case SEARCH_BAD_CHARSET:
        if (q->returns & RETURN_SAVE) /* RFC 5182 section 2.1: NO empties it */
            imap_saved_clear(s);
        return imap_no(s, "[BADCHARSET (UTF-8 US-ASCII ISO-8859-1)] That charset is not known here");
    }
    return IMAP_OK;
}

struct str imap_tag_correlator(struct imap_session *s)
{
    return arena_printf(&s->arena, "TAG \"%.*s\"", STR_ARGS(str_from(s->tag, s->tag_size)));
}

/* --- finding --- */

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* SORT says the order only; the scores come from a search, whose uids ascend. */
static enum store_result find_scores(struct imap_session *s, int64_t mailbox, const struct search_request *q,
                                     const uint32_t *uids, size_t n, uint8_t *scores, struct err *e)
{
    uint32_t *scored;
    uint8_t *relevance;
    size_t count;
    enum store_result r =
        store_search(s->store, mailbox, q->keys.tree, &s->arena, &scored, &count, NULL, &relevance, e);
    for (size_t i = 0; r == STORE_OK && i < n; i++) {
        const uint32_t *at = count > 0 ? bsearch(&uids[i], scored, count, sizeof *scored, by_uid) : NULL;
        scores[i] = at ? relevance[at - scored] : 1; /* it came between the two */
    }
    return r;
}

/* Keeps the results that the client knows of, in their order. */
static void keep_known(struct imap_session *s, const struct imap_view *view, bool are_uids,
                       const struct search_request *q, uint8_t *scores, size_t n, struct search_found *f)
{
    uint32_t *shown = ARENA_ARRAY(&s->arena, uint32_t, n + 1);
    uint64_t *modseqs = q->keys.has_modseq ? ARENA_ARRAY(&s->arena, uint64_t, n + 1) : NULL;
    size_t kept = 0, row = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_next = row < view->rows.n && view->rows.v[row].uid == f->uids[i];
        ptrdiff_t at = is_next ? (ptrdiff_t)row : imap_view_find(view, f->uids[i]);
        if (at < 0)
            continue;
        row = (size_t)at + 1; /* where the next one most often is */
        f->uids[kept] = f->uids[i];
        shown[kept] = are_uids ? f->uids[i] : (uint32_t)row;
        if (modseqs)
            modseqs[kept] = view->rows.modseqs[at];
        if (scores)
            scores[kept] = scores[i];
        kept++;
    }
    f->results = (struct search_results){.shown = shown, .modseqs = modseqs, .scores = scores, .n = kept};
}

enum store_result imap_search_find(struct imap_session *s, int64_t mailbox, const struct imap_view *view,
                                   bool are_uids, const struct search_request *q, struct search_found *out,
                                   struct err *e)
{
    bool wants_scores = q->returns & RETURN_RELEVANCY;
    uint8_t *scores = NULL;
    size_t n = 0;
    enum store_result r;
    *out = (struct search_found){0};
    if (q->criteria_count == 0 && view && !wants_scores &&
        imap_search_view(view, q->keys.tree, &s->arena, &out->uids, &n)) {
        r = STORE_OK;
    } else if (q->criteria_count == 0) {
        r = store_search(s->store, mailbox, q->keys.tree, &s->arena, &out->uids, &n, NULL,
                         wants_scores ? &scores : NULL, e);
    } else {
        r = store_sort(s->store, mailbox, q->keys.tree, q->criteria, q->criteria_count, &s->arena, &out->uids,
                       &n, NULL, e);
        if (r == STORE_OK && wants_scores) {
            scores = ARENA_ARRAY(&s->arena, uint8_t, n + 1);
            r = find_scores(s, mailbox, q, out->uids, n, scores, e);
        }
    }
    out->results = (struct search_results){.shown = out->uids, .scores = scores, .n = n};
    if (r == STORE_OK && view)
        keep_known(s, view, are_uids, q, scores, n, out);
    return r;
}

/* --- answering --- */

/* MESSAGELIMIT: the newest of what was found. What is sorted is bounded by what was asked for alone. */
static void limit(struct imap_session *s, const struct search_request *q, struct search_found *f)
{
    struct search_results *r = &f->results;
    size_t n = r->n;
    if (q->criteria_count > 0 || !imap_is_over_limit(s, n))
        return;
    imap_limit(s, &f->uids, &n);
    size_t dropped = r->n - n;
    r->shown += dropped;
    if (r->modseqs)
        r->modseqs += dropped;
    if (r->scores)
        r->scores += dropped;
    r->n = n;
}

static void save(struct imap_session *s, const struct search_request *q, const struct search_found *f)
{
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, f->results.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < f->results.n; i++)
        if (search_is_named(q, f->results.n, i))
            uids[n++] = f->uids[i];
    imap_saved_set(s, uids, n);
}

enum imap_status imap_search_selected(struct imap_session *s, struct str name, bool are_uids,
                                      const struct search_request *q, struct str correlator)
{
    if (q->returns & RETURN_UPDATE && imap_context_find(s, str_from(s->tag, s->tag_size)))
        return imap_bad(s, "A search of this tag is being updated already"); /* RFC 5267 section 4.3 */
    struct search_found found = {0};
    struct err e = ERR_INIT;
    enum store_result r = STORE_OK;
    if (q->keys.has_modseq)
        r = imap_enable(s, ENABLED_CONDSTORE, &e); /* RFC 7162 section 3.1 */
    if (r == STORE_OK)
        r = imap_search_find(s, s->mailbox, &s->view, are_uids, q, &found, &e);
    if (r != STORE_OK && q->returns & RETURN_SAVE)
        imap_saved_clear(s);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (!(q->returns & RETURN_UPDATE)) /* those are kept whole, to tell of changes */
        limit(s, q, &found);
    if (q->returns & RETURN_SAVE)
        save(s, q, &found);
    if (q->returns & RETURN_UPDATE)
        imap_context_add(s, are_uids, q, found.uids, found.results.n);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    if (q->is_extended)
        imap_add_esearch(&out, correlator, are_uids, q, &found.results);
    else
        imap_add_found(&out, name, &found.results);
    stream_write(s->stream, buf_str(&out));
    return q->returns & RETURN_SAVE ? imap_ok(s, "Searched, result saved") : imap_ok(s, "Searched");
}

/* --- the commands --- */

enum imap_status imap_do_search(struct imap_session *s, struct imap_cursor *c)
{
    struct search_request q;
    struct search_scope scope = imap_selected_scope(s);
    enum search_parse_result parsed = imap_take_search(c, &scope, &s->arena, &q);
    if (q.has_charset && s->enabled & ENABLED_UTF8) /* RFC 6855 section 3 */
        return imap_bad(s, "After ENABLE UTF8=ACCEPT, searches are in UTF-8: CHARSET may not be given");
    enum imap_status problem = imap_search_problem(s, c, parsed, &q);
    if (problem != IMAP_OK)
        return problem;
    if (!q.is_extended && s->enabled & ENABLED_IMAP4REV2) { /* RFC 9051 section 6.4.4 */
        q.is_extended = true;
        q.returns = RETURN_ALL;
    }
    return imap_search_selected(s, STR("SEARCH"), s->by_uid, &q, imap_tag_correlator(s));
}

enum imap_status imap_do_sort(struct imap_session *s, struct imap_cursor *c)
{
    struct search_request q;
    struct search_scope scope = imap_selected_scope(s);
    enum search_parse_result parsed = imap_take_sort(c, &scope, &s->arena, &q);
    enum imap_status problem = imap_search_problem(s, c, parsed, &q);
    if (problem != IMAP_OK)
        return problem;
    return imap_search_selected(s, STR("SORT"), s->by_uid, &q, imap_tag_correlator(s));
}
