/* Mail that stands in the journal beside the database: nobody sees a difference, whatever happens. SQLite
 * only: with PostgreSQL there is no journal. */
#include "store_fixture.h"

#include "base/clock.h"
#include "base/journal.h"
#include "base/mem.h"
#include "mailbox/arrivals_record.h"

#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INBOX 1

static void open_keeping(struct fixture *f)
{
    fixture_open(f);
    if (!f->store)
        fail_msg("%s", f->e.text);
    store_keep_arrivals(f->store);
}

static int set_up(void **state)
{
    fixture_set_up(state);
    store_keep_arrivals(((struct fixture *)*state)->store);
    return 0;
}

#define ARRIVALS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)

static struct str journal_path(const struct fixture *f, struct arena *a)
{
    return arena_printf(a, "%s/arrivals", f->path);
}

/* What is in the database alone, as another process would read it. */
static int64_t in_database(struct fixture *f)
{
    static const struct sql_statement COUNT = {"SELECT count(*) FROM message"};
    CLEAN_SQL struct sql *db = fixture_sql(f);
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, &COUNT, SQL_NONE, &n, &f->e), 1);
    return n;
}

/* A message that tells its number, of a size that hangs on it. */
static struct str letter(struct arena *a, uint32_t number)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_addf(&text, "Subject: %u\r\nFrom: a@example.org\r\n\r\n", number);
    for (uint32_t i = 0; i < number * 97 % 400; i++)
        buf_addf(&text, "line %u of letter %u\r\n", i, number);
    return arena_copy(a, buf_str(&text));
}

static enum store_result arrive(struct fixture *f, uint32_t number, uint32_t *uid)
{
    struct store_append item = {.mailbox = INBOX,
                                .prefix = STR("Return-Path: <>\r\n"),
                                .bytes = letter(&f->arena, number),
                                .flags = number % 3 == 0 ? FLAG_FLAGGED : 0,
                                .keywords = number % 5 == 0 ? STR("Zeta alpha") : STR(""),
                                .received = 1700000000 + number,
                                .zone = -90};
    enum store_result r = store_arrive(f->store, &item, 1, &f->e);
    *uid = item.uid;
    return r == STORE_OK ? item.result : r;
}

static void arrive_many(struct fixture *f, uint32_t from, uint32_t to)
{
    uint32_t uid;
    for (uint32_t number = from; number <= to; number++) {
        assert_int_equal(arrive(f, number, &uid), STORE_OK);
        assert_int_equal(uid, number);
    }
}

/* Letter `uid` is stored as it came. */
static void check_letter(struct fixture *f, uint32_t uid)
{
    CLEAN_BUF struct buf out;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str sent = arena_printf(&a, "Return-Path: <>\r\n%.*s", STR_ARGS(letter(&a, uid)));
    struct message_row row = message_at(f, INBOX, uid);
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(read_body(f, INBOX, uid, 0, UINT64_MAX, &out), STORE_OK);
    assert_true(str_eq(buf_str(&out), sent));
    assert_int_equal(row.flags, uid % 3 == 0 ? FLAG_FLAGGED : 0);
    assert_true(str_eq(row.keywords, uid % 5 == 0 ? STR("alpha Zeta") : STR("")));
    assert_int_equal(row.received, 1700000000 + uid);
    assert_int_equal(row.zone, -90);
}

static void nobody_sees_a_difference(void **state)
{
    struct fixture *f = *state;
    struct quota q;
    uint64_t modseq = mailbox_named(f, "INBOX").highestmodseq;
    arrive_many(f, 1, 12);
    assert_int_equal(in_database(f), 1); /* what comes alone is stored at once */
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_int_equal(m.messages, 12);
    assert_int_equal(m.unseen, 12);
    assert_int_equal(m.uidnext, 13);
    assert_int_equal(m.highestmodseq, modseq + 12);
    assert_int_equal(store_quota(f->store, &q, &f->e), STORE_OK);
    assert_int_equal(q.used[QUOTA_MESSAGES], 12);
    assert_int_equal(q.used[QUOTA_BYTES], m.size);
    assert_int_equal(in_database(f), 1); /* a look at counters leaves them where they are */

    struct view_changes changes;
    assert_int_equal(store_view_changes(f->store, INBOX, modseq + 5, &f->arena, &changes, &f->e), STORE_OK);
    assert_int_equal(changes.changed_count, 7); /* each has a modseq of its own */
    assert_int_equal(changes.modseq, modseq + 12);
    assert_int_equal(in_database(f), 12);
    struct mailbox after = mailbox_named(f, "INBOX");
    assert_int_equal(after.size, m.size);
    assert_int_equal(after.highestmodseq, m.highestmodseq);
    assert_int_equal(after.messages, 12);
    for (uint32_t uid = 1; uid <= 12; uid++)
        check_letter(f, uid);

    arrive_many(f, 13, 14);
    assert_int_equal(store_highestmodseq(f->store, INBOX), modseq + 14);
    assert_int_equal(store_highestmodseq(f->store, 2), 0); /* nothing has happened there */
    assert_int_equal(in_database(f), 12);
    check_letter(f, 14);
}

