/* Statements and transactions of PostgreSQL. Parameters and columns travel in binary form: a 64-bit integer,
 * or bytes as they are. */
#include "base/pgsql.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pgsql_parts.h"

#include <endian.h>
#include <string.h>

/* Types by their numbers in pg_type, which never change. */
#define INT8_OID    20
#define INT2_OID    21
#define INT4_OID    23
#define BOOL_OID    16
#define NUMERIC_OID 1700

#define PARAMS_MAX   64
#define VARIANTS_MAX 4 /* of one statement, by which of its parameters are integers: NULL is none */
#define NAME_BYTES   16

/* A statement as prepared on this connection, and its rows while it is open. */
struct pgsql_prepared {
    struct pgsql_prepared *next; /* in its bucket */
    const struct sql_statement *statement;
    uint64_t integers; /* bit i: parameter i is declared as one */
    char name[NAME_BYTES];
    bool is_open;
    PGresult *rows;
    int row;
};

static struct pgsql *of(struct sql *db)
{
    return (struct pgsql *)db;
}

/* --- errors --- */

static bool is_class(const char *state, const char *class)
{
    return state && strncmp(state, class, strlen(class)) == 0;
}

/* What may work later: lost and refused connections, resources (a full disk), a transaction that another one
 * got in the way of, a lock waited for in vain, a server that stops or starts. */
static bool is_temporary(const char *state)
{
    static const char *const CLASSES[] = {"08", "53", "40", "55P03", "57", "58030", "25006"};
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++)
        if (is_class(state, CLASSES[i]))
            return true;
    return false;
}

static struct str one_line(const char *text)
{
    struct str s = str_trim(str_from_c(text ? text : ""));
    return str_slice(s, 0, str_find_byte(s, '\n'));
}

bool pgsql_fail(struct pgsql *db, PGresult *result, struct err *e)
{
    const char *state = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    struct str words = one_line(primary ? primary : pq.errorMessage(db->conn));
    bool is_lost = !db->conn || pq.status(db->conn) != CONNECTION_OK;
    if (is_class(state, "55P03"))
        err_set(e, ERR_TEMPORARY, "%s: another process has kept it locked for too long", db->place);
    else if (is_class(state, "53100"))
        err_set(e, ERR_TEMPORARY, "%s: the disk is full; make room on its file system (%.*s)", db->place,
                STR_ARGS(words));
    else
        err_set(e, is_lost || is_temporary(state) ? ERR_TEMPORARY : ERR_INTERNAL, "%s: %.*s%s%s%s", db->place,
                STR_ARGS(words), state ? " (" : "", state ? state : "", state ? ")" : "");
    pq.clear(result);
    if (is_lost)
        pgsql_drop(db);
    return false;
}

void pgsql_drop(struct pgsql *db)
{
    pgsql_forget_statements(db);
    pq.finish(db->conn);
    db->conn = NULL;
    db->is_lost |= db->in_transaction;
    db->in_transaction = db->is_writing = false;
}

bool pgsql_run(struct pgsql *db, const char *text, struct err *e)
{
    PGresult *r = pq.exec(db->conn, text);
    ExecStatusType status = pq.resultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return pgsql_fail(db, r, e);
    pq.clear(r);
    return true;
}

/* --- prepared statements --- */

static struct pgsql_prepared **bucket_of(struct pgsql *db, const struct sql_statement *s)
{
    uint64_t h = ((uint64_t)(uintptr_t)s >> 3) * 0x9e3779b97f4a7c15u;
    return &db->buckets[h >> 32 & (PGSQL_BUCKETS - 1)];
}

/* Rows that are open outlive the connection: they are in memory. */
void pgsql_forget_statements(struct pgsql *db)
{
    for (size_t i = 0; i < PGSQL_BUCKETS; i++)
        for (struct pgsql_prepared **at = &db->buckets[i], *p; (p = *at);) {
            p->name[0] = '\0';
            if (p->is_open) {
                at = &p->next;
                continue;
            }
            *at = p->next;
            free(p);
        }
}

