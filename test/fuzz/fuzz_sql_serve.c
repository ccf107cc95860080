/* Whatever frames come over store's channel: each gets one answer, none or ends the session, statements of
 * other schemas are never run, and nothing stays under way at the end. Input: packets, each behind its length
 * in one byte. */
#include "base/ipc.h"
#include "base/sql_serve.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

SQL_INSERT("mine", INSERT, "INSERT INTO item(name, data) VALUES($1, $2)");
SQL_STATEMENT("mine", ALL, "SELECT id, name, data FROM item ORDER BY id");
SQL_STATEMENT("mine", BY_ID, "SELECT name FROM item WHERE id = $1");
SQL_STATEMENT("others", DELETE_OTHERS, "DELETE FROM other");
static const struct sql_statement COUNT_OTHERS = {"SELECT count(*) FROM other"};

static struct sql *open_db(void)
{
    static const struct sql_statement TABLES[] = {
        {"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, data BLOB)"},
        {"CREATE TABLE other(id INTEGER PRIMARY KEY)"},
        {"INSERT INTO other VALUES(1)"}};
    struct sql *db = sql_open(":memory:", NULL, NULL);
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        if (!db || !sql_exec(db, &TABLES[i], SQL_NONE, NULL, NULL))
            abort();
    (void)ALL, (void)BY_ID, (void)INSERT, (void)DELETE_OTHERS;
    return db;
}

/* How many answers there are; each must be one. */
static unsigned drain(int channel)
{
    struct ipc_frame f;
    unsigned n = 0;
    for (; ipc_receive_now(channel, &f) == IPC_OK; n++) {
        struct ipc_reader in = ipc_read(&f);
        if (f.type != SQL_FRAME_ANSWER || ipc_get_u8(&in) > ERR_INTERNAL || in.bad)
            abort();
        ipc_frame_free(&f);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sql *db;
    static int ends[2];
    if (!db) {
        db = open_db();
        if (!ipc_pair(ends))
            abort();
    }
    struct sql_session s = {.channel = ends[0], .schema = "mine"};
    enum sql_served state = SQL_SERVED;
    struct str rest = str_from(data, size);
    while (rest.n > 1 && state != SQL_BROKEN) {
        size_t n = (unsigned char)rest.p[0];
        struct str packet = str_slice(rest, 1, n);
        struct ipc_frame f;
        rest = str_from_offset(rest, 1 + n);
        if (!ipc_parse(packet, &f))
            continue;
        state = sql_serve(&s, db, &f);
        ipc_frame_free(&f);
        if (drain(ends[1]) > 1)
            abort();
    }
    sql_session_end(&s, db);
    int64_t others = 0;
    if (sql_in_transaction(db) || s.open_count != 0 ||
        sql_one_int(db, &COUNT_OTHERS, SQL_NONE, &others, NULL) != 1 || others != 1)
        abort();
    return 0;
}
