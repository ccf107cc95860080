/* The full text index must not be seen in the answers: only in how soon they come. */
#include "store_fixture.h"
#include "suite.h"

#include "base/mem.h"
#include "mailbox/internal.h"
#include "mailbox/search_text.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEEDLES 300

static void search(struct fixture *f, const struct search_node *tree, uint32_t **uids, size_t *n,
                   uint8_t **relevance)
{
    assert_int_equal(
        store_search(f->store, id_of(f, "INBOX"), tree, &f->arena, uids, n, NULL, relevance, &f->e),
        STORE_OK);
}

/* With the index and by reading everything. Returns how many were found. */
static size_t both_ways(struct fixture *f, const struct search_node *tree)
{
    uint32_t *with, *without;
    uint8_t *with_scores, *without_scores;
    size_t n, m;
    f->store->reads_all = false;
    search(f, tree, &with, &n, &with_scores);
    f->store->reads_all = true;
    search(f, tree, &without, &m, &without_scores);
    f->store->reads_all = false;
    if (n != m ||
        (n > 0 && (memcmp(with, without, n * sizeof *with) || memcmp(with_scores, without_scores, n))))
        fail_msg("%d \"%.*s\" in %.*s: %zu with the index, %zu without", tree->kind, STR_ARGS(tree->text),
                 STR_ARGS(tree->name), n, m);
    return n;
}

static size_t text_both_ways(struct fixture *f, enum search_kind kind, const char *name, struct str text)
{
    struct search_node exact = {.kind = kind, .name = str_from_c(name), .text = text};
    struct search_node fuzzy = {SEARCH_FUZZY, .first = &exact};
    size_t n = both_ways(f, &exact);
    assert_true(both_ways(f, &fuzzy) >= n);
    return n;
}

static int64_t count(struct fixture *f, const char *table)
{
    struct str text = arena_printf(&f->arena, "SELECT count(*) FROM %s", table);
    struct sql_statement s = {.text = arena_copy_c(&f->arena, text), .schema = "mail"};
    CLEAN_SQL struct sql *db = fixture_sql(f);
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, &s, SQL_NONE, &n, &f->e), 1);
    return n;
}

static void catch_up(struct fixture *f)
{
    for (bool more = true; more;)
        assert_int_equal(store_catch_up(f->store, &more, &f->e), STORE_OK);
}

/* --- the suites' mail --- */

static void append_folder(struct fixture *f, const char *folder, const char *suffix)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct suite_names names = suite_list(folder, suffix, &a);
    for (size_t i = 0; i < names.n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, names.v[i]);
        append(f, id_of(f, "INBOX"), suite_read(path, &a), 0, "");
    }
}

static void fill_from_suites(struct fixture *f)
{
    append_folder(f, "mime/eml/legacy", ".eml");
    append_folder(f, "mime/eml/rfc", ".eml");
    append_folder(f, "mime4j/testmsgs", ".msg");
    append_folder(f, "mime4j/mimetools-testmsgs", ".msg");
}

/* A stretch of the folded text of some message, as somebody might look for it. */
static struct str random_needle(struct fixture *f, uint64_t *seed, uint32_t messages)
{
    struct store_fetch *fetch;
    const struct fetch_row *row;
    uint32_t uid = 1 + next_random(seed) % messages;
    struct connection *c = pool_take(&f->store->pool, &f->e);
    assert_non_null(c);
    struct search_text t;
    struct str header, body, text;
    search_text_init(&t, c);
    assert_int_equal(store_fetch_open(f->store, 1, &uid, 1, WANT_PARTS, &fetch, &f->e), STORE_OK);
    assert_true(store_fetch_next(fetch, &row));
    search_text_start(&t, row);
    assert_true(search_text_folded_header(&t, &header, &f->e));
    assert_true(search_text_folded_body(&t, &body, &f->e));
    text = next_random(seed) % 3 == 0 || body.n == 0 ? header : body;
    size_t at = text.n ? next_random(seed) % text.n : 0,
           n = 1 + next_random(seed) % (next_random(seed) % 4 ? 12 : 60);
    struct str needle = arena_copy(&f->arena, str_slice(text, at, n));
    search_text_free(&t);
    pool_give(&f->store->pool, c);
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    return needle;
}

