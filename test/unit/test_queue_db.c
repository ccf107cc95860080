/* The queue's tables: what an older release left in them is there in the newer ones. */
#include "check.h"
#include "engine.h"
#include "folder.h"

#include "base/mem.h"
#include "queue/db.h"

#include <string.h>

/* As the first release had it, with two messages in it; in PostgreSQL the rows belong to node "n". */
static struct sql *open_upgraded(const struct folder *folder)
{
    char path[200];
    struct err e = ERR_INIT;
    struct sql_schema old = QUEUE_SCHEMA;
    old.count = 1;
    snprintf(path, sizeof path, "%s/queue.db", folder->path);
    struct sql_source source = engine_beside(path, "n");
    struct sql *db = sql_open_at(&source, &old, false, &e);
    if (!db)
        fail_msg("%s", e.text);
    static const struct sql_statement MESSAGES[] = {
        {.text = "INSERT INTO message(id, delivery, sender, size, is_8bit, arrived) VALUES"
                 " (1007, $1, 'a@b.c', 6, 1, 1000), (1009, $1, '', 6, 0, 2000)"},
        {.text = "INSERT INTO chunk(id, bytes) VALUES (1007 * 65536, $1), (1009 * 65536, $1)"},
    };
    static const struct sql_statement OTHERS[] = {
        {.text = "INSERT INTO recipient(id, message, address, account, original, detail, domain, state,"
                 " attempts, warned, next_attempt, host, reply) VALUES"
                 " (20, 1007, 'x@d.e', 0, '', '', 'd.e', 0, 2, 1, 500, 'h', '450 no'),"
                 " (21, 1007, 'y@d.e', 0, '', '', 'd.e', 1, 1, 0, 0, 'h', '250 ok'),"
                 " (30, 1009, 'z@d.e', 5, 'Z@d.e', 'tag', '', 0, 0, 0, 600, '', '')"},
        {.text = "INSERT INTO attempt(message, recipient, at, host, reply) VALUES (1007, 20, 400, 'h', '450 "
                 "no')"},
    };
    for (size_t i = 0; i < 2; i++)
        if (!sql_exec(db, &MESSAGES[i], SQL(sql_blob(i ? STR("a\r\nb\r\n") : STR("0123456789abcdef"))), NULL,
                      &e))
            fail_msg("%s", e.text);
    for (size_t i = 0; i < 2; i++)
        if (!sql_exec(db, &OTHERS[i], SQL_NONE, NULL, &e))
            fail_msg("%s", e.text);
    sql_close(db);
    db = sql_open_at(&source, &QUEUE_SCHEMA, false, &e);
    if (!db)
        fail_msg("%s", e.text);
    return db;
}

struct seen {
    size_t count;
    int64_t id, message;
    unsigned attempts;
    bool warned;
    struct envelope asked;
};

static void see(void *context, const struct queue_row_message *m, const struct queue_row_recipient *r)
{
    struct seen *s = context;
    s->count++;
    s->id = r->id;
    s->message = m->id;
    s->attempts = r->attempts;
    s->warned = r->warned;
    s->asked = m->asked;
    assert_true(str_eq(m->delivery, STR("0123456789abcdef")));
    assert_true(str_eq(m->sender, STR("a@b.c")) && str_eq(r->address, STR("x@d.e")));
}

