#include "base/sql_serve.h"

#include "base/sql_engine.h"

#include <unistd.h>

#define ANSWER_MS 30000 /* a peer that does not take its answer for so long is stuck */

/* --- answers --- */

struct head {
    struct err err;
    int64_t changed;
    bool more;
    uint32_t columns, rows;
};

static void put_head(struct ipc_frame *f, struct sql *db, const struct head *h)
{
    ipc_put_u8(f, (uint8_t)h->err.kind);
    ipc_put_str(f, str_from_c(h->err.text));
    ipc_put_u8(f, sql_in_transaction(db));
    ipc_put_u64(f, (uint64_t)h->changed);
    ipc_put_u64(f, (uint64_t)sql_last_id(db));
    ipc_put_u8(f, h->more);
    ipc_put_u32(f, h->columns);
    ipc_put_u32(f, h->rows);
}

static enum sql_served state_of(const struct sql_session *s, struct sql *db)
{
    return s->open_count > 0 || sql_in_transaction(db) ? SQL_UNDER_WAY : SQL_SERVED;
}

static enum sql_served send(struct sql_session *s, struct sql *db, uint32_t id, const struct head *h,
                            const struct ipc_frame *values)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, SQL_FRAME_ANSWER);
    f.id = id;
    put_head(&f, db, h);
    if (values) {
        buf_add(&f.payload, buf_str(&values->payload));
        for (size_t i = 0; i < values->nfds; i++)
            ipc_put_fd(&f, values->fds[i]);
    }
    return ipc_send(s->channel, &f, deadline_in(ANSWER_MS)) == IPC_OK ? state_of(s, db) : SQL_BROKEN;
}

/* --- rows --- */

static void close_rows(struct sql_session *s, struct sql_served_rows *o)
{
    sql_end(&o->rows, NULL);
    *o = s->open[--s->open_count];
}

static bool put_row(struct ipc_frame *f, const struct sql_rows *rows, int columns, size_t inline_max,
                    struct err *e)
{
    size_t bytes = f->payload.n, fds = f->nfds;
    for (int i = 0; i < columns; i++) {
        struct sql_value v = rows->db->engine->get_value(rows, i);
        if (sql_wire_put(f, &v, inline_max, e))
            continue;
        buf_truncate(&f->payload, bytes);
        while (f->nfds > fds)
            close(f->fds[--f->nfds]);
        return false;
    }
    return true;
}

/* As many rows as one answer takes. A row that did not fit is the first of the next: it is still the one that
 * the statement stands at. */
static enum sql_served send_rows(struct sql_session *s, struct sql *db, uint32_t id,
                                 struct sql_served_rows *o, bool has_row)
{
    CLEAN_FRAME struct ipc_frame values;
    struct head h = {.columns = (uint32_t)db->engine->columns(&o->rows)};
    bool good = h.columns <= SQL_REMOTE_COLUMNS_MAX;
    ipc_frame_init(&values, SQL_FRAME_ANSWER);
    values.owns_fds = true;
    values.payload.max = IPC_PAYLOAD_MAX - ERR_TEXT_MAX - 64; /* the head comes before them */
    if (!good)
        err_set(&h.err, ERR_INTERNAL, "a statement with %u columns: %s", h.columns, o->statement->text);
    while (good && (has_row || sql_next(&o->rows))) {
        has_row = true;
        if (values.payload.n >= SQL_REMOTE_ROWS_BYTES)
            break;
        bool fits = put_row(&values, &o->rows, (int)h.columns, SQL_WIRE_INLINE, NULL);
        if (!fits && h.rows > 0)
            break;
        if (!fits && !put_row(&values, &o->rows, (int)h.columns, SQL_WIRE_SHORT, &h.err))
            good = err_set(&h.err, h.err.kind ? h.err.kind : ERR_INTERNAL, "a row is too long: %s",
                           o->statement->text);
        h.rows += good;
        has_row = false;
    }
    h.more = good && has_row;
    o->has_row = h.more;
    if (!h.more) {
        struct err e = ERR_INIT;
        struct sql_served_rows ended = *o;
        *o = s->open[--s->open_count];
        if (!sql_end(&ended.rows, &e) && good)
            h.err = e;
    }
    return send(s, db, id, &h, h.err.kind == ERR_NONE ? &values : NULL);
}

/* --- requests --- */

static enum sql_served answer(struct sql_session *s, struct sql *db, uint32_t id, bool good,
                              const struct err *e, int64_t changed)
{
    struct head h = {.changed = changed};
    if (!good)
        h.err = *e;
    return send(s, db, id, &h, NULL);
}