static void suites_mail_is_found_both_ways(void **state)
{
    static const char *const FIELDS[] = {"Subject",  "From",       "To",     "Cc",
                                         "Received", "Message-ID", "X-None", "Content-Type"};
    struct fixture *f = *state;
    fill_from_suites(f);
    uint32_t messages = mailbox_named(f, "INBOX").messages;
    assert_true(messages > 100);
    uint64_t seed = 7;
    size_t found = 0;
    for (int i = 0; i < NEEDLES; i++) {
        struct str needle = random_needle(f, &seed, messages);
        struct search_node tree = {.kind = SEARCH_TEXT, .text = needle};
        switch (next_random(&seed) % 4) {
        case 0: tree.kind = SEARCH_BODY; break;
        case 1:
            tree.kind = SEARCH_HEADER;
            tree.name = str_from_c(FIELDS[next_random(&seed) % 8]);
            break;
        default: break;
        }
        struct search_node fuzzy = {SEARCH_FUZZY, .first = &tree};
        found += both_ways(f, i % 8 == 0 ? &fuzzy : &tree) > 0;
    }
    assert_true(found > NEEDLES / 2);
}

/* --- words --- */

static void parts_of_words_are_found(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    char word[1001];
    uint64_t seed = 5;
    for (size_t i = 0; i < 1000; i++)
        word[i] = (char)('a' + next_random(&seed) % 26);
    word[1000] = '\0';
    append(f, inbox,
           arena_printf(&f->arena, "Subject: %.300s\r\n\r\n%s and šta\r\nje ovo\r\n", word + 500, word), 0,
           "");
    append(f, inbox,
           STR("Subject: other\r\nFrom: Ana <ana.long-name@mail.example.org>\r\n\r\nabcdef 東京タワー"), 0,
           "");
    for (size_t n = 1; n < 120; n++) {
        struct str part = str_from(word + next_random(&seed) % (1000 - n), n);
        assert_true(text_both_ways(f, SEARCH_BODY, "", part) >= 1);
        assert_true(text_both_ways(f, SEARCH_TEXT, "", part) >= 1);
        text_both_ways(f, SEARCH_HEADER, "Subject", part);
    }
    static const struct {
        enum search_kind kind;
        const char *name, *text;
        size_t found;
    } CASES[] = {
        {SEARCH_BODY, "", "sta je", 1},
        {SEARCH_BODY, "", "ta j", 1},
        {SEARCH_BODY, "", "stajem", 0},
        {SEARCH_BODY, "", "bcde", 1},
        {SEARCH_BODY, "", "京タ", 1},
        {SEARCH_BODY, "", "京ワ", 0},
        {SEARCH_BODY, "", "def 東", 1},
        {SEARCH_BODY, "", " ", 2},
        {SEARCH_BODY, "", "", 2},
        {SEARCH_TEXT, "", "org>", 1},
        {SEARCH_TEXT, "", "example.org", 1},
        {SEARCH_TEXT, "", "other", 1},
        {SEARCH_HEADER, "From", "a.l", 1},
        {SEARCH_HEADER, "From", "ana <ana", 1},
        {SEARCH_HEADER, "From", "mail.example", 1},
        {SEARCH_HEADER, "from", "", 1},
        {SEARCH_HEADER, "From", "name@mail.example.org>", 1},
        {SEARCH_HEADER, "From", "other", 0},
        {SEARCH_HEADER, "Subject", "", 2},
        {SEARCH_TEXT, "", "subject: oth", 1},
        {SEARCH_TEXT, "", "subject", 2},
        {SEARCH_HEADER, "To", "ana", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(text_both_ways(f, CASES[i].kind, CASES[i].name, str_from_c(CASES[i].text)),
                         CASES[i].found);
}

/* More different words than the index takes of one message: it is read instead. */
static void a_heap_of_words_is_read(void **state)
{
    struct fixture *f = *state;
    CLEAN_BUF struct buf b;
    buf_init(&b, BUF_MAX_DEFAULT);
    buf_add(&b, STR("\r\n"));
    for (unsigned i = 0; i < 60000; i++)
        buf_addf(&b, "w%xq\r\n", i);
    append(f, 1, buf_str(&b), 0, "");
    append(f, 1, STR("\r\nwea5fq"), 0, "");
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("wea5fq")), 2);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("nowhere")), 0);
}

