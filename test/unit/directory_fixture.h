/* A directory of its own for each test, on the engine of this run, and what fills it. */
#ifndef TEST_UNIT_DIRECTORY_FIXTURE_H
#define TEST_UNIT_DIRECTORY_FIXTURE_H
#include "check.h"
#include "directory/db.h"
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct here {
    char data[64];
    struct directory_db *db;
};

static inline struct directory_db *open_db(struct here *h, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sql_source source =
        engine_source(&DIRECTORY_SCHEMA, directory_db_path(str_from_c(h->data), &a), NULL);
    return directory_db_open_at(&source, '+', e);
}

static inline int make(void **state)
{
    struct here *h = calloc(1, sizeof *h);
    struct err e = ERR_INIT;
    snprintf(h->data, sizeof h->data, "/tmp/golub-directory-XXXXXX");
    if (!mkdtemp(h->data))
        return -1;
    h->db = open_db(h, &e);
    *state = h;
    if (!h->db)
        fail_msg("%s", e.text);
    if (engine() != ENGINE_SQLITE)
        engine_run("TRUNCATE golub_directory.domain, golub_directory.secret, golub_directory.route,"
                   " golub_directory.canonical RESTART IDENTITY CASCADE");
    return 0;
}

static inline int clear(void **state)
{
    struct here *h = *state;
    char path[128];
    static const char *const FILES[] = {"directory.db", "directory.db-wal", "directory.db-shm"};
    directory_db_close(h->db);
    for (size_t i = 0; i < 3; i++) { /* in PostgreSQL there are none */
        snprintf(path, sizeof path, "%s/directory/%s", h->data, FILES[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/directory", h->data);
    rmdir(path);
    int gone = rmdir(h->data);
    free(h);
    return gone;
}

static inline void good(bool result, const struct err *e)
{
    if (!result)
        fail_msg("%s", e->text);
}

static inline void add_domain(struct here *h, const char *name)
{
    struct err e = ERR_INIT;
    good(directory_domain_add(h->db, str_from_c(name), &e), &e);
}

static inline int64_t add_account(struct here *h, const char *address)
{
    struct err e = ERR_INIT;
    int64_t id = 0;
    good(directory_account_add(h->db, str_from_c(address), STR("$hash"), &id, &e), &e);
    assert_true(id > 0);
    return id;
}

static inline bool try_alias(struct here *h, const char *address, const char *target, struct err *e)
{
    struct str to = str_from_c(target);
    return directory_alias_add(h->db, str_from_c(address), &to, 1, e);
}

static inline void add_alias(struct here *h, const char *address, const char *target)
{
    struct err e = ERR_INIT;
    good(try_alias(h, address, target, &e), &e);
}

#endif
