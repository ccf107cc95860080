/* SEARCH and UID SEARCH (RFC 3501 section 6.4.4). */
#include "imap/search_parse.h"
#include "imap/session.h"

/* The uids, ascending, that the client knows of, as it asked for them: "* SEARCH 2 84 882". */
static void tell_found(struct imap_session *s, const uint32_t *uids, size_t n)
{
    const struct view *rows = &s->view.rows;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* SEARCH"));
    size_t row = 0;
    for (size_t i = 0; i < n; i++) {
        while (row < rows->n && rows->v[row].uid < uids[i])
            row++;
        if (row == rows->n)
            break;
        if (rows->v[row].uid != uids[i])
            continue;
        buf_add_byte(&out, ' ');
        buf_add_u64(&out, s->by_uid ? uids[i] : row + 1);
    }
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
}

enum imap_status imap_do_search(struct imap_session *s, struct imap_cursor *c)
{
    struct search_node *tree;
    switch (imap_take_search(c, &s->view, &s->arena, &tree)) {
    case SEARCH_PARSED: break;
    case SEARCH_SYNTAX: return imap_bad_syntax(s, c);
    case SEARCH_BAD_CHARSET:
        return imap_no(s, "[BADCHARSET (UTF-8 US-ASCII ISO-8859-1)] That charset is not known here");
    }
    struct err e = ERR_INIT;
    uint32_t *uids;
    size_t n;
    enum store_result r = store_search(s->store, s->mailbox, tree, &s->arena, &uids, &n, NULL, NULL, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    tell_found(s, uids, n);
    return imap_ok(s, "Searched");
}