/* The keys of a schema with owners lead with the owner's column; statements do not name it. */
static void name_conflict_owner(const char *text, const char *owner_column, struct buf *out)
{
    static const struct str CONFLICT = STR_INIT("ON CONFLICT");
    struct str rest = str_from_c(text);
    for (size_t at; (at = str_find(rest, CONFLICT)) != STR_NONE;) {
        at += CONFLICT.n;
        while (at < rest.n && rest.p[at] == ' ')
            at++;
        bool names_columns = at < rest.n && rest.p[at] == '(';
        buf_add(out, str_slice(rest, 0, at + names_columns));
        if (names_columns)
            buf_addf(out, "%s, ", owner_column);
        rest = str_from_offset(rest, at + names_columns);
    }
    buf_add(out, rest);
}

const char *pgsql_text(const struct pgsql *db, const struct sql_statement *s, struct buf *out)
{
    const char *text = s->pgsql ? s->pgsql : s->text;
    if (db->schema && db->schema->owner)
        name_conflict_owner(text, db->schema->owner, out);
    else
        buf_add(out, str_from_c(text));
    if (s->makes_id)
        buf_add(out, STR(" RETURNING id"));
    buf_add_byte(out, '\0');
    return out->p;
}

static uint64_t integers_of(struct sql_params params)
{
    uint64_t integers = 0;
    for (size_t i = 0; i < params.n; i++)
        if (params.v[i].type == SQL_INT)
            integers |= UINT64_C(1) << i;
    return integers;
}

static bool send_prepare(struct pgsql *db, struct pgsql_prepared *p, size_t n, struct err *e)
{
    CLEAN_BUF struct buf text;
    Oid types[PARAMS_MAX];
    buf_init(&text, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < n; i++) /* text and bytes take the type that the place wants */
        types[i] = p->integers >> i & 1 ? INT8_OID : 0;
    snprintf(p->name, sizeof p->name, "golub%u", ++db->names);
    PGresult *r = pq.prepare(db->conn, p->name, pgsql_text(db, p->statement, &text), (int)n, types);
    if (pq.resultStatus(r) == PGRES_COMMAND_OK) {
        pq.clear(r);
        return true;
    }
    p->name[0] = '\0';
    return pgsql_fail(db, r, e);
}

static void forget_one(struct pgsql *db, struct pgsql_prepared *p)
{
    char text[NAME_BYTES + sizeof "DEALLOCATE "];
    snprintf(text, sizeof text, "DEALLOCATE %s", p->name);
    pq.clear(pq.exec(db->conn, text)); /* in a failed transaction it stays, which costs nothing but memory */
    p->name[0] = '\0';
}

/* The one for these types of parameters. Who sends them may be a stranger to this connection's other users:
 * what one declares must not change what the others get. */
static struct pgsql_prepared *find(struct pgsql *db, const struct sql_statement *s, uint64_t integers)
{
    struct pgsql_prepared **bucket = bucket_of(db, s), *spare = NULL;
    unsigned variants = 0;
    for (struct pgsql_prepared *p = *bucket; p; p = p->next) {
        if (p->statement != s)
            continue;
        if (p->integers == integers)
            return p;
        if (!p->is_open)
            spare = p;
        variants++;
    }
    if (variants >= VARIANTS_MAX && spare) {
        if (spare->name[0] != '\0')
            forget_one(db, spare);
        spare->integers = integers;
        return spare;
    }
    struct pgsql_prepared *p = MEM_NEW(struct pgsql_prepared);
    *p = (struct pgsql_prepared){.next = *bucket, .statement = s, .integers = integers};
    *bucket = p;
    return p;
}

static bool is_open(struct pgsql *db, const struct sql_statement *s)
{
    for (struct pgsql_prepared *p = *bucket_of(db, s); p; p = p->next)
        if (p->statement == s && p->is_open)
            return true;
    return false;
}

/* --- running --- */

