/* Reading messages. Rows come in batches, and a database connection is held only while a batch or a piece of
 * a body is read: a client that takes minutes to read its answer keeps neither a connection from the others
 * nor the WAL from being reused. */
#include "base/log.h"
#include "base/mem.h"
#include "mailbox/internal.h"
#include "message/preview.h"

MAIL_STATEMENT(SET_PREVIEW, "UPDATE body SET preview = $2 WHERE id = $1");

/* A preview that was worked out late, to be kept. */
struct late_preview {
    struct late_preview *next;
    int64_t body;
    struct str text;
};

struct store_fetch {
    struct store *store;
    struct reader reader;
    struct body_reader body;
    uint32_t *uids;
    size_t at;          /* rows of the batch already given out */
    struct arena arena; /* of the batch's late previews */
    struct late_preview *previews;
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
    reader_open(&f->reader, mailbox, f->uids, n,
                want & (WANT_ENVELOPE | WANT_STRUCTURE | WANT_PARTS | WANT_PREVIEW | WANT_BODY));
    body_reader_init(&f->body, want & WANT_BODY ? &s->aheads : NULL);
    *out = f;
    return STORE_OK;
}

/* Those of a batch together. It is no harm when that fails: they are worked out again. */
static void keep_previews(struct store_fetch *f)
{
    struct change ch;
    struct err e = ERR_INIT;
    if (f->previews && change_open(f->store, &ch, &e) == STORE_OK) {
        bool good = true;
        for (struct late_preview *p = f->previews; good && p; p = p->next)
            good = sql_exec(ch.db, &SET_PREVIEW, SQL(sql_int(p->body), sql_text(p->text)), NULL, &e);
        if (!good)
            change_cancel(&ch);
        else if (change_commit(&ch, &e) != STORE_OK)
            LOG_WARNING("store.previews_not_kept", F_C("error", e.text));
    }
    f->previews = NULL;
    arena_reset(&f->arena);
}

static bool next_batch(struct store_fetch *f)
{
    keep_previews(f);
    struct connection *c = store_take(f->store, &f->err);
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
    const struct read_row *next = &f->reader.rows[f->at++];
    f->body.packed = next->packed;
    f->body.packed_id = next->packed.n > 0 ? chunk_id(next->fetch.row.body, 0) : 0;
    *row = &next->fetch;
    return true;
}

enum store_result store_fetch_close(struct store_fetch *f, struct err *e)
{
    enum store_result r = f->result;
    if (r != STORE_OK)
        err_set(e, f->err.kind, "%s", f->err.text);
    keep_previews(f);
    arena_free(&f->arena);
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
    struct connection *c = store_take(f->store, e);
    if (!c)
        return STORE_FAILED;
    bool good = body_read(&f->body, c, row->body, row->size, offset, n, out, e);
    pool_give(&f->store->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

enum store_result store_fetch_preview(struct store_fetch *f, struct str *preview, struct err *e)
{
    struct fetch_row *row = &f->reader.rows[f->at - 1].fetch;
    CLEAN_BUF struct buf front, text;
    CLEAN_ARENA struct arena parts = ARENA_INIT;
    buf_init(&front, PREVIEW_SOURCE_MAX);
    buf_init(&text, PREVIEW_BYTES);
    if (!row->has_preview) {
        enum store_result r = store_fetch_body(f, 0, PREVIEW_SOURCE_MAX, &front, e);
        if (r != STORE_OK)
            return r;
        preview_make(buf_str(&front), mime_parse(buf_str(&front), &parts), &text);
        struct late_preview *late = ARENA_NEW(&f->arena, struct late_preview);
        *late = (struct late_preview){f->previews, row->row.body, arena_copy(&f->arena, buf_str(&text))};
        f->previews = late;
        row->preview = late->text;
        row->has_preview = true;
    }
    *preview = row->preview;
    return STORE_OK;
}

enum store_result store_message(struct store *s, int64_t mailbox, uint32_t uid, struct arena *a,
                                struct message_row *out, struct err *e)
{
    struct connection *c = store_take(s, e);
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
