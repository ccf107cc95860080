#include "base/sql_remote.h"

#include "base/mem.h"
#include "base/sql_engine.h"

#include <unistd.h>

/* Longer than store waits for a lock or for PostgreSQL to be there again; a purge reads for a while. */
#define ANSWER_MS (120 * 1000)

enum { BEGIN_NOTHING, BEGIN_READ, BEGIN_WRITE };

/* A statement whose rows are being read: those of the last answer. */
struct open {
    const struct sql_statement *statement; /* NULL: free */
    struct ipc_frame answer;
    struct sql_wire wire;
    uint32_t left, columns;
    bool more; /* store has further ones */
    struct err err;
    struct sql_value row[SQL_REMOTE_COLUMNS_MAX];
};

struct remote {
    struct sql sql; /* first */
    int (*connect)(void *context, struct deadline d);
    void *context;
    int channel;
    uint8_t begin;       /* a transaction that the next request will begin */
    bool in_transaction; /* here; over there it is once `begin` has been sent */
    bool is_lost;        /* it ended there without our doing */
    int64_t last_id;
    struct open *open[SQL_REMOTE_OPEN_MAX];
};

static struct remote *of(struct sql *db)
{
    return (struct remote *)db;
}

/* --- one request --- */

static bool lose(struct remote *r, struct err *e)
{
    if (r->channel >= 0)
        close(r->channel);
    r->channel = -1;
    r->is_lost |= r->in_transaction;
    r->in_transaction = false;
    return err_set(e, ERR_TEMPORARY, "store, which speaks to the database, does not answer");
}

static void start(struct remote *r, struct ipc_frame *f, enum sql_frame type)
{
    ipc_frame_init(f, (uint16_t)type);
    f->owns_fds = true;
    ipc_put_u8(f, r->begin);
}

/* Sends the request and waits for the answer, which the caller frees. What never reached store, before any
 * transaction is under way there, goes to a new one. */
static bool call(struct remote *r, struct ipc_frame *f, struct ipc_frame *answer, struct err *e)
{
    if (r->is_lost)
        return err_set(e, ERR_TEMPORARY, "the connection to the database was lost in the transaction");
    struct deadline d = deadline_in(ANSWER_MS);
    bool is_under_way = r->in_transaction && r->begin == BEGIN_NOTHING, sent = false;
    enum ipc_result got = IPC_EOF;
    if (r->channel >= 0)
        got = ipc_call_all(r->channel, f, answer, 1, d, &sent);
    if (got == IPC_EOF && !sent && !is_under_way) {
        if (r->channel >= 0)
            close(r->channel);
        r->channel = r->connect(r->context, d);
        if (r->channel >= 0)
            got = ipc_call_all(r->channel, f, answer, 1, d, &sent);
    }
    if (got != IPC_OK)
        return lose(r, e);
    r->begin = BEGIN_NOTHING;
    return true;
}

struct answer {
    struct ipc_reader in; /* behind the head: at the values */
    uint64_t changed;
    uint32_t columns, rows;
    bool more;
};

/* The head of an answer. False: an error, which store had or which its answer is. */
static bool read_answer(struct remote *r, const struct ipc_frame *f, struct answer *a, struct err *e)
{
    a->in = ipc_read(f);
    uint8_t kind = ipc_get_u8(&a->in);
    struct str words = ipc_get_str(&a->in);
    bool in_transaction = ipc_get_u8(&a->in) != 0;
    a->changed = ipc_get_u64(&a->in);
    uint64_t last_id = ipc_get_u64(&a->in);
    a->more = ipc_get_u8(&a->in) != 0;
    a->columns = ipc_get_u32(&a->in);
    a->rows = ipc_get_u32(&a->in);
    if (a->in.bad || f->type != SQL_FRAME_ANSWER || kind > ERR_INTERNAL ||
        a->columns > SQL_REMOTE_COLUMNS_MAX)
        return lose(r, e);
    r->last_id = (int64_t)last_id;
    if (r->in_transaction && !in_transaction) {
        r->in_transaction = false;
        r->is_lost = true;
    }
    return kind == ERR_NONE || err_set(e, (enum err_kind)kind, "%.*s", STR_ARGS(words));
}

/* A request without more to say. */
static bool ask(struct remote *r, enum sql_frame type, struct answer *a, struct err *e)
{
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    start(r, &f, type);
    return call(r, &f, &answer, e) && read_answer(r, &answer, a, e);
}

