/* A new account in a folder of its own, for the tests of mailbox/. */
#ifndef TEST_UNIT_STORE_FIXTURE_H
#define TEST_UNIT_STORE_FIXTURE_H
#include "check.h"
#include "engine.h"
#include "folder.h"
#include "mailbox/schema.h"
#include "mailbox/store.h"

#include <string.h>

struct fixture {
    struct folder folder;
    char path[200]; /* of the account */
    char file[220]; /* its database, in SQLite */
    char owner[24]; /* in PostgreSQL */
    struct sql_source source, beside;
    struct store *store;
    struct arena arena;
    struct err e;
};

/* Opens the store, or opens it again. */
static inline void fixture_open(struct fixture *f)
{
    f->store = engine() == ENGINE_SQLITE ? store_open(f->path, &f->e) : store_open_at(&f->source, &f->e);
}

/* The account's tables, for statements of a test's own. */
static inline struct sql *fixture_sql(struct fixture *f)
{
    struct sql *db = sql_open_at(&f->beside, &MAIL_SCHEMA, true, &f->e);
    assert_non_null(db);
    return db;
}

/* One statement of those. */
static inline void fixture_exec(struct fixture *f, const struct sql_statement *s, struct sql_params params)
{
    CLEAN_SQL struct sql *db = fixture_sql(f);
    assert_true(sql_exec(db, s, params, NULL, &f->e));
}

static inline int fixture_set_up(void **state)
{
    static unsigned accounts; /* in this program's database */
    static struct fixture f;
    f = (struct fixture){.arena = ARENA_INIT};
    folder_make(&f.folder);
    snprintf(f.path, sizeof f.path, "%s/account", f.folder.path);
    snprintf(f.file, sizeof f.file, "%s/mail.db", f.path);
    snprintf(f.owner, sizeof f.owner, "%u", ++accounts);
    f.source = engine_source(&MAIL_SCHEMA, f.file, f.owner);
    f.beside = engine_beside(f.file, f.owner);
    fixture_open(&f);
    if (!f.store)
        fail_msg("%s", f.e.text);
    *state = &f;
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    arena_free(&f->arena);
    folder_remove(&f->folder);
    return 0;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

static inline struct mailbox mailbox_named(struct fixture *f, const char *name)
{
    struct mailbox m;
    assert_int_equal(store_mailbox_find(f->store, str_from_c(name), &f->arena, &m, &f->e), STORE_OK);
    return m;
}

static inline int64_t id_of(struct fixture *f, const char *name)
{
    return mailbox_named(f, name).id;
}

static inline uint32_t append(struct fixture *f, int64_t mailbox, struct str bytes, uint32_t flags,
                              const char *keywords)
{
    struct store_append item = {.mailbox = mailbox,
                                .bytes = bytes,
                                .flags = flags,
                                .keywords = str_from_c(keywords),
                                .received = 1700000000,
                                .zone = 60};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.result, STORE_OK);
    return item.uid;
}

static inline struct message_row message_at(struct fixture *f, int64_t mailbox, uint32_t uid)
{
    struct message_row row;
    assert_int_equal(store_message(f->store, mailbox, uid, &f->arena, &row, &f->e), STORE_OK);
    return row;
}

/* Bytes [offset, offset + n) of one message, at the end of `out`. */
static inline enum store_result read_body(struct fixture *f, int64_t mailbox, uint32_t uid, uint64_t offset,
                                          uint64_t n, struct buf *out)
{
    struct store_fetch *fetch;
    const struct fetch_row *row;
    assert_int_equal(store_fetch_open(f->store, mailbox, &uid, 1, 0, &fetch, &f->e), STORE_OK);
    assert_true(store_fetch_next(fetch, &row));
    assert_int_equal(row->row.uid, uid);
    enum store_result r = store_fetch_body(fetch, offset, n, out, &f->e);
    assert_false(store_fetch_next(fetch, &row));
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    return r;
}

/* Not random for anybody but a test; the same for the same start. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}
#endif
