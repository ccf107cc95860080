#include "mailbox/found.h"

#include "mailbox/catch_up.h"
#include "mailbox/search_text.h"

struct finding {
    struct store *store;
    uint32_t *uids;
    uint8_t *relevance;
    size_t n, at;
    struct search_text text;
    void (*each)(void *context, const struct found_row *row);
    void *context;
};

/* The keys of a message that are not stored, perhaps because the disk is full. */
static bool make_keys(struct finding *f, struct read_row *row, struct arena *a, struct err *e)
{
    struct str header, answers;
    search_text_start(&f->text, &row->fetch);
    if (!search_text_header(&f->text, &header, e))
        return false;
    keys_of_header(header, a, &row->keys, &answers);
    return true;
}

static bool give_batch(struct finding *f, struct reader *r, struct err *e)
{
    for (size_t i = 0; i < r->count; i++) {
        struct read_row *row = &r->rows[i];
        const struct message_row *m = &row->fetch.row;
        if (!row->has_keys && !make_keys(f, row, &r->arena, e))
            return false;
        while (f->uids[f->at] < m->uid)
            f->at++; /* expunged since the search */
        struct found_row found = {.uid = m->uid,
                                  .relevance = f->relevance[f->at],
                                  .received = m->received,
                                  .sent = row->keys.sent != SENT_UNKNOWN ? row->keys.sent : m->received,
                                  .size = m->size,
                                  .keys = &row->keys};
        f->each(f->context, &found);
    }
    return true;
}

static bool give_all(struct finding *f, int64_t mailbox, struct err *e)
{
    struct connection *c = store_take(f->store, e);
    if (!c)
        return false;
    struct reader r;
    reader_open(&r, mailbox, f->uids, f->n, WANT_KEYS);
    search_text_init(&f->text, c);
    bool good;
    do {
        good = sql_begin_read(c->db, e);
        if (good) {
            good = reader_next(&r, c->db, e) && give_batch(f, &r, e);
            sql_rollback(c->db);
        }
    } while (good && r.count > 0);
    search_text_free(&f->text);
    reader_close(&r);
    pool_give(&f->store->pool, c);
    return good;
}

enum store_result found_each(struct store *s, int64_t mailbox, const struct search_node *tree,
                             uint64_t *highest_modseq,
                             void (*each)(void *context, const struct found_row *row), void *context,
                             struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct finding f = {.store = s, .each = each, .context = context};
    struct err ignored = ERR_INIT; /* what could not be stored is made below */
    catch_up_finish(s, CATCH_UP_KEYS, &ignored);
    enum store_result r = store_search(s, mailbox, tree, &a, &f.uids, &f.n, highest_modseq, &f.relevance, e);
    if (r != STORE_OK || f.n == 0)
        return r;
    return give_all(&f, mailbox, e) ? STORE_OK : STORE_FAILED;
}