static bool put_statement(struct ipc_frame *f, const struct sql_statement *s, bool wants_rows,
                          struct sql_params params, struct err *e)
{
    uint32_t number = sql_statement_number(s);
    if (number == SQL_NO_NUMBER)
        return err_set(e, ERR_INTERNAL, "a statement without a number: %s", s->text);
    ipc_put_u8(f, wants_rows);
    ipc_put_u32(f, number);
    ipc_put_u32(f, (uint32_t)params.n);
    for (size_t i = 0; i < params.n; i++)
        if (!sql_wire_put(f, &params.v[i], SQL_WIRE_INLINE, e))
            return err_set(e, ERR_INTERNAL, "a statement's parameters are too long: %s", s->text);
    return true;
}

static bool exec(struct sql *sql, const struct sql_statement *s, struct sql_params params, int64_t *changed,
                 struct err *e)
{
    struct remote *r = of(sql);
    struct answer a;
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    start(r, &f, SQL_FRAME_RUN);
    if (!put_statement(&f, s, false, params, e) || !call(r, &f, &answer, e) ||
        !read_answer(r, &answer, &a, e))
        return false;
    if (changed)
        *changed = (int64_t)a.changed;
    return true;
}

/* --- rows --- */

static struct open *take_open(struct remote *r, const struct sql_statement *s, struct err *e)
{
    struct open **free_one = NULL;
    for (size_t i = 0; i < SQL_REMOTE_OPEN_MAX; i++) {
        if (r->open[i] && r->open[i]->statement == s) {
            err_set(e, ERR_INTERNAL, "a statement was started again before its end: %s", s->text);
            return NULL;
        }
        if (!free_one && (!r->open[i] || !r->open[i]->statement))
            free_one = &r->open[i];
    }
    if (!free_one) {
        err_set(e, ERR_INTERNAL, "more than %d statements are open", SQL_REMOTE_OPEN_MAX);
        return NULL;
    }
    if (!*free_one)
        *free_one = MEM_NEW(struct open);
    **free_one = (struct open){.statement = s};
    return *free_one;
}

static void release_rows(struct open *o)
{
    sql_wire_release(&o->wire);
    ipc_frame_free(&o->answer);
    o->answer = (struct ipc_frame){0};
    o->left = 0;
}

/* Sends `f` and keeps the rows of its answer. */
static bool fetch(struct remote *r, struct open *o, struct ipc_frame *f, struct err *e)
{
    struct answer a;
    release_rows(o);
    o->more = false;
    if (!call(r, f, &o->answer, e))
        return false;
    if (!read_answer(r, &o->answer, &a, e)) {
        release_rows(o);
        return false;
    }
    o->wire = (struct sql_wire){.in = a.in, .frame = &o->answer};
    o->left = a.rows;
    o->columns = a.columns;
    o->more = a.more;
    return true;
}

static void *query(struct sql *sql, const struct sql_statement *s, struct sql_params params, struct err *e)
{
    struct remote *r = of(sql);
    struct open *o = take_open(r, s, e);
    CLEAN_FRAME struct ipc_frame f;
    start(r, &f, SQL_FRAME_RUN);
    if (!o)
        return NULL;
    if (put_statement(&f, s, true, params, e) && fetch(r, o, &f, e))
        return o;
    o->statement = NULL;
    return NULL;
}

static bool fetch_more(struct remote *r, struct open *o)
{
    CLEAN_FRAME struct ipc_frame f;
    start(r, &f, SQL_FRAME_NEXT);
    ipc_put_u32(&f, sql_statement_number(o->statement));
    return fetch(r, o, &f, &o->err);
}

static bool next(struct sql_rows *rows)
{
    struct remote *r = of(rows->db);
    struct open *o = rows->handle;
    sql_wire_release(&o->wire);
    if (o->left == 0 && (!o->more || !fetch_more(r, o) || o->left == 0))
        return false;
    o->left--;
    for (uint32_t i = 0; i < o->columns; i++)
        if (!sql_wire_get(&o->wire, &o->row[i]))
            return lose(r, &o->err);
    return true;
}

static bool end(struct sql_rows *rows, struct err *e)
{
    struct remote *r = of(rows->db);
    struct open *o = rows->handle;
    release_rows(o);
    if (o->more && r->channel >= 0) {
        CLEAN_FRAME struct ipc_frame f;
        start(r, &f, SQL_FRAME_CLOSE);
        ipc_put_u32(&f, sql_statement_number(o->statement));
        if (ipc_send(r->channel, &f, deadline_in(ANSWER_MS)) != IPC_OK)
            lose(r, &o->err);
    }
    o->statement = NULL;
    return o->err.kind == ERR_NONE || err_set(e, o->err.kind, "%s", o->err.text);
}

