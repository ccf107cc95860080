/* THREAD: what the algorithms need of each message found. */
#include "mailbox/catch_up.h"
#include "mailbox/found.h"
#include "mailbox/thread_tree.h"

struct threading {
    struct arena arena;
    struct thread_message *messages;
    size_t n, cap;
    enum thread_algorithm algorithm;
};

static void add(void *context, const struct found_row *row)
{
    struct threading *t = context;
    const struct body_keys *k = row->keys;
    bool wants_subject = t->algorithm != THREAD_REFS, wants_links = t->algorithm != THREAD_ORDEREDSUBJECT;
    t->messages = list_room(&t->arena, t->messages, t->n, &t->cap, sizeof *t->messages);
    t->messages[t->n++] = (struct thread_message){
        .uid = row->uid,
        .sent = row->sent,
        .received = row->received,
        .is_reply = k->is_reply,
        .subject = wants_subject ? arena_copy(&t->arena, k->subject) : STR(""),
        .links = wants_links ? arena_copy(&t->arena, k->links) : STR(""),
    };
}

enum store_result store_thread(struct store *s, int64_t mailbox, const struct search_node *tree,
                               enum thread_algorithm algorithm, struct arena *a, struct thread_node **root,
                               uint64_t *highest_modseq, struct err *e)
{
    struct threading t = {.algorithm = algorithm};
    enum store_result r = found_each(s, mailbox, tree, highest_modseq, add, &t, e);
    if (r == STORE_OK)
        *root = thread_tree(t.messages, t.n, algorithm, a);
    arena_free(&t.arena);
    return r;
}

MAIL_STATEMENT(THREAD, "SELECT thread FROM body_key WHERE body = $1");

static int look_up(struct store *s, int64_t body, int64_t *thread, struct err *e)
{
    struct connection *c = store_take(s, e);
    int found = c ? sql_one_int(c->db, &THREAD, SQL(sql_int(body)), thread, e) : -1;
    if (c)
        pool_give(&s->pool, c);
    return found;
}

enum store_result store_thread_id(struct store *s, int64_t body, uint64_t *thread, struct err *e)
{
    int64_t id = 0;
    int found = look_up(s, body, &id, e);
    if (found == 0) {
        if (!catch_up_finish(s, CATCH_UP_KEYS, e))
            return STORE_FAILED;
        found = look_up(s, body, &id, e);
    }
    *thread = (uint64_t)id;
    if (found == 0)
        err_set(e, ERR_PERMANENT, "there is no message body %lld", (long long)body);
    return found < 0 ? STORE_FAILED : found ? STORE_OK : STORE_NONE;
}
