/* What base/sql.h asks of an engine. sql.c calls through this table; sqlite.c is one engine, and each further
 * one has a file like it. Nobody outside base/ includes this. */
#ifndef BASE_SQL_ENGINE_H
#define BASE_SQL_ENGINE_H
#include "base/sql.h"

struct sql_engine {
    void (*close)(struct sql *db);
    bool (*exec)(struct sql *db, const struct sql_statement *s, struct sql_params params, int64_t *changed,
                 struct err *e);
    /* The handle of the rows, which next and end get again; NULL with the words. */
    void *(*query)(struct sql *db, const struct sql_statement *s, struct sql_params params, struct err *e);
    bool (*next)(struct sql_rows *rows); /* after false it is not called again */
    bool (*end)(struct sql_rows *rows, struct err *e);
    int64_t (*get_int)(const struct sql_rows *rows, int column);
    struct str (*get_str)(const struct sql_rows *rows, int column);
    bool (*get_null)(const struct sql_rows *rows, int column);
    int (*columns)(const struct sql_rows *rows);
    struct sql_value (*get_value)(const struct sql_rows *rows, int column);

    bool (*begin)(struct sql *db, bool write, struct err *e);
    bool (*commit)(struct sql *db, struct err *e);
    void (*rollback)(struct sql *db);
    bool (*in_transaction)(struct sql *db);
    bool (*savepoint)(struct sql *db, struct err *e);
    bool (*savepoint_release)(struct sql *db, struct err *e);
    void (*savepoint_rollback)(struct sql *db);
    int64_t (*last_id)(struct sql *db);
    int64_t (*data_version)(struct sql *db);
    bool (*give_back)(struct sql *db, bool *more, struct err *e); /* NULL: nothing to do */
};

struct sql { /* the first member of an engine's own */
    const struct sql_engine *engine;
};

/* The schema is newer than this program. Returns false. */
bool sql_refuse_newer(const char *where, const struct sql_schema *schema, size_t version, struct err *e);

#endif
