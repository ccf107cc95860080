/* THREAD and UID THREAD (RFC 5256). */
#include "imap/search.h"

/* Threads that are under way, the innermost first. A chain of replies may be as deep as there are messages,
 * so they are not walked by recursion. */
struct open_thread {
    struct open_thread *around;
    const struct thread_node *sibling; /* of the one that is open */
};

static void add_number(struct buf *out, const struct imap_session *s, uint32_t uid, bool is_first)
{
    if (!is_first)
        buf_add_byte(out, ' ');
    buf_add_u64(out, s->by_uid ? uid : (uint64_t)imap_view_find(&s->view, uid) + 1);
}

/* thread-list: "(", then a message with its only reply, and the only reply to that, and so on: "(3 6".
 * Returns the first of several replies, which are lists of their own; NULL: the chain just ends. A message
 * that is not there (uid 0) holds others together and has no number. */
static const struct thread_node *add_chain(struct buf *out, const struct imap_session *s,
                                           const struct thread_node *n)
{
    bool is_first = true;
    buf_add_byte(out, '(');
    for (;; n = n->child) {
        if (n->uid > 0) {
            add_number(out, s, n->uid, is_first);
            is_first = false;
        }
        if (!n->child)
            return NULL;
        if (n->child->next) {
            if (!is_first)
                buf_add_byte(out, ' ');
            return n->child;
        }
    }
}

static void add_threads(struct buf *out, struct imap_session *s, const struct thread_node *n)
{
    struct open_thread *open = NULL;
    while (n || open) {
        if (!n) { /* the last of several replies: what they are replies to ends with it */
            buf_add_byte(out, ')');
            n = open->sibling;
            open = open->around;
            continue;
        }
        const struct thread_node *replies = add_chain(out, s, n);
        if (!replies) {
            buf_add_byte(out, ')');
            n = n->next;
            continue;
        }
        struct open_thread *inner = ARENA_NEW(&s->arena, struct open_thread);
        *inner = (struct open_thread){.around = open, .sibling = n->next};
        open = inner;
        n = replies;
    }
}

/* Only messages that the client knows of: what came since would have no number. */
static struct search_node *up_to(struct imap_session *s, struct search_node *tree, uint32_t last_uid)
{
    struct search_node *known = ARENA_NEW(&s->arena, struct search_node);
    struct search_node *both = ARENA_NEW(&s->arena, struct search_node);
    struct uid_range *range = ARENA_NEW(&s->arena, struct uid_range);
    *range = (struct uid_range){1, last_uid};
    *known = (struct search_node){.kind = SEARCH_UIDS, .ranges = range, .range_count = last_uid > 0};
    *both = (struct search_node){.kind = SEARCH_AND, .first = known, .second = tree};
    return both;
}

enum imap_status imap_do_thread(struct imap_session *s, struct imap_cursor *c)
{
    struct search_request q;
    struct search_scope scope = imap_selected_scope(s);
    enum search_parse_result parsed = imap_take_thread(c, &scope, &s->arena, &q);
    enum imap_status problem = imap_search_problem(s, c, parsed, &q);
    if (problem != IMAP_OK)
        return problem;
    struct thread_node *root = NULL;
    struct err e = ERR_INIT;
    enum store_result r =
        store_thread(s->store, s->mailbox, up_to(s, q.keys.tree, imap_view_last_uid(&s->view)), q.algorithm,
                     &s->arena, &root, NULL, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add_c(&out, root ? "* THREAD " : "* THREAD");
    add_threads(&out, s, root);
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
    return imap_ok(s, "Threaded");
}