static bool is_open(const struct sql_session *s, uint32_t number)
{
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].number == number)
            return true;
    return false;
}

static enum sql_served run(struct sql_session *s, struct sql *db, struct sql_wire *w, uint32_t id)
{
    uint8_t wants_rows = ipc_get_u8(&w->in);
    uint32_t number = ipc_get_u32(&w->in), count = ipc_get_u32(&w->in);
    const struct sql_statement *statement = sql_statement_at(number, s->schema);
    struct sql_value v[SQL_REMOTE_PARAMS_MAX];
    struct err e = ERR_INIT;
    if (!statement || count > SQL_REMOTE_PARAMS_MAX || is_open(s, number))
        return SQL_BROKEN;
    for (uint32_t i = 0; i < count; i++)
        if (!sql_wire_get(w, &v[i]))
            return SQL_BROKEN;
    if (!ipc_done(&w->in) || (wants_rows && s->open_count == SQL_REMOTE_OPEN_MAX))
        return SQL_BROKEN;
    struct sql_params params = {v, count};
    int64_t changed = 0;
    if (!wants_rows) {
        bool good = sql_exec(db, statement, params, &changed, &e);
        return answer(s, db, id, good, &e, changed);
    }
    struct sql_served_rows *o = &s->open[s->open_count];
    *o = (struct sql_served_rows){.statement = statement, .number = number};
    if (!sql_query(db, statement, params, &o->rows, &e))
        return answer(s, db, id, false, &e, 0);
    s->open_count++;
    return send_rows(s, db, id, o, false);
}

static struct sql_served_rows *find_rows(struct sql_session *s, struct sql_wire *w)
{
    uint32_t number = ipc_get_u32(&w->in);
    for (size_t i = 0; ipc_done(&w->in) && i < s->open_count; i++)
        if (s->open[i].number == number)
            return &s->open[i];
    return NULL;
}

static enum sql_served roll_back(struct sql_session *s, struct sql *db)
{
    while (s->open_count > 0)
        close_rows(s, &s->open[0]);
    sql_rollback(db);
    return SQL_SERVED;
}

static enum sql_served dispatch(struct sql_session *s, struct sql *db, struct sql_wire *w, uint16_t type,
                                uint32_t id)
{
    struct err e = ERR_INIT;
    struct sql_served_rows *o;
    bool good;
    switch (type) {
    case SQL_FRAME_RUN: return run(s, db, w, id);
    case SQL_FRAME_NEXT: o = find_rows(s, w); return o ? send_rows(s, db, id, o, o->has_row) : SQL_BROKEN;
    case SQL_FRAME_CLOSE:
        o = find_rows(s, w);
        if (!o)
            return SQL_BROKEN;
        close_rows(s, o);
        return state_of(s, db);
    case SQL_FRAME_COMMIT: good = sql_commit(db, &e); return answer(s, db, id, good, &e, 0);
    case SQL_FRAME_ROLLBACK: return roll_back(s, db);
    case SQL_FRAME_SAVEPOINT: good = sql_savepoint(db, &e); return answer(s, db, id, good, &e, 0);
    case SQL_FRAME_RELEASE: good = sql_savepoint_release(db, &e); return answer(s, db, id, good, &e, 0);
    case SQL_FRAME_BACK: sql_savepoint_rollback(db); return answer(s, db, id, true, &e, 0);
    case SQL_FRAME_VERSION: return answer(s, db, id, true, &e, sql_data_version(db));
    case SQL_FRAME_OPEN: return SQL_OPEN_WANTED;
    default: return SQL_BROKEN;
    }
}

enum sql_served sql_serve(struct sql_session *s, struct sql *db, struct ipc_frame *f)
{
    struct sql_wire w = {.in = ipc_read(f), .frame = f};
    struct err e = ERR_INIT;
    uint8_t begin = ipc_get_u8(&w.in);
    if (begin > 2 || w.in.bad || (begin > 0 && sql_in_transaction(db)))
        return SQL_BROKEN;
    enum sql_served result;
    if (begin > 0 && !(begin == 2 ? sql_begin_write(db, &e) : sql_begin_read(db, &e)))
        result = answer(s, db, f->id, false, &e, 0);
    else
        result = dispatch(s, db, &w, f->type, f->id);
    sql_wire_release(&w);
    return result;
}

void sql_session_end(struct sql_session *s, struct sql *db)
{
    roll_back(s, db);
}
