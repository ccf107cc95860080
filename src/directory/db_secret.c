/* Keys that all processes of the directory share: made once, by whichever comes first, and kept. */
#include "directory/db_parts.h"

#include <sodium.h>
#include <string.h>

#define SECRET_MAX 64 /* bytes; the larger of SCRAM_KEY_BYTES and SRS_KEY_BYTES fits */
_Static_assert(SCRAM_KEY_BYTES <= SECRET_MAX && SRS_KEY_BYTES <= SECRET_MAX, "room for either");

DIRECTORY_STATEMENT(SECRET_FIND, "SELECT value FROM secret WHERE name = $1");
DIRECTORY_STATEMENT(SECRET_INSERT, "INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");

static bool find_or_make_secret(struct directory_db *db, struct str name, unsigned char *key, size_t n,
                                struct err *e)
{
    unsigned char fresh[SECRET_MAX];
    struct sql_rows rows;
    randombytes_buf(fresh, n);
    if (!sql_exec(db->sql, &SECRET_INSERT, SQL(sql_text(name), sql_blob(str_from(fresh, n))), NULL, e) ||
        !sql_query(db->sql, &SECRET_FIND, SQL(sql_text(name)), &rows, e))
        return false;
    struct str value = sql_next(&rows) ? sql_get_str(&rows, 0) : STR("");
    bool good = value.n == n;
    if (good)
        memcpy(key, value.p, n);
    return sql_end(&rows, e) && (good || err_set(e, ERR_INTERNAL, "the directory's secret is damaged"));
}

bool directory_scram_key(struct directory_db *db, unsigned char key[SCRAM_KEY_BYTES], struct err *e)
{
    return sql_begin_write(db->sql, e) &&
           directory_db_end(db, find_or_make_secret(db, STR("scram salt"), key, SCRAM_KEY_BYTES, e), e);
}

bool directory_db_load_srs_key(struct directory_db *db, struct err *e)
{
    if (!db->has_srs_key)
        db->has_srs_key =
            sql_begin_write(db->sql, e) &&
            directory_db_end(db, find_or_make_secret(db, STR("srs"), db->srs_key, SRS_KEY_BYTES, e), e);
    return db->has_srs_key;
}
