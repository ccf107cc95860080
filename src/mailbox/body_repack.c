/* Packs bodies behind delivery. */
#include "mailbox/body_pack.h"
#include "mailbox/catch_up.h"
#include "message/parts.h"

MAIL_STATEMENT(NEXT_BODIES, "SELECT id, parts FROM body WHERE id > $1 ORDER BY id LIMIT $2");
MAIL_STATEMENT(DELETE_CHUNKS, "DELETE FROM body_chunk WHERE id BETWEEN $1 AND $2");
MAIL_STATEMENT(INSERT_PACK, "INSERT INTO body_chunk(id, data) VALUES($1, $2)");

struct candidate {
    int64_t body;
    uint64_t size;
};

struct made {
    int64_t first, last; /* bodies */
    size_t n;
    struct str data;
};

struct packing {
    struct store *store;
    struct connection *c;
    struct arena arena;
    struct candidate *candidates;
    size_t n;
    bool is_cut; /* there are more than these */
    struct body_reader reader;
    struct pack pack;
    struct made *made;
    size_t made_count, made_cap;
    int64_t from, to; /* done before, and after */
    struct err *e;
};

static uint64_t size_of(struct str parts)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const struct mime_part *root = parts_unpack(parts, &a);
    return root ? root->header_size + root->body_size : 0;
}

static bool read_candidates(struct packing *p, size_t max)
{
    struct sql_rows rows;
    size_t cap = 0;
    if (!sql_query(p->c->db, &NEXT_BODIES, SQL(sql_int(p->from), sql_int((int64_t)max + 1)), &rows, p->e))
        return false;
    while (!p->is_cut && sql_next(&rows)) {
        p->is_cut = p->n == max;
        if (p->is_cut)
            break;
        p->candidates = list_room(&p->arena, p->candidates, p->n, &cap, sizeof *p->candidates);
        p->candidates[p->n++] = (struct candidate){sql_get_int(&rows, 0), size_of(sql_get_str(&rows, 1))};
    }
    return sql_end(&rows, p->e);
}

/* What is in the pack is a row, if it is more than one body. */
static bool close_pack(struct packing *p)
{
    struct pack *k = &p->pack;
    if (k->n == 0)
        return true;
    CLEAN_BUF struct buf data;
    buf_init(&data, BUF_MAX_DEFAULT);
    if (k->n > 1 && !pack_make(k, &data, p->e))
        return false;
    p->to = k->ids[k->n - 1];
    if (k->n > 1) {
        p->made = list_room(&p->arena, p->made, p->made_count, &p->made_cap, sizeof *p->made);
        p->made[p->made_count++] =
            (struct made){k->ids[0], p->to, k->n, arena_copy(&p->arena, buf_str(&data))};
    }
    k->n = 0;
    buf_reset(&k->bytes);
    return true;
}

/* Adds a body. One that does not suit, or cannot be read, stays by itself, and ends the pack before it: a
 * pack holds neighbours. */
static bool add(struct packing *p, const struct candidate *c)
{
    bool suits = c->size > 0 && c->size <= PACK_BODY_MAX;
    if ((!suits || !pack_has_room(&p->pack, c->size)) && !close_pack(p))
        return false;
    size_t before = p->pack.bytes.n;
    struct err ignored = ERR_INIT;
    if (suits && body_read(&p->reader, p->c, c->body, c->size, 0, c->size, &p->pack.bytes, &ignored)) {
        pack_add(&p->pack, c->body, c->size);
        return true;
    }
    buf_truncate(&p->pack.bytes, before);
    bool good = close_pack(p);
    p->to = c->body;
    return good;
}

static bool read_all(struct packing *p, size_t max)
{
    if (!catch_up_progress(p->c->db, CATCH_UP_PACKS, &p->from, p->e) || !read_candidates(p, max))
        return false;
    p->to = p->from;
    for (size_t i = 0; i < p->n; i++)
        if (!add(p, &p->candidates[i]))
            return false;
    return p->pack.bytes.n < PACK_LEAST || p->is_cut || close_pack(p); /* less waits for more */
}

static bool prepare(struct packing *p, size_t max)
{
    p->c = store_take(p->store, p->e);
    if (!p->c)
        return false;
    bool good = sql_begin_read(p->c->db, p->e);
    if (good) {
        good = read_all(p, max);
        sql_rollback(p->c->db);
    }
    pool_give(&p->store->pool, p->c);
    return good;
}

static bool write(struct packing *p, struct sql *db)
{
    int64_t from;
    if (!catch_up_progress(db, CATCH_UP_PACKS, &from, p->e))
        return false;
    for (size_t i = 0; i < p->made_count; i++) {
        const struct made *m = &p->made[i];
        int64_t deleted;
        if (!sql_exec(db, &DELETE_CHUNKS, SQL(sql_int(chunk_id(m->first, 0)), sql_int(pack_id(m->last))),
                      &deleted, p->e))
            return false;
        if (from != p->from || deleted != (int64_t)m->n)
            return err_set(p->e, ERR_TEMPORARY, "another process has packed or purged messages");
        if (!sql_exec(db, &INSERT_PACK, SQL(sql_int(pack_id(m->last)), sql_blob(m->data)), NULL, p->e))
            return false;
    }
    return catch_up_set(db, CATCH_UP_PACKS, p->to, p->e);
}

static bool store(struct packing *p)
{
    struct change ch;
    if (change_open(p->store, &ch, p->e) != STORE_OK)
        return false;
    if (write(p, ch.db))
        return change_commit(&ch, p->e) == STORE_OK;
    change_cancel(&ch);
    return false;
}

bool pack_more(struct store *s, size_t bodies, bool *more, struct err *e)
{
    struct packing p = {.store = s, .e = e};
    body_reader_init(&p.reader, NULL);
    pack_init(&p.pack);
    bool good = prepare(&p, bodies) && (p.to == p.from || store(&p));
    *more = p.is_cut && p.to > p.from;
    pack_free(&p.pack);
    body_reader_free(&p.reader);
    arena_free(&p.arena);
    return good;
}