static int columns(const struct sql_rows *rows)
{
    const struct open *o = rows->handle;
    return (int)o->columns;
}

static struct sql_value get_value(const struct sql_rows *rows, int column)
{
    const struct open *o = rows->handle;
    return (uint32_t)column < o->columns ? o->row[column] : sql_null();
}

static int64_t get_int(const struct sql_rows *rows, int column)
{
    return get_value(rows, column).i;
}

static struct str get_str(const struct sql_rows *rows, int column)
{
    return get_value(rows, column).s;
}

static bool get_null(const struct sql_rows *rows, int column)
{
    return get_value(rows, column).type == SQL_NULL;
}

/* --- transactions --- */

/* Nothing is sent yet: the first statement carries it. */
static bool begin(struct sql *sql, bool write, struct err *e)
{
    struct remote *r = of(sql);
    if (r->in_transaction)
        return err_set(e, ERR_INTERNAL, "a transaction was begun within one");
    r->begin = write ? BEGIN_WRITE : BEGIN_READ;
    r->in_transaction = true;
    r->is_lost = false;
    return true;
}

static void ended(struct remote *r)
{
    r->in_transaction = r->is_lost = false;
    r->begin = BEGIN_NOTHING;
}

static void rollback(struct sql *sql)
{
    struct remote *r = of(sql);
    bool is_under_way = r->in_transaction && r->begin == BEGIN_NOTHING && r->channel >= 0;
    ended(r);
    if (!is_under_way)
        return;
    CLEAN_FRAME struct ipc_frame f;
    start(r, &f, SQL_FRAME_ROLLBACK);
    if (ipc_send(r->channel, &f, deadline_in(ANSWER_MS)) != IPC_OK)
        lose(r, NULL);
}

static bool commit(struct sql *sql, struct err *e)
{
    struct remote *r = of(sql);
    struct answer a;
    if (!r->in_transaction) {
        bool was_lost = r->is_lost;
        ended(r);
        return err_set(e, was_lost ? ERR_TEMPORARY : ERR_INTERNAL, "%s",
                       was_lost ? "the connection to the database was lost in the transaction"
                                : "there is no transaction");
    }
    bool good = r->begin != BEGIN_NOTHING || ask(r, SQL_FRAME_COMMIT, &a, e);
    ended(r); /* store has rolled back where it could not commit */
    return good;
}

static bool in_transaction(struct sql *db)
{
    return of(db)->in_transaction;
}

static bool savepoint(struct sql *db, struct err *e)
{
    struct answer a;
    return ask(of(db), SQL_FRAME_SAVEPOINT, &a, e);
}

static bool savepoint_release(struct sql *db, struct err *e)
{
    struct answer a;
    return ask(of(db), SQL_FRAME_RELEASE, &a, e);
}

static void savepoint_rollback(struct sql *db)
{
    struct answer a;
    if (in_transaction(db) && !ask(of(db), SQL_FRAME_BACK, &a, NULL))
        rollback(db);
}

static int64_t last_id(struct sql *db)
{
    return of(db)->last_id;
}

static int64_t data_version(struct sql *db)
{
    struct answer a;
    return ask(of(db), SQL_FRAME_VERSION, &a, NULL) ? (int64_t)a.changed : -1;
}

static void shut(struct sql *sql)
{
    struct remote *r = of(sql);
    if (r->channel >= 0)
        close(r->channel); /* ends a transaction too */
    for (size_t i = 0; i < SQL_REMOTE_OPEN_MAX; i++)
        free(r->open[i]);
    free(r);
}

static const struct sql_engine REMOTE_ENGINE = {
    .close = shut,
    .exec = exec,
    .query = query,
    .next = next,
    .end = end,
    .get_int = get_int,
    .get_str = get_str,
    .get_null = get_null,
    .columns = columns,
    .get_value = get_value,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .savepoint = savepoint,
    .savepoint_release = savepoint_release,
    .savepoint_rollback = savepoint_rollback,
    .last_id = last_id,
    .data_version = data_version,
};

struct sql *sql_remote_open(const struct sql_source *source)
{
    struct remote *r = MEM_NEW(struct remote);
    *r = (struct remote){
        .sql.engine = &REMOTE_ENGINE, .connect = source->connect, .context = source->context, .channel = -1};
    return &r->sql;
}

int sql_remote_more(int channel, struct deadline d)
{
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    ipc_frame_init(&f, SQL_FRAME_OPEN);
    ipc_put_u8(&f, BEGIN_NOTHING);
    return ipc_call(channel, &f, &answer, d) == IPC_OK ? ipc_frame_take_fd(&answer, 0) : -1;
}