/* --- behind delivery --- */

static void segments_are_merged(void **state)
{
    struct fixture *f = *state;
    enum { N = 300 };
    for (int i = 0; i < N; i++) {
        append(f, 1, arena_printf(&f->arena, "Subject: s%d\r\n\r\nword number%d of%d", i, i, i % 7), 0, "");
        catch_up(f);
    }
    assert_true(count(f, "word_segment") < 24);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("number123")), 1);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("word")), N);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("of3")), N / 7 + 1);
}

static void what_is_purged_leaves_the_index(void **state)
{
    struct fixture *f = *state;
    uint32_t *gone;
    size_t n;
    for (int i = 0; i < 20; i++)
        append(f, 1, arena_printf(&f->arena, "\r\nsecret%d", i), 0, "");
    catch_up(f);
    uint32_t uids[20];
    for (uint32_t i = 0; i < 20; i++)
        uids[i] = i + 1;
    assert_int_equal(store_expunge(f->store, 1, uids, 19, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, (int64_t)time(NULL) + 15 * 24 * 3600, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    catch_up(f);
    assert_int_equal(count(f, "word_segment WHERE bodies = 1 AND gone = 0"), 1);
    assert_int_equal(count(f, "body_key"), 1);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("secret19")), 1);
    /* The newest goes too: its id is not given again. */
    int64_t last = message_at(f, 1, 20).body;
    assert_int_equal(store_expunge(f->store, 1, uids + 19, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, (int64_t)time(NULL) + 15 * 24 * 3600, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    catch_up(f);
    assert_int_equal(count(f, "word_segment"), 0);
    assert_int_equal(count(f, "word_block"), 0);
    append(f, 1, STR("\r\nsecret19 again"), 0, "");
    assert_int_equal(message_at(f, 1, 21).body, last + 1);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("secret19")), 1);
}

static void work_until_killed(struct fixture *f)
{
    struct err e;
    fixture_open(f);
    struct store *s = f->store;
    for (unsigned i = 0; s && i < 100000; i++) {
        char text[64];
        bool more;
        snprintf(text, sizeof text, "Message-ID: <%u@x>\r\n\r\nword%u every", i, i);
        struct store_append item = {.mailbox = 1, .bytes = str_from_c(text)};
        if (store_append(s, &item, 1, &e) != STORE_OK || store_catch_up(s, &more, &e) != STORE_OK)
            break;
    }
    _exit(1);
}

static void a_kill_loses_nothing(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 6; round++) {
        store_close(f->store);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            work_until_killed(f);
        usleep(60000 + (useconds_t)round * 17000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        fixture_open(f);
        assert_non_null(f->store);
        uint32_t messages = mailbox_named(f, "INBOX").messages;
        assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("every")), messages);
        text_both_ways(f, SEARCH_BODY, "", STR("word1"));
        catch_up(f);
        assert_int_equal(count(f, "body_key"), count(f, "body"));
    }
}