static PGresult *run_prepared(struct pgsql *db, const struct pgsql_prepared *p, struct sql_params params)
{
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    uint64_t integers[PARAMS_MAX];
    for (size_t i = 0; i < params.n; i++) {
        const struct sql_value *v = &params.v[i];
        integers[i] = htobe64((uint64_t)v->i);
        values[i] = v->type == SQL_NULL ? NULL : v->type == SQL_INT ? (const char *)&integers[i] : v->s.p;
        if (!values[i] && v->type != SQL_NULL)
            values[i] = ""; /* an empty slice may have no address, and is no NULL */
        lengths[i] = v->type == SQL_INT ? (int)sizeof *integers : (int)v->s.n;
        formats[i] = 1;
    }
    return pq.execPrepared(db->conn, p->name, (int)params.n, values, lengths, formats, 1);
}

static bool fits(const struct pgsql *db, struct sql_params params, struct err *e)
{
    if (params.n > PARAMS_MAX)
        return err_set(e, ERR_INTERNAL, "%s: %zu parameters; at most %d", db->place, params.n, PARAMS_MAX);
    for (size_t i = 0; i < params.n; i++)
        if (params.v[i].type != SQL_INT && params.v[i].s.n > INT32_MAX / 2)
            return err_set(e, ERR_PERMANENT, "%s: a value of more than a gigabyte", db->place);
    return true;
}

/* Not yet in a transaction, and nothing sent: a connection that went meanwhile is opened again. */
static bool be_connected(struct pgsql *db, struct err *e)
{
    if (db->is_lost)
        return err_set(e, ERR_TEMPORARY, "%s: the connection was lost in the transaction", db->place);
    if (db->conn && !db->in_transaction &&
        (!pq.consumeInput(db->conn) || pq.status(db->conn) != CONNECTION_OK))
        pgsql_drop(db);
    return db->conn || pgsql_connect(db, e);
}

static PGresult *run_once(struct pgsql *db, const struct sql_statement *s, struct sql_params params,
                          struct pgsql_prepared **p, struct err *e)
{
    if (!be_connected(db, e))
        return NULL;
    *p = find(db, s, integers_of(params));
    if ((*p)->name[0] == '\0' && !send_prepare(db, *p, params.n, e))
        return NULL;
    PGresult *r = run_prepared(db, *p, params);
    ExecStatusType status = pq.resultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return r;
    pgsql_fail(db, r, e);
    return NULL;
}

static bool only_reads(const struct sql_statement *s)
{
    return strncmp(s->pgsql ? s->pgsql : s->text, "SELECT", strlen("SELECT")) == 0;
}

/* A server that was restarted is noticed by the first who asks: outside of a transaction what only reads is
 * asked again. */
static PGresult *run(struct pgsql *db, const struct sql_statement *s, struct sql_params params,
                     struct pgsql_prepared **p, struct err *e)
{
    if (!fits(db, params, e))
        return NULL;
    bool may_repeat = !db->in_transaction && !db->is_lost && only_reads(s);
    PGresult *r = run_once(db, s, params, p, e);
    return r || db->conn || !may_repeat ? r : run_once(db, s, params, p, e);
}

static bool exec(struct sql *sql, const struct sql_statement *s, struct sql_params params, int64_t *changed,
                 struct err *e)
{
    struct pgsql *db = of(sql);
    struct pgsql_prepared *p;
    PGresult *r = run(db, s, params, &p, e);
    if (!r)
        return false;
    uint64_t n = 0, id;
    str_to_u64(str_from_c(pq.cmdTuples(r)), &n);
    if (changed)
        *changed = (int64_t)n;
    if (s->makes_id && pq.ntuples(r) > 0 && pq.getlength(r, 0, 0) == sizeof id) {
        memcpy(&id, pq.getvalue(r, 0, 0), sizeof id);
        db->last_id = (int64_t)be64toh(id);
    }
    pq.clear(r);
    return true;
}

static void *query(struct sql *sql, const struct sql_statement *s, struct sql_params params, struct err *e)
{
    struct pgsql *db = of(sql);
    struct pgsql_prepared *p;
    if (is_open(db, s)) {
        err_set(e, ERR_INTERNAL, "%s: a statement was started again before its end: %s", db->place, s->text);
        return NULL;
    }
    PGresult *r = run(db, s, params, &p, e);
    if (!r)
        return NULL;
    p->is_open = true;
    p->rows = r;
    p->row = -1;
    return p;
}