static void an_older_queue_goes_on(void **state)
{
    (void)state;
    static const struct sql_statement ATTEMPT = {.text =
                                                     "SELECT recipient FROM attempt WHERE message = 1007"};
    struct folder folder;
    struct err e = ERR_INIT;
    struct seen seen = {0};
    int64_t recipient = 0;
    bool there, gone;
    folder_make(&folder);
    struct sql *db = open_upgraded(&folder);
    struct queue_due due = {.domain = STR("d.e"), .flow = 9, .now = 1000, .limit = 10};
    assert_true(queue_db_due(db, &due, see, &seen, &e));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.message, 1007);
    assert_int_equal(seen.id, queue_db_first_recipient(1007) + 1);
    assert_int_equal(seen.attempts, 2);
    assert_true(seen.warned);
    assert_int_equal(seen.asked.body, ENVELOPE_8BIT); /* what it was sent as before */
    assert_int_equal(seen.asked.priority, 0);
    assert_int_equal(sql_one_int(db, &ATTEMPT, SQL_NONE, &recipient, &e), 1);
    assert_int_equal(recipient, seen.id);
    struct parcel body;
    assert_true(queue_db_bytes(db, 1007, 6, &body, &e));
    assert_true(str_eq(body.bytes, STR("a\r\nb\r\n")));
    parcel_free(&body);

    struct queue_row_attempt sent = {
        .recipient = seen.id, .message = 1007, .host = STR(""), .reply = STR(""), .transcript = STR("")};
    assert_true(sql_begin_write(db, &e));
    assert_true(queue_db_sent(db, &sent, &there, &e) && there);
    assert_true(queue_db_finish(db, 1007, &gone, &e) && gone);
    assert_true(queue_db_finish(db, 1009, &gone, &e) && !gone);
    assert_true(sql_commit(db, &e));
    assert_int_equal(sql_one_int(db, &ATTEMPT, SQL_NONE, &recipient, &e), 0);
    sql_close(db);
    folder_remove(&folder);
}

/* A message's bytes come back, whether they stand in its row or beside it, and nothing of it is left. */
static void bytes_of_every_size(void **state)
{
    (void)state;
    static const struct sql_statement LEFT = {.text = "SELECT (SELECT count(*) FROM chunk WHERE id >= 0) + "
                                                      "(SELECT count(*) FROM recipient WHERE id >= 0)"};
    static const size_t SIZES[] = {
        0, 1, 4096, 16384, 16385, PARCEL_INLINE_MAX, PARCEL_INLINE_MAX + 1, 262144, 262145, 600000};
    struct folder folder;
    struct err e = ERR_INIT;
    char path[200];
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/queue.db", folder.path);
    struct sql_source source = engine_beside(path, "other");
    struct sql *db = sql_open_at(&source, &QUEUE_SCHEMA, false, &e);
    assert_non_null(db);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        CLEAN_BUF struct buf text;
        struct str bytes = STR("");
        bool there;
        int64_t left = -1;
        buf_init(&text, BUF_MAX_DEFAULT);
        for (size_t k = 0; k < SIZES[i]; k++)
            buf_add_byte(&text, (char)(k * 7 + k / 251));
        struct queue_row_message m = {.delivery = STR("0123456789abcdef"),
                                      .sender = STR("a@b.c"),
                                      .size = text.n,
                                      .asked = ENVELOPE_INIT};
        struct queue_row_recipient r = {.address = STR("x@d.e"),
                                        .original = STR(""),
                                        .detail = STR(""),
                                        .domain = STR("d.e"),
                                        .asked = ENVELOPE_RECIPIENT_INIT};
        assert_true(sql_begin_write(db, &e));
        assert_true(queue_db_add_message(db, &m, buf_str(&text), &e));
        r.message = m.id;
        for (int n = 1; n < 4; n++) {
            r.id = 0;
            assert_true(queue_db_add_recipient(db, &r, &e));
            assert_int_equal(r.id, queue_db_first_recipient(m.id) + n);
        }
        assert_true(sql_commit(db, &e));
        struct parcel body;
        assert_true(queue_db_bytes(db, m.id, m.size, &body, &e));
        assert_int_equal(body.fd < 0, m.size <= PARCEL_INLINE_MAX);
        assert_true(parcel_read(&body, &bytes, &e));
        assert_true(str_eq(bytes, buf_str(&text)));
        parcel_release(&body, bytes);
        parcel_free(&body);
        assert_false(
            queue_db_bytes(db, m.id, m.size + 1, &body, &e)); /* it says so rather than send a part */
        e = (struct err)ERR_INIT;
        assert_true(sql_begin_write(db, &e) && queue_db_remove(db, m.id, &there, &e) && there &&
                    sql_commit(db, &e));
        assert_int_equal(sql_one_int(db, &LEFT, SQL_NONE, &left, &e), 1);
        assert_int_equal(left, 0);
    }
    sql_close(db);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_queue_goes_on),
        cmocka_unit_test(bytes_of_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