/* An account of the first release: what it has is worked out when it is asked for. */
static void an_old_account_is_indexed(void **state)
{
    struct fixture *f = *state;
    append(f, 1, STR("Subject: before\r\nMessage-ID: <a@x>\r\n\r\nold words"), 0, "");
    store_close(f->store);
    const struct sql_schema first = {"mail", MAIL_SCHEMA.migrations, 1};
    char fresh[300];
    snprintf(fresh, sizeof fresh, "%s", f->file);
    snprintf(f->path, sizeof f->path, "%s/old", f->folder.path);
    snprintf(f->file, sizeof f->file, "%s/mail.db", f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
    struct sql *db = sql_open(f->file, &first, &f->e);
    assert_non_null(db);
    static const struct sql_statement ATTACH = {"ATTACH DATABASE $1 AS fresh"},
                                      DETACH = {"DETACH DATABASE fresh"};
    static const struct sql_statement COPY[] = {
        {"INSERT INTO body(id, message, arrived, parts, structure, envelope)"
         " SELECT id, message, arrived, parts, structure, envelope FROM fresh.body"},
        {"INSERT INTO body_chunk(id, data) SELECT id, data FROM fresh.body_chunk"},
        {"INSERT INTO message(id, flags, modseq, keywords, received, zone, size, body)"
         " SELECT id, flags, modseq, keywords, received, zone, size, body FROM fresh.message"},
        {"UPDATE mailbox SET messages = 1, uidnext = 2 WHERE id = 1"},
    };
    assert_true(sql_exec(db, &ATTACH, SQL(sql_text(str_from_c(fresh))), NULL, &f->e));
    for (size_t i = 0; i < sizeof COPY / sizeof *COPY; i++)
        assert_true(sql_exec(db, &COPY[i], SQL_NONE, NULL, &f->e));
    assert_true(sql_exec(db, &DETACH, SQL_NONE, NULL, &f->e));
    sql_close(db);
    f->store = store_open(f->path, &f->e);
    assert_non_null(f->store);
    assert_int_equal(text_both_ways(f, SEARCH_TEXT, "", STR("before")), 1);
    assert_int_equal(count(f, "word_segment"), 1);
    struct message_row old = message_at(f, 1, 1);
    assert_int_equal(old.saved, old.received);
    uint64_t thread;
    assert_int_equal(store_thread_id(f->store, old.body, &thread, &f->e), STORE_OK);
    append(f, 1, STR("\r\nnew words"), 0, "");
    assert_int_equal(message_at(f, 1, 2).body, old.body + 1);
    assert_int_equal(text_both_ways(f, SEARCH_TEXT, "", STR("words")), 2);
}

static void a_damaged_index_is_made_anew(void **state)
{
    struct fixture *f = *state;
    append(f, 1, STR("\r\nsome words"), 0, "");
    catch_up(f);
    struct sql *db = fixture_sql(f);
    static const struct sql_statement BREAK = {"UPDATE word_block SET words = substr(words, 1, 9)",
                                               .schema = "mail"};
    assert_true(sql_exec(db, &BREAK, SQL_NONE, NULL, &f->e));
    sql_close(db);
    uint32_t *uids;
    size_t n;
    struct search_node tree = {SEARCH_BODY, .text = STR("words")};
    search(f, &tree, &uids, &n, NULL);
    assert_int_equal(n, 1);
    assert_int_equal(text_both_ways(f, SEARCH_BODY, "", STR("words")), 1);
    assert_int_equal(count(f, "word_block WHERE length(words) > 9"), count(f, "word_block"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(suites_mail_is_found_both_ways),  STORE_TEST(parts_of_words_are_found),
        STORE_TEST(a_heap_of_words_is_read),         STORE_TEST(segments_are_merged),
        STORE_TEST(what_is_purged_leaves_the_index), STORE_TEST(a_kill_loses_nothing),
        STORE_TEST(a_damaged_index_is_made_anew),
    };
    const struct CMUnitTest in_a_file[] = {
        STORE_TEST(an_old_account_is_indexed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return engine() != ENGINE_SQLITE ? failed : failed + cmocka_run_group_tests(in_a_file, NULL, NULL);
}
