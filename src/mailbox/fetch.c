/* Reading messages. Rows come in batches, and a database connection is held only while a batch or a piece of
 * a body is read: a client that takes minutes to read its answer keeps neither a connection from the others
 * nor the WAL from being reused. */
#include "base/mem.h"
#include "mailbox/internal.h"

struct store_fetch {
    struct store *store;
    struct reader reader;
    struct body_reader body;
    uint32_t *uids;
    size_t at; /* rows of the batch already given out */
    enum store_result result;
    struct err err;
};

enum store_result store_fetch_open(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                                   unsigned want, struct store_fetch **out, struct err *e)
{
    (void)e;
    struct store_fetch *f = MEM_NEW(struct store_fetch);
    f->store = s;
    if (uids) {
        f->uids = mem_resize(NULL, n, sizeof *uids);
        memcpy(f->uids, uids, n * sizeof *uids);
    }
    reader_open(&f->reader, mailbox, f->uids, n, want & (WANT_ENVELOPE | WANT_STRUCTURE | WANT_PARTS));
    body_reader_init(&f->body);
    *out = f;
    return STORE_OK;
}

static bool next_batch(struct store_fetch *f)
{
    struct connection *c = pool_take(&f->store->pool, &f->err);
    bool good = c && reader_next(&f->reader, c->db, &f->err);
    if (c)
        pool_give(&f->store->pool, c);
    if (!good)
        f->result = STORE_FAILED;
    f->at = 0;
    return good && f->reader.count > 0;
}

bool store_fetch_next(struct store_fetch *f, const struct fetch_row **row)
{
    if (f->result != STORE_OK || (f->at == f->reader.count && !next_batch(f)))
        return false;
    *row = &f->reader.rows[f->at++].fetch;
    return true;
}

enum store_result store_fetch_close(struct store_fetch *f, struct err *e)
{
    enum store_result r = f->result;
    if (r != STORE_OK)
        err_set(e, f->err.kind, "%s", f->err.text);
    reader_close(&f->reader);
    body_reader_free(&f->body);
    free(f->uids);
    free(f);
    return r;
}

enum store_result store_fetch_body(struct store_fetch *f, uint64_t offset, uint64_t n, struct buf *out,
                                   struct err *e)
{
    const struct message_row *row = &f->reader.rows[f->at - 1].fetch.row;
    struct connection *c = pool_take(&f->store->pool, e);
    if (!c)
        return STORE_FAILED;
    bool good = body_read(&f->body, c, row->body, row->size, offset, n, out, e);
    pool_give(&f->store->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

enum store_result store_message(struct store *s, int64_t mailbox, uint32_t uid, struct arena *a,
                                struct message_row *out, struct err *e)
{
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    struct reader r;
    reader_open(&r, mailbox, &uid, 1, 0);
    bool good = reader_next(&r, c->db, e), found = good && r.count > 0;
    pool_give(&s->pool, c);
    if (found) {
        *out = r.rows[0].fetch.row;
        out->keywords = arena_copy(a, out->keywords);
    }
    reader_close(&r);
    if (good && !found)
        err_set(e, ERR_PERMANENT, "there is no message with uid %u", uid);
    return !good ? STORE_FAILED : found ? STORE_OK : STORE_NONE;
}