/* Somebody who looks after each makes the journal a write too many. */
static void what_is_looked_at_at_once_is_stored_at_once(void **state)
{
    struct fixture *f = *state;
    arrive_many(f, 1, 2);
    assert_int_equal(in_database(f), 1);
    check_letter(f, 2);
    for (uint32_t number = 3; number <= 18; number++) {
        arrive_many(f, number, number);
        assert_int_equal(in_database(f), number);
    }
    arrive_many(f, 19, 24);
    assert_int_equal(in_database(f), 18);
    check_letter(f, 24);
    arrive_many(f, 25, 26);
    assert_int_equal(in_database(f), 24);
}

static void a_change_comes_after_what_arrived_before_it(void **state)
{
    struct fixture *f = *state;
    arrive_many(f, 1, 5);
    assert_int_equal(append(f, INBOX, STR("x"), 0, ""), 6);
    uint32_t uid, *gone;
    size_t n;
    assert_int_equal(arrive(f, 7, &uid), STORE_OK);
    assert_int_equal(uid, 7);
    assert_int_equal(store_expunge(f->store, INBOX, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 7);
    assert_int_equal(arrive(f, 8, &uid), STORE_OK);
    assert_int_equal(uid, 8);
    assert_int_equal(store_mailbox_create(f->store, STR("Work"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    check_letter(f, 8);
}

static void many_are_put_there_at_once(void **state)
{
    struct fixture *f = *state;
    arrive_many(f, 1, 400);
    int64_t there = in_database(f);
    assert_true(there >= 400 - 256 && there < 400);
    for (uint32_t uid = 1; uid <= 400; uid++)
        check_letter(f, uid);
}

static void a_batch_has_a_result_for_each(void **state)
{
    struct fixture *f = *state;
    char large[70000];
    memset(large, 'x', sizeof large);
    arrive_many(f, 1, 3);
    struct store_append items[] = {{.mailbox = INBOX, .bytes = letter(&f->arena, 4)},
                                   {.mailbox = 999, .bytes = STR("x")},
                                   {.mailbox = INBOX, .bytes = STR("x"), .keywords = STR("no(good")},
                                   {.mailbox = 2, .bytes = STR("draft")},
                                   {.mailbox = INBOX, .bytes = letter(&f->arena, 5)}};
    assert_int_equal(store_arrive(f->store, items, 5, &f->e), STORE_OK);
    assert_int_equal(in_database(f), 1);
    assert_int_equal(items[0].uid, 4);
    assert_int_equal(items[1].result, STORE_NONE);
    assert_int_equal(items[2].result, STORE_INVALID);
    assert_int_equal(items[3].result, STORE_OK);
    assert_int_equal(items[3].uid, 1);
    assert_int_equal(items[4].uid, 5);
    assert_int_equal(mailbox_named(f, "Drafts").messages, 1);
    struct store_append big = {.mailbox = INBOX, .bytes = str_from(large, sizeof large)};
    assert_int_equal(store_arrive(f->store, &big, 1, &f->e), STORE_OK);
    assert_int_equal(big.uid, 6);
    assert_int_equal(in_database(f), 7); /* it goes there at once, and those before it */
}

static void a_quota_counts_what_stands_there(void **state)
{
    struct fixture *f = *state;
    uint32_t uid;
    assert_int_equal(store_set_quota(f->store, QUOTA_NONE, 5, &f->e), STORE_OK);
    arrive_many(f, 1, 5);
    assert_int_equal(in_database(f), 1);
    assert_int_equal(arrive(f, 6, &uid), STORE_OVERQUOTA);
    struct store_append item = {.mailbox = INBOX, .bytes = STR("x"), .beyond_quota = true};
    assert_int_equal(store_arrive(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.uid, 6);
    assert_int_equal(in_database(f), 1);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 6);
    assert_int_equal(message_at(f, INBOX, 6).size, 1);
}

static void an_attempt_again_finds_the_first(void **state)
{
    struct fixture *f = *state;
    arrive_many(f, 1, 2);
    struct store_append item = {.mailbox = INBOX, .bytes = STR("x"), .delivery = STR("0123456789abcdef")};
    assert_int_equal(store_arrive(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.uid, 3);
    item.again = true;
    assert_int_equal(store_arrive(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.uid, 3);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 3);
}

static void who_waits_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    eventfd_t count;
    int fd = eventfd(0, EFD_NONBLOCK);
    arrive_many(f, 1, 3);
    store_watch(f->store, fd);
    uint32_t uid;
    assert_int_equal(arrive(f, 4, &uid), STORE_OK);
    assert_int_equal(eventfd_read(fd, &count), 0);
    assert_int_equal(in_database(f), 4);
    store_unwatch(f->store, fd);
    close(fd);
}

/* A mailbox that was asked for is not asked of the database again while nothing can have changed. */
static void a_mailbox_is_found_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct mailbox m;
    arrive_many(f, 1, 3);
    assert_int_equal(store_mailbox_find(f->store, STR("Work"), &f->arena, &m, &f->e), STORE_NONE);
    assert_int_equal(store_mailbox_create(f->store, STR("Work"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    arrive_many(f, 4, 20);
    int64_t work = id_of(f, "Work");
    for (uint32_t number = 21; number <= 23; number++) { /* by turns: each is another than the one before */
        assert_int_equal(mailbox_named(f, "INBOX").messages, number - 1);
        assert_int_equal(id_of(f, "Work"), work);
        assert_int_equal(mailbox_named(f, "Work").messages, 0);
        arrive_many(f, number, number);
        assert_int_equal(mailbox_named(f, "INBOX").messages, number);
        assert_int_equal(mailbox_named(f, "INBOX").uidnext, number + 1);
    }
    assert_true(in_database(f) < 23);
    assert_false(mailbox_named(f, "Work").subscribed);
    assert_int_equal(store_subscribe(f->store, STR("Work"), true, &f->e), STORE_OK);
    arrive_many(f, 24, 40);
    assert_true(mailbox_named(f, "Work").subscribed);
    assert_true(mailbox_named(f, "Work").subscribed);
    assert_int_equal(store_mailbox_rename(f->store, STR("Work"), STR("Play"), &f->e), STORE_OK);
    arrive_many(f, 41, 60);
    assert_int_equal(store_mailbox_find(f->store, STR("Work"), &f->arena, &m, &f->e), STORE_NONE);
    assert_int_equal(id_of(f, "Play"), work);
    assert_true(str_eq(mailbox_named(f, "Play").name, STR("Play")));
    assert_int_equal(store_mailbox_delete(f->store, STR("Play"), &f->e), STORE_OK);
    arrive_many(f, 61, 80);
    assert_int_equal(store_mailbox_find(f->store, STR("Play"), &f->arena, &m, &f->e), STORE_NONE);
    assert_int_equal(mailbox_named(f, "inbox").messages, 80);
}

/* An account that has had a burst expects the next one, and no longer when one came alone. */
static void the_first_of_a_burst_is_not_alone(void **state)
{
    struct fixture *f = *state;
    const struct {
        uint32_t arrive, stored;
    } STEPS[] = {{3, 1}, {1, 4}, {4, 5}, {6, 9}, {1, 14}, {1, 16}, {2, 17}};
    uint32_t number = 1;
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        arrive_many(f, number, number + STEPS[i].arrive - 1);
        number += STEPS[i].arrive;
        assert_int_equal(in_database(f), STEPS[i].stored);
        store_close(f->store);
        open_keeping(f);
        check_letter(f, number - 1);
        store_close(f->store);
        open_keeping(f);
    }
}

static void a_closed_account_is_one_file(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    arrive_many(f, 1, 5);
    assert_int_equal(stat(journal_path(f, &f->arena).p, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(f->store);
    assert_int_not_equal(stat(journal_path(f, &f->arena).p, &st), 0);
    open_keeping(f);
    for (uint32_t uid = 1; uid <= 5; uid++)
        check_letter(f, uid);
    arrive_many(f, 6, 9); /* the next generation */
    for (uint32_t uid = 6; uid <= 9; uid++)
        check_letter(f, uid);
}

/* --- an account as a process that was killed left it --- */

static struct str read_file(struct arena *a, const char *path)
{
    struct stat st;
    CLEAN_CLOSE int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = arena_new(a, (size_t)st.st_size + 1, 1);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    return str_from(bytes, (size_t)st.st_size);
}

static void write_file(const char *path, struct str bytes)
{
    CLEAN_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
}

/* The account as the process left it. */
struct remains {
    struct str database, log, journal;
    char database_path[250], log_path[250], shared_path[250], journal_path[250];
};

static void collect(struct fixture *f, struct remains *r)
{
    snprintf(r->database_path, sizeof r->database_path, "%s/mail.db", f->path);
    snprintf(r->log_path, sizeof r->log_path, "%s/mail.db-wal", f->path);
    snprintf(r->shared_path, sizeof r->shared_path, "%s/mail.db-shm", f->path);
    snprintf(r->journal_path, sizeof r->journal_path, "%s/arrivals", f->path);
    r->database = read_file(&f->arena, r->database_path);
    r->log = read_file(&f->arena, r->log_path);
    r->journal = read_file(&f->arena, r->journal_path);
}

/* The account with this journal, opened. */
static void restore(struct fixture *f, const struct remains *r, struct str journal)
{
    store_close(f->store);
    unlink(r->shared_path);
    write_file(r->database_path, r->database);
    write_file(r->log_path, r->log);
    write_file(r->journal_path, journal);
    open_keeping(f);
}

static void check_first(struct fixture *f, uint32_t n)
{
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_int_equal(m.messages, n);
    assert_int_equal(m.uidnext, n + 1);
    check_letter(f, n);
}

/* --- another process --- */

static void *look_later(void *state)
{
    struct fixture *f = state;
    struct message_row row;
    struct err e;
    usleep(50 * 1000);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return store_message(f->store, INBOX, 1, &a, &row, &e) == STORE_OK ? NULL : "look";
}

static void a_command_beside_the_server_waits(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    uint32_t uid;
    arrive_many(f, 1, 4);
    assert_int_equal(pthread_create(&thread, NULL, look_later, f), 0);
    struct store *beside = store_open(f->path, &f->e);
    assert_non_null(beside);
    struct store_append item = {.mailbox = INBOX, .bytes = STR("beside")};
    assert_int_equal(store_append(beside, &item, 1, &f->e), STORE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(item.uid, 5);
    assert_int_equal(arrive(f, 6, &uid), STORE_OK);
    assert_int_equal(uid, 6);
    store_close(beside); /* leaves the journal that the other still writes to */
    assert_int_equal(access(journal_path(f, &f->arena).p, F_OK), 0);
    check_letter(f, 4);
    check_letter(f, 6);
}

struct beside {
    struct fixture *f;
    atomic_bool stop;
    const char *failed;
};

static void *never_pause(void *context)
{
    struct beside *b = context;
    while (!atomic_load(&b->stop)) {
        struct store_append item = {.mailbox = INBOX, .bytes = STR("Subject: on and on\r\n\r\n")};
        struct err e;
        if (store_arrive(b->f->store, &item, 1, &e) != STORE_OK)
            b->failed = "arrive";
    }
    return NULL;
}

/* Mail that never stops does not keep a command out. */
static void a_command_gets_its_turn(void **state)
{
    struct beside b = {.f = *state};
    struct fixture *f = *state;
    pthread_t thread[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, never_pause, &b), 0);
    struct store *beside = store_open(f->path, &f->e);
    assert_non_null(beside);
    int64_t before = clock_ms();
    for (int i = 0; i < 5; i++)
        assert_int_equal(store_set_quota(beside, 0, 1000000 + i, &f->e), STORE_OK);
    assert_true(clock_ms() - before < 9000);
    atomic_store(&b.stop, true);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_null(b.failed);
    store_close(beside);
}

/* Keeper was started anew: the old process of the account ends while the new one serves it. */
static void two_that_serve_it_do_not_lose_each_others(void **state)
{
    struct fixture *f = *state;
    struct store *first = f->store;
    pthread_t thread;
    uint32_t uid;
    arrive_many(f, 1, 4);
    assert_int_equal(pthread_create(&thread, NULL, look_later, &(struct fixture){.store = first}), 0);
    open_keeping(f); /* waits for the first to put its own into the database */
    assert_int_equal(pthread_join(thread, NULL), 0);
    arrive_many(f, 5, 7); /* stands in the same file */
    struct fixture old = {.store = first, .arena = ARENA_INIT};
    assert_int_equal(pthread_create(&thread, NULL, look_later, f), 0);
    assert_int_equal(append(&old, INBOX, STR("x"), 0, ""), 8); /* waits for the second to do so */
    assert_int_equal(pthread_join(thread, NULL), 0);
    arena_free(&old.arena);
    store_close(first); /* removes the file that the second has open */
    for (uint32_t number = 9; number <= 30; number++) {
        assert_int_equal(arrive(f, number, &uid), STORE_OK);
        assert_int_equal(uid, number);
    }
    /* What stands is in a file that is found: there, and not in one without a name. */
    struct remains r;
    assert_true(in_database(f) < 30);
    collect(f, &r);
    restore(f, &r, r.journal);
    check_first(f, 30);
}

/* Its folder goes while mail stands there: nobody waits for it any more. */
static void an_account_may_be_removed(void **state)
{
    struct fixture *f = *state;
    struct folder away;
    uint32_t uid;
    arrive_many(f, 1, 5);
    snprintf(away.path, sizeof away.path, "%.80s/removed", f->folder.path);
    assert_int_equal(rename(f->path, away.path), 0);
    folder_remove(&away);
    assert_int_equal(access(away.path, F_OK), -1);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_not_equal(arrive(f, 6, &uid), STORE_NONE);
    store_close(f->store);
    assert_int_equal(access(away.path, F_OK), -1);
    fixture_open(f); /* the same number again: another account */
    assert_non_null(f->store);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 0);
}

/* What an administrator sets meanwhile holds from then on; what was acknowledged stays. */
static void a_quota_that_shrinks_takes_nothing_back(void **state)
{
    struct fixture *f = *state;
    uint32_t uid;
    arrive_many(f, 1, 6);
    struct store *beside = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look_later, f), 0);
    beside = store_open(f->path, &f->e);
    assert_non_null(beside);
    assert_int_equal(store_set_quota(beside, QUOTA_NONE, 3, &f->e), STORE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    store_close(beside);
    assert_int_equal(arrive(f, 7, &uid), STORE_OVERQUOTA);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 6);
    check_letter(f, 6);
}

/* --- crashes --- */

/* Leaves letters `from` to `to` in the journal, as a process that dies does; returns the ends of the frames
 * of those that are there and not in the database: after which byte of the file each is whole. */
static size_t die_after(struct fixture *f, uint32_t from, uint32_t to, size_t *ends)
{
    size_t *shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    store_close(f->store);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_keeping(f);
        arrive_many(f, from, to);
        size_t at = 4096;
        for (uint32_t i = from + 1; i <= to; i++) {
            /* frames begin at blocks; head, record, texts, see journal.c and arrivals.c */
            size_t bytes = 24 + 64 + letter(&f->arena, i).n + 17 + (i % 5 == 0 ? 10 : 0);
            shared[++shared[0]] = at + bytes;
            at += (bytes + 4095) / 4096 * 4096;
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    size_t n = shared[0];
    memcpy(ends, shared + 1, n * sizeof *ends);
    munmap(shared, 65536);
    return n;
}

static void every_prefix_of_the_file_holds_what_is_whole_in_it(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    size_t ends[16], n = die_after(f, 1, 8, ends);
    f->store = NULL;
    assert_int_equal(n, 7);
    collect(f, &r);
    for (size_t length = 0; length <= ends[n - 1] + 4096; length += length < 8192 ? 1024 : 4096) {
        restore(f, &r, str_slice(r.journal, 0, length));
        uint32_t whole = 1;
        while (whole <= n && length >= ends[whole - 1])
            whole++;
        check_first(f, whole);
    }
    for (size_t i = 0; i < n; i++) {
        restore(f, &r, str_slice(r.journal, 0, ends[i]));
        check_first(f, (uint32_t)i + 2);
        restore(f, &r, str_slice(r.journal, 0, ends[i] - 1));
        check_first(f, (uint32_t)i + 1);
    }
}

/* How many files were set aside; they are removed. */
static size_t set_aside(const struct remains *r)
{
    glob_t found;
    char pattern[sizeof r->journal_path + 16];
    snprintf(pattern, sizeof pattern, "%s.damaged-*", r->journal_path);
    size_t n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(unlink(found.gl_pathv[i]), 0);
    if (n > 0)
        globfree(&found);
    return n;
}

/* A crash spoils the last; what the disk loses before it costs none but itself. */
static void a_frame_with_a_wrong_byte_is_lost_alone(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    uint64_t seed = 7;
    size_t ends[16], n = die_after(f, 1, 6, ends);
    f->store = NULL;
    collect(f, &r);
    for (int round = 0; round < 24; round++) {
        struct arena a = ARENA_INIT; /* freed in the end: a test that fails leaves it */
        size_t frame = next_random(&seed) % n,
               start = frame == 0 ? 4096 : (ends[frame - 1] + 4095) / 4096 * 4096;
        size_t at =
            start + (round % 2 ? next_random(&seed) % 24 : next_random(&seed) % (ends[frame] - start));
        struct str spoilt = arena_copy(&a, r.journal);
        ((char *)(uintptr_t)spoilt.p)[at] ^= (char)(1 << next_random(&seed) % 8);
        restore(f, &r, spoilt);
        arena_free(&a);
        bool is_last = frame == n - 1;
        assert_int_equal(set_aside(&r), !is_last);
        assert_int_equal(mailbox_named(f, "INBOX").messages, n);
        assert_int_equal(mailbox_named(f, "INBOX").uidnext, is_last ? n + 1 : n + 2);
        for (uint32_t uid = 1; uid <= n + 1; uid++)
            if (uid != frame + 2)
                check_letter(f, uid);
        uint32_t uid; /* the journal is of use again */
        for (int i = 0; i < 3; i++)
            assert_int_equal(arrive(f, 20, &uid), STORE_OK);
    }
}

/* --- journals that are not as ours --- */

/* Six messages of a process that was killed; returns its journal, as if of another golub. */
static struct str leave_as(struct fixture *f, struct remains *r, const char *format)
{
    size_t ends[16];
    die_after(f, 1, 6, ends);
    f->store = NULL;
    collect(f, r);
    struct str journal = arena_copy(&f->arena, r->journal);
    memcpy((char *)(uintptr_t)journal.p, format, 16);
    return journal;
}

static void a_newer_golubs_journal_is_refused_and_kept(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    struct str newer = leave_as(f, &r, "golub journal 3");
    write_file(r.journal_path, newer);
    assert_null(store_open(f->path, &f->e));
    assert_int_equal(f->e.kind, ERR_PERMANENT);
    assert_non_null(strstr(f->e.text, "newer"));
    assert_true(str_eq(read_file(&f->arena, r.journal_path), newer));
    restore(f, &r, r.journal);
    check_first(f, 6);
}

/* What a golub left that looked no further than the first 512 KiB: it would not find what stands behind. */
static void a_former_golubs_journal_is_taken_up(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    struct stat st;
    struct str former = leave_as(f, &r, "golub journal 1");
    restore(f, &r, former);
    check_first(f, 6);
    arrive_many(f, 7, 200);
    assert_int_equal(stat(r.journal_path, &st), 0);
    assert_true(st.st_size <= 4096 + 512 * 1024);
    check_first(f, 200);
    store_close(f->store);
    open_keeping(f);
    arrive_many(f, 201, 340);
    assert_int_equal(stat(r.journal_path, &st), 0);
    assert_true(st.st_size > 4096 + 512 * 1024);
    check_first(f, 340);
}

static void a_file_that_is_no_journal_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    uint32_t uid;
    size_t ends[16];
    die_after(f, 1, 6, ends);
    f->store = NULL;
    collect(f, &r);
    struct str garbage = arena_copy(&f->arena, r.journal);
    memset((char *)(uintptr_t)garbage.p, 0, 32); /* the disk has lost the label */
    restore(f, &r, garbage);
    assert_int_equal(set_aside(&r), 1);
    check_first(f, 1);
    for (uint32_t number = 2; number <= 4; number++)
        assert_int_equal(arrive(f, number, &uid), STORE_OK);
    check_first(f, 4);
    restore(f, &r, STR("#!/bin/sh\n")); /* shorter than a label: its making was cut short */
    assert_int_equal(set_aside(&r), 0);
    check_first(f, 1);
    garbage = str_slice(r.journal, 0, 4096);
    memset((char *)(uintptr_t)garbage.p, 'x', 4096);
    restore(f, &r, garbage);
    assert_int_equal(set_aside(&r), 1);
    check_first(f, 1);
}

/* Puts a frame of these bytes behind `like`, whose record is that of letter `number` as uid 2. */
static void write_frame(struct journal *j, struct str like, struct str tail)
{
    struct err e = ERR_INIT;
    char *to = journal_place(j);
    memcpy(to, like.p, like.n);
    if (tail.n > 0)
        memcpy(to + like.n, tail.p, tail.n);
    assert_true(journal_write(j, like.n + tail.n, &e));
}

/* Frames of one block and of several come back as they were, and none of a generation before. */
static void a_journal_that_starts_again_has_the_new_frames(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    CLEAN_CLOSE int dir = open(f->path, O_RDONLY | O_DIRECTORY);
    for (uint32_t generation = 1; generation <= 3; generation++) {
        struct journal *j = journal_open(dir, "arrivals", JOURNAL_BYTES_MAX, true, &e);
        assert_non_null(j);
        journal_restart(j, generation);
        write_frame(j, STR("short"), STR(""));
        journal_restart(j, generation + 10);
        char *many = memset(arena_new(&f->arena, 20000, 1), 'm', 20000);
        write_frame(j, str_from(many, generation * 4096), STR(" and more"));
        write_frame(j, STR("the last"), STR(""));
        journal_close(j);
        struct journal_found found;
        assert_non_null(j = journal_open(dir, "arrivals", JOURNAL_BYTES_MAX, false, &e));
        assert_true(journal_read(j, generation, &found, &e));
        assert_int_equal(found.generation, generation + 10);
        assert_int_equal(found.missing, 0);
        assert_int_equal(found.n, 2);
        assert_int_equal(found.payloads[0].n, generation * 4096 + 9);
        assert_memory_equal(found.payloads[0].p, many, generation * 4096);
        assert_true(str_ends(found.payloads[0], STR(" and more")));
        assert_true(str_eq(found.payloads[1], STR("the last")));
        journal_close(j);
    }
    assert_int_equal(unlinkat(dir, "arrivals", 0), 0);
}

static struct str record_of(struct fixture *f, uint32_t uid, struct str keywords)
{
    struct arrival m = {.item = {.mailbox = INBOX,
                                 .prefix = STR("Return-Path: <>\r\n"),
                                 .bytes = letter(&f->arena, uid),
                                 .keywords = keywords,
                                 .flags = uid % 3 == 0 ? FLAG_FLAGGED : 0,
                                 .received = 1700000000 + uid,
                                 .zone = -90,
                                 .uid = uid},
                        .saved = 1700000000 + uid,
                        .modseq = 100 + uid};
    char *bytes = arena_new(&f->arena, arrival_bytes(&m), 1);
    assert_ptr_equal(arrival_put(bytes, &m), bytes + arrival_bytes(&m));
    return str_from(bytes, arrival_bytes(&m));
}

/* Whole frames in which stands what another version wrote: what can be read is stored, and nothing is thrown
 * away. */
static void what_cannot_be_read_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct remains r = {0};
    struct err e = ERR_INIT;
    snprintf(r.journal_path, sizeof r.journal_path, "%s/arrivals", f->path);
    store_close(f->store);
    for (int round = 0; round < 4; round++) {
        CLEAN_CLOSE int dir = open(f->path, O_RDONLY | O_DIRECTORY);
        uint32_t at = (uint32_t)round * 4 + 1;
        struct journal *j = journal_open(dir, "arrivals", JOURNAL_BYTES_MAX, true, &e);
        assert_non_null(j);
        journal_restart(j, (uint32_t)round + 1);
        write_frame(j, record_of(f, at, STR("")), round == 0 ? STR("what follows") : STR(""));
        if (round == 1)
            write_frame(j, STR("no record at all"), STR(""));
        if (round == 2)
            write_frame(j, record_of(f, at + 2, STR("no(keyword")), STR(""));
        write_frame(j, record_of(f, at + 3, STR("")), STR(""));
        journal_close(j);
        open_keeping(f);
        assert_non_null(f->store);
        assert_int_equal(set_aside(&r), round < 3);
        assert_int_equal(mailbox_named(f, "INBOX").messages, round * 2 + 2);
        assert_int_equal(mailbox_named(f, "INBOX").uidnext, at + 4);
        assert_true(message_at(f, INBOX, at).size > 0);
        assert_true(message_at(f, INBOX, at + 3).size > 0);
        store_close(f->store);
    }
    f->store = NULL;
}

/* Between the commit and the next generation, and long after it. */
static void what_is_there_is_not_put_there_again(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    uint32_t uid;
    size_t ends[16];
    die_after(f, 1, 6, ends);
    f->store = NULL;
    collect(f, &r);
    for (int round = 0; round < 3; round++) {
        open_keeping(f);
        check_first(f, 6 + (uint32_t)round);
        assert_int_equal(arrive(f, 7 + (uint32_t)round, &uid), STORE_OK);
        store_close(f->store);
        write_file(r.journal_path, r.journal);
    }
    f->store = NULL;
    /* A journal that is later than the database (a backup of that alone was put back) is taken up too. */
    open_keeping(f);
    check_first(f, 9);
}

static void arrive_until_killed(struct fixture *f, atomic_uint *acknowledged, uint32_t number)
{
    uint32_t uid;
    open_keeping(f);
    for (;;) {
        if (arrive(f, ++number, &uid) != STORE_OK || uid != number)
            _exit(1);
        atomic_store(acknowledged, number);
        if (number % 23 == 0)
            message_at(f, INBOX, number);
        arena_reset(&f->arena);
    }
}

static void acknowledged_survives_a_kill(void **state)
{
    struct fixture *f = *state;
    atomic_uint *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    uint32_t stored = 0;
    for (int round = 0; round < 8; round++) {
        store_close(f->store);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            arrive_until_killed(f, acknowledged, stored);
        while (atomic_load(acknowledged) < stored + 10 + (uint32_t)round * 11)
            usleep(100);
        usleep((useconds_t)round * 97);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        open_keeping(f);
        uint32_t now = mailbox_named(f, "INBOX").messages;
        assert_true(now >= atomic_load(acknowledged));
        assert_true(now <= atomic_load(acknowledged) + 1);
        for (uint32_t uid = stored + 1; uid <= now; uid++)
            check_letter(f, uid);
        stored = now;
        assert_int_equal(mailbox_named(f, "INBOX").uidnext, stored + 1);
    }
    munmap(acknowledged, 4096);
}

/* --- a full disk --- */

static void limit_files(rlim_t bytes, struct rlimit *was)
{
    assert_int_equal(getrlimit(RLIMIT_FSIZE, was), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, was->rlim_max}), 0);
}

static void a_full_disk_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct rlimit was;
    struct view v = {0};
    uint32_t uid;
    arrive_many(f, 1, 20);
    assert_int_equal(in_database(f), 1);
    limit_files(1, &was); /* not even the database's log can be written */
    assert_int_equal(store_view_load(f->store, INBOX, false, &v, &f->e), STORE_OK);
    assert_int_equal(v.n, 1); /* a reader has what there is */
    assert_int_equal(mailbox_named(f, "INBOX").messages, 20);
    struct store_append item = {.mailbox = INBOX, .bytes = STR("x")};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_FAILED);
    assert_int_equal(f->e.kind, ERR_TEMPORARY);
    assert_int_equal(arrive(f, 21, &uid), STORE_FAILED);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    usleep(1100 * 1000); /* it is tried again after a second */
    assert_int_equal(arrive(f, 21, &uid), STORE_OK);
    assert_int_equal(uid, 21);
    for (uint32_t i = 1; i <= 21; i++)
        check_letter(f, i);
    view_free(&v);
}