static bool next(struct sql_rows *rows)
{
    struct pgsql_prepared *p = rows->handle;
    return ++p->row < pq.ntuples(p->rows);
}

static bool end(struct sql_rows *rows, struct err *e)
{
    (void)e;
    struct pgsql_prepared *p = rows->handle;
    pq.clear(p->rows);
    p->rows = NULL;
    p->is_open = false;
    return true;
}

/* --- columns --- */

static uint16_t u16_at(const char *p)
{
    return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

/* What sum() of 64-bit integers gives: digits to the base 10000, the first of weight `weight`
 * (src/backend/utils/adt/numeric.c). */
static int64_t read_numeric(const char *p, int n)
{
    if (n < 8)
        return 0;
    int digits = u16_at(p), weight = (int16_t)u16_at(p + 2);
    bool is_negative = u16_at(p + 4) == 0x4000;
    int64_t v = 0;
    for (int i = 0; i <= weight && i < 5; i++) {
        int64_t digit = i < digits && 8 + 2 * i + 2 <= n ? u16_at(p + 8 + 2 * i) : 0;
        if (v > (INT64_MAX - digit) / 10000)
            return is_negative ? INT64_MIN : INT64_MAX;
        v = v * 10000 + digit;
    }
    return is_negative ? -v : v;
}

static int64_t get_int(const struct sql_rows *rows, int column)
{
    const struct pgsql_prepared *p = rows->handle;
    const char *at = pq.getvalue(p->rows, p->row, column);
    int n = pq.getlength(p->rows, p->row, column);
    uint64_t wide;
    uint32_t narrow;
    uint64_t text = 0;
    switch (pq.ftype(p->rows, column)) {
    case INT8_OID:
        if (n != sizeof wide)
            return 0; /* NULL */
        memcpy(&wide, at, sizeof wide);
        return (int64_t)be64toh(wide);
    case INT4_OID:
        if (n != sizeof narrow)
            return 0;
        memcpy(&narrow, at, sizeof narrow);
        return (int32_t)be32toh(narrow);
    case INT2_OID: return n == 2 ? (int16_t)u16_at(at) : 0;
    case BOOL_OID: return n == 1 && at[0] != 0;
    case NUMERIC_OID: return read_numeric(at, n);
    default: str_to_u64(str_from(at, (size_t)n), &text); return (int64_t)text;
    }
}

static struct str get_str(const struct sql_rows *rows, int column)
{
    const struct pgsql_prepared *p = rows->handle;
    return str_from(pq.getvalue(p->rows, p->row, column), (size_t)pq.getlength(p->rows, p->row, column));
}

static bool get_null(const struct sql_rows *rows, int column)
{
    const struct pgsql_prepared *p = rows->handle;
    return pq.getisnull(p->rows, p->row, column);
}

static int columns(const struct sql_rows *rows)
{
    const struct pgsql_prepared *p = rows->handle;
    return pq.nfields(p->rows);
}

static struct sql_value get_value(const struct sql_rows *rows, int column)
{
    const struct pgsql_prepared *p = rows->handle;
    if (get_null(rows, column))
        return sql_null();
    switch (pq.ftype(p->rows, column)) {
    case INT8_OID:
    case INT4_OID:
    case INT2_OID:
    case BOOL_OID:
    case NUMERIC_OID: return sql_int(get_int(rows, column));
    default: return sql_blob(get_str(rows, column));
    }
}

/* --- transactions --- */

int64_t pgsql_lock_key(const struct sql_schema *schema, const char *owner)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a; two that fall together wait for each other, no more */
    for (const char *p = schema->name; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    h = (h ^ '/') * 0x100000001b3u;
    for (const char *p = owner; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return (int64_t)h;
}

/* Write transactions read what is committed at each statement: behind the lock that is the same, and a
 * picture taken before the lock came would be out of date. */
static bool begin_once(struct pgsql *db, bool write, struct err *e)
{
    char text[100];
    if (!be_connected(db, e))
        return false;
    snprintf(text, sizeof text, "BEGIN;SELECT pg_advisory_xact_lock(%lld)",
             (long long)pgsql_lock_key(db->schema, db->owner));
    if (pgsql_run(db, write ? text : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e))
        return true;
    if (db->conn && pq.transactionStatus(db->conn) != PQTRANS_IDLE && !pgsql_run(db, "ROLLBACK", NULL) &&
        db->conn)
        pgsql_drop(db);
    return false;
}

static bool begin(struct sql *sql, bool write, struct err *e)
{
    struct pgsql *db = of(sql);
    if (db->in_transaction)
        return err_set(e, ERR_INTERNAL, "%s: a transaction was begun within one", db->place);
    db->is_lost = false;
    if (!begin_once(db, write, e) && (db->conn || !begin_once(db, write, e)))
        return false;
    db->in_transaction = true;
    db->is_writing = write;
    return true;
}

static bool in_transaction(struct sql *db)
{
    return of(db)->in_transaction;
}

static void rollback(struct sql *sql)
{
    struct pgsql *db = of(sql);
    if (db->in_transaction && !pgsql_run(db, "ROLLBACK", NULL) && db->conn)
        pgsql_drop(db);
    db->in_transaction = db->is_writing = db->is_lost = false;
}

/* For the server's connections, which ask sql_data_version. */
static bool tell_of_change(struct pgsql *db, struct err *e)
{
    return !db->is_beside || !db->is_writing ||
           pgsql_run(
               db,
               "INSERT INTO changed(owner, n) VALUES(coalesce(current_setting('golub.owner', true), ''), 1)"
               " ON CONFLICT(owner) DO UPDATE SET n = changed.n + 1",
               e);
}

/* COMMIT of a transaction in which a statement failed is answered with "ROLLBACK", and is no error. */
static bool commit(struct sql *sql, struct err *e)
{
    struct pgsql *db = of(sql);
    bool good = db->in_transaction && tell_of_change(db, e);
    if (!db->in_transaction)
        err_set(e, db->is_lost ? ERR_TEMPORARY : ERR_INTERNAL, "%s: %s", db->place,
                db->is_lost ? "the connection was lost in the transaction" : "there is no transaction");
    if (good) {
        PGresult *r = pq.exec(db->conn, "COMMIT");
        good = pq.resultStatus(r) == PGRES_COMMAND_OK && strcmp(pq.cmdStatus(r), "COMMIT") == 0;
        if (!good && pq.resultStatus(r) == PGRES_COMMAND_OK) {
            err_set(e, ERR_INTERNAL,
                    "%s: a transaction was to be committed after one of its statements failed", db->place);
            pq.clear(r);
        } else if (!good) {
            pgsql_fail(db, r, e);
        } else {
            pq.clear(r);
            db->in_transaction = db->is_writing = false;
            return true;
        }
    }
    rollback(sql);
    return false;
}

static bool in_part(struct sql *sql, const char *text, struct err *e)
{
    struct pgsql *db = of(sql);
    if (!db->in_transaction)
        return err_set(e, ERR_TEMPORARY, "%s: there is no transaction any more", db->place);
    return pgsql_run(db, text, e);
}

static bool savepoint(struct sql *db, struct err *e)
{
    return in_part(db, "SAVEPOINT part", e);
}

static bool savepoint_release(struct sql *db, struct err *e)
{
    return in_part(db, "RELEASE SAVEPOINT part", e);
}

static void savepoint_rollback(struct sql *db)
{
    if (in_transaction(db) && !in_part(db, "ROLLBACK TO SAVEPOINT part;RELEASE SAVEPOINT part", NULL))
        rollback(db);
}

static int64_t last_id(struct sql *db)
{
    return of(db)->last_id;
}

static int64_t data_version(struct sql *db)
{
    static const struct sql_statement CHANGED = {"SELECT coalesce(sum(n), 0) FROM changed WHERE owner = "
                                                 "coalesce(current_setting('golub.owner', true), '')"};
    int64_t version = 0;
    return sql_one_int(db, &CHANGED, SQL_NONE, &version, NULL) == 1 ? version : -1;
}

const struct sql_engine PGSQL_ENGINE = {
    .close = pgsql_shut,
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