/* There is no room for what a crash left, but in the journal there is some for more. */
static void what_waits_for_room_is_not_written_over(void **state)
{
    struct fixture *f = *state;
    struct remains r;
    struct rlimit was;
    uint32_t uid;
    size_t ends[16];
    die_after(f, 1, 6, ends);
    f->store = NULL;
    collect(f, &r);
    rlim_t room = r.database.n > r.log.n ? r.database.n : r.log.n;
    char big[30000];
    memset(big, 'x', sizeof big);
    limit_files(room, &was); /* the database's log cannot grow */
    open_keeping(f);
    struct store_append item = {.mailbox = INBOX, .bytes = str_from(big, sizeof big)};
    for (int i = 0; i < 3; i++)
        store_arrive(f->store, &item, 1, &f->e);
    struct str after = read_file(&f->arena, r.journal_path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    restore(f, &r, after); /* killed now, as it stands on the disk */
    check_first(f, 6);
    assert_int_equal(arrive(f, 7, &uid), STORE_OK);
}

static void a_journal_that_cannot_grow_is_done_without(void **state)
{
    struct fixture *f = *state;
    struct rlimit was;
    uint32_t uid;
    arrive_many(f, 1, 4);
    limit_files(5000, &was);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(arrive(f, 5, &uid), STORE_NONE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    usleep(1100 * 1000);
    struct mailbox m = mailbox_named(f, "INBOX");
    for (uint32_t i = 1; i <= 4; i++)
        check_letter(f, i);
    assert_int_equal(arrive(f, 5, &uid), STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").messages, m.messages + 1);
}

/* --- threads --- */

#define PER_THREAD 150

static void *arriver(void *state)
{
    struct fixture *f = state;
    uint32_t last = 0;
    for (int i = 0; i < PER_THREAD; i++) {
        struct store_append item = {.mailbox = INBOX, .bytes = STR("Subject: threads\r\n\r\nbody")};
        struct err e;
        if (store_arrive(f->store, &item, 1, &e) != STORE_OK || item.uid <= last)
            return "arrive";
        last = item.uid;
    }
    return NULL;
}

/* What a thread was told has arrived, it sees. */
static void *looker(void *state)
{
    struct fixture *f = state;
    for (int i = 0; i < PER_THREAD; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct store_append item = {.mailbox = INBOX, .bytes = STR("Subject: seen\r\n\r\nbody")};
        struct message_row row;
        struct mailbox m;
        struct err e;
        if (store_arrive(f->store, &item, 1, &e) != STORE_OK ||
            store_mailbox_find(f->store, STR("INBOX"), &a, &m, &e) != STORE_OK || m.uidnext <= item.uid)
            return "look";
        if (i % 4 == 0 && store_message(f->store, INBOX, item.uid, &a, &row, &e) != STORE_OK)
            return "message";
    }
    return NULL;
}

static void *flagger(void *state)
{
    struct fixture *f = state;
    for (uint32_t i = 1; i <= PER_THREAD / 4; i++) {
        struct flag_store flags = {FLAGS_ADD, FLAG_SEEN, STR(""), UINT64_MAX, .progress = NULL};
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct err e;
        if (store_flags(f->store, INBOX, &i, 1, &flags, &a, NULL, NULL, NULL, &e) != STORE_OK)
            return "flags";
    }
    return NULL;
}

static void threads_arrive_beside_each_other(void **state)
{
    struct fixture *f = *state;
    void *(*const ROLES[])(void *) = {arriver, arriver, looker, looker, flagger, arriver};
    enum { N = sizeof ROLES / sizeof *ROLES };
    pthread_t threads[N];
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ROLES[i], f), 0);
    for (size_t i = 0; i < N; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        if (failed)
            fail_msg("%s", (const char *)failed);
    }
    assert_int_equal(mailbox_named(f, "INBOX").messages, 5 * PER_THREAD);
    assert_int_equal(store_highestmodseq(f->store, INBOX), mailbox_named(f, "INBOX").highestmodseq);
    assert_int_equal(message_at(f, INBOX, 5 * PER_THREAD).uid, 5 * PER_THREAD);
    assert_int_equal(in_database(f), 5 * PER_THREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARRIVALS_TEST(nobody_sees_a_difference),
        ARRIVALS_TEST(what_is_looked_at_at_once_is_stored_at_once),
        ARRIVALS_TEST(a_change_comes_after_what_arrived_before_it),
        ARRIVALS_TEST(many_are_put_there_at_once),
        ARRIVALS_TEST(a_batch_has_a_result_for_each),
        ARRIVALS_TEST(a_quota_counts_what_stands_there),
        ARRIVALS_TEST(an_attempt_again_finds_the_first),
        ARRIVALS_TEST(who_waits_is_told_at_once),
        ARRIVALS_TEST(a_mailbox_is_found_as_it_is),
        ARRIVALS_TEST(the_first_of_a_burst_is_not_alone),
        ARRIVALS_TEST(a_closed_account_is_one_file),
        ARRIVALS_TEST(a_command_beside_the_server_waits),
        ARRIVALS_TEST(a_command_gets_its_turn),
        ARRIVALS_TEST(an_account_may_be_removed),
        ARRIVALS_TEST(a_quota_that_shrinks_takes_nothing_back),
        ARRIVALS_TEST(two_that_serve_it_do_not_lose_each_others),
        ARRIVALS_TEST(every_prefix_of_the_file_holds_what_is_whole_in_it),
        ARRIVALS_TEST(a_frame_with_a_wrong_byte_is_lost_alone),
        ARRIVALS_TEST(a_newer_golubs_journal_is_refused_and_kept),
        ARRIVALS_TEST(a_former_golubs_journal_is_taken_up),
        ARRIVALS_TEST(a_file_that_is_no_journal_is_set_aside),
        ARRIVALS_TEST(a_journal_that_starts_again_has_the_new_frames),
        ARRIVALS_TEST(what_cannot_be_read_is_set_aside),
        ARRIVALS_TEST(what_is_there_is_not_put_there_again),
        ARRIVALS_TEST(acknowledged_survives_a_kill),
        ARRIVALS_TEST(a_full_disk_loses_nothing),
        ARRIVALS_TEST(what_waits_for_room_is_not_written_over),
        ARRIVALS_TEST(a_journal_that_cannot_grow_is_done_without),
        ARRIVALS_TEST(threads_arrive_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
