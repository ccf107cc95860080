/* The queue's journal: what passes through never comes into the tables, what stands there when its process is
 * killed does, and whoever looks sees all. */
#include "check.h"
#include "folder.h"

#include "base/journal.h"
#include "base/mem.h"
#include "queue/transit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS (20 * 1000)

struct fixture {
    struct folder folder;
    struct config config; /* data is the folder */
    char path[200];       /* of the queue in it */
    char file[220];       /* its journal */
    struct sql *db;
    struct transit *transit;
};

static void open_queue(struct fixture *f)
{
    struct err e = ERR_INIT;
    f->db = queue_db_open(&f->config, true, &e);
    f->transit = f->db ? transit_open(f->path, f->db, &e) : NULL;
    if (!f->transit)
        fail_msg("%s", e.text);
}

static void close_queue(struct fixture *f)
{
    transit_close(f->transit);
    sql_close(f->db);
}

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    folder_make(&f->folder);
    f->config.data = str_from_c(f->folder.path);
    snprintf(f->path, sizeof f->path, "%s/queue", f->folder.path);
    snprintf(f->file, sizeof f->file, "%s/transit", f->path);
    open_queue(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_queue(f);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* --- messages --- */

#define RECIPIENTS 2

static struct transit_message a_message(uint64_t number, struct queue_row_recipient to[RECIPIENTS],
                                        char text[100])
{
    snprintf(text, 100, "Subject: %llu\r\n\r\nbody of %llu\r\n", (unsigned long long)number,
             (unsigned long long)number);
    static const struct str ADDRESSES[RECIPIENTS] = {STR_INIT("bob@example.net"),
                                                     STR_INIT("Eve@Example.COM")};
    static const struct str DOMAINS[RECIPIENTS] = {STR_INIT("example.net"), STR_INIT("example.com")};
    for (size_t i = 0; i < RECIPIENTS; i++)
        to[i] = (struct queue_row_recipient){
            .address = ADDRESSES[i],
            .original = STR("list@example.org"),
            .detail = STR("tag"),
            .domain = DOMAINS[i],
            .flow = -77,
            .next_attempt = 1000,
            .asked = {.notify = ENVELOPE_NOTIFY_DELAY, .original = STR("rfc822;x@y.z")},
        };
    return (struct transit_message){
        .row = {.delivery = STR("0123456789abcdef"),
                .sender = STR("ana@example.org"),
                .size = strlen(text),
                .is_8bit = true,
                .arrived = 1000,
                .asked = {.body = ENVELOPE_8BIT,
                          .ret = ENVELOPE_RETURN_FULL,
                          .is_utf8 = true,
                          .requires_tls = true,
                          .priority = -3,
                          .submitter = 12,
                          .uid = 1001,
                          .language = CONFIG_LANGUAGE_UNSET,
                          .id = STR("envelope id")}},
        .recipients = to,
        .count = RECIPIENTS,
        .bytes = str_from_c(text),
    };
}

/* A round with one new message, of which its id is returned. */
static int64_t arrive(struct fixture *f, uint64_t number)
{
    char text[100];
    struct queue_row_recipient to[RECIPIENTS];
    struct transit_message m = a_message(number, to, text);
    assert_true(transit_begin(f->transit));
    assert_true(transit_add(f->transit, &m));
    assert_true(transit_write(f->transit));
    return m.row.id;
}

static void leave(struct fixture *f, int64_t id)
{
    assert_true(transit_begin(f->transit));
    assert_true(
        transit_remove(f->transit, &(struct transit_gone){.message = id, .count = RECIPIENTS, .size = 33}));
    assert_true(transit_write(f->transit));
}

static void settle(struct fixture *f)
{
    struct err e = ERR_INIT;
    if (!transit_settle(f->transit, &e))
        fail_msg("%s", e.text);
}

/* --- the tables --- */

static int64_t messages_in(struct sql *db)
{
    static const struct sql_statement COUNT = {.text = "SELECT count(*) FROM message"};
    struct err e = ERR_INIT;
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, &COUNT, SQL_NONE, &n, &e), 1);
    return n;
}

static int64_t in_tables(struct fixture *f)
{
    return messages_in(f->db);
}

struct seen {
    size_t rows;
    int64_t messages[50];
    uint64_t number; /* of the message that is expected */
};

static void check_row(void *context, const struct queue_row_message *m, const struct queue_row_recipient *r)
{
    struct seen *s = context;
    char text[100];
    struct queue_row_recipient to[RECIPIENTS];
    struct transit_message wanted = a_message(s->number, to, text);
    const struct queue_row_recipient *w = &to[s->rows % RECIPIENTS];
    const struct envelope *x = &m->asked, *y = &wanted.row.asked;
    assert_true(str_eq(m->delivery, wanted.row.delivery) && str_eq(m->sender, wanted.row.sender));
    assert_true(m->is_8bit && m->arrived == 1000);
    assert_true(x->body == y->body && x->ret == y->ret && x->is_utf8 && x->requires_tls);
    assert_true(x->priority == -3 && x->submitter == 12 && x->uid == 1001 && x->language == y->language);
    assert_true(str_eq(x->id, y->id) && x->by == ENVELOPE_BY_NONE);
    assert_int_equal(r->id, queue_db_first_recipient(m->id) + 1 + (int64_t)(s->rows % RECIPIENTS));
    assert_true(str_eq(r->address, w->address) && str_eq(r->domain, w->domain));
    assert_true(str_eq(r->original, w->original) && str_eq(r->detail, w->detail));
    assert_true(r->flow == w->flow && r->next_attempt == 1000 && r->attempts == 0 && r->account == 0);
    assert_int_equal(r->asked.notify, w->asked.notify);
    assert_true(str_eq(r->asked.original, w->asked.original));
    assert_true(s->rows < sizeof s->messages / sizeof *s->messages);
    s->messages[s->rows++] = m->id;
}

/* Message `id` is in the tables as a_message made it. */
static void check_there(struct fixture *f, int64_t id, uint64_t number)
{
    struct err e = ERR_INIT;
    struct seen seen = {.number = number};
    struct queue_waiting w = {.after = queue_db_first_recipient(id),
                              .before = queue_db_past_recipient(id),
                              .warned_below = 9,
                              .limit = 50};
    char text[100];
    struct queue_row_recipient to[RECIPIENTS];
    struct transit_message wanted = a_message(number, to, text);
    struct parcel body;
    assert_true(queue_db_waiting(f->db, &w, check_row, &seen, &e));
    assert_int_equal(seen.rows, RECIPIENTS);
    assert_true(queue_db_bytes(f->db, id, wanted.bytes.n, &body, &e));
    assert_true(str_eq(body.bytes, wanted.bytes));
    parcel_free(&body);
}

/* What `act` does, by a process that is killed then. */
static void be_killed(struct fixture *f, void (*act)(struct fixture *f))
{
    close_queue(f);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_queue(f);
        act(f);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static unsigned set_aside(const struct fixture *f)
{
    DIR *d = opendir(f->path);
    unsigned n = 0;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));)
        n += strncmp(entry->d_name, "transit.damaged-", 16) == 0;
    closedir(d);
    return n;
}

/* --- tests --- */

static void what_passes_through_never_comes_into_the_tables(void **state)
{
    struct fixture *f = *state;
    int64_t first = arrive(f, 1), second = arrive(f, 2);
    assert_int_equal(second, first + 1);
    leave(f, first);
    assert_int_equal(in_tables(f), 0);
    settle(f);
    assert_int_equal(in_tables(f), 1); /* it stays longer */
    check_there(f, second, 2);
    leave(f, second);
    assert_int_equal(in_tables(f), 1);
    settle(f);
    assert_int_equal(in_tables(f), 0);
    settle(f);
}

static void an_id_is_never_used_twice(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    int64_t last = 0;
    for (uint64_t i = 1; i <= 5; i++)
        leave(f, last = arrive(f, i));
    settle(f);
    char text[100];
    struct queue_row_recipient to[RECIPIENTS];
    struct transit_message m = a_message(6, to, text);
    assert_true(queue_db_add_message(f->db, &m.row, m.bytes, &e)); /* as reports are */
    assert_int_equal(m.row.id, last + 1);
    assert_int_equal(arrive(f, 7), last + 2);
}

static void three_and_one_gone(struct fixture *f)
{
    int64_t first = arrive(f, 1);
    assert_int_equal(arrive(f, 2), first + 1);
    assert_int_equal(arrive(f, 3), first + 2);
    leave(f, first + 1);
}

static void what_a_killed_process_left_is_there(void **state)
{
    struct fixture *f = *state;
    be_killed(f, three_and_one_gone);
    for (int again = 0; again < 2; again++) {
        open_queue(f);
        assert_int_equal(in_tables(f), 2);
        check_there(f, 1, 1);
        check_there(f, 3, 3);
        if (again == 0)
            close_queue(f);
    }
    assert_int_equal(set_aside(f), 0);
    assert_int_equal(arrive(f, 4), 4);
}

static void all_gone(struct fixture *f)
{
    for (uint64_t i = 1; i <= 3; i++)
        leave(f, arrive(f, i));
}

static void ids_of_what_was_gone_when_it_was_killed_are_not_used_again(void **state)
{
    struct fixture *f = *state;
    be_killed(f, all_gone);
    open_queue(f);
    assert_int_equal(in_tables(f), 0);
    assert_int_equal(arrive(f, 4), 4);
}

static void gone_from_the_tables(struct fixture *f)
{
    arrive(f, 1);
    arrive(f, 2);
    settle(f);
    leave(f, 1);
    assert_int_equal(in_tables(f), 2);
}

static void what_stood_in_the_tables_is_gone_by_the_journal(void **state)
{
    struct fixture *f = *state;
    be_killed(f, gone_from_the_tables);
    open_queue(f);
    assert_int_equal(in_tables(f), 1);
    check_there(f, 2, 2);
}

/* Where each round is a block: label, 1, 2, 3, and that 2 is gone. */
static void spoil(const struct fixture *f, off_t block)
{
    CLEAN_CLOSE int fd = open(f->file, O_RDWR);
    char byte;
    off_t at = block * (off_t)JOURNAL_BLOCK + 30; /* behind the head */
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void a_round_that_was_cut_short_was_not_acknowledged(void **state)
{
    struct fixture *f = *state;
    be_killed(f, three_and_one_gone);
    spoil(f, 4);
    open_queue(f);
    assert_int_equal(in_tables(f), 3); /* that 2 is gone was the last: it goes again */
    for (int64_t i = 1; i <= 3; i++)
        check_there(f, i, (uint64_t)i);
    assert_int_equal(set_aside(f), 0);
}

static void what_the_disk_has_lost_takes_nothing_with_it(void **state)
{
    struct fixture *f = *state;
    be_killed(f, three_and_one_gone);
    spoil(f, 1);
    open_queue(f);
    assert_int_equal(in_tables(f), 1);
    check_there(f, 3, 3);
    assert_int_equal(set_aside(f), 1);
    assert_int_equal(arrive(f, 4), 4);
}

/* A round of a release that knows more than we. */
static void a_strange_round(struct fixture *f)
{
    struct err e = ERR_INIT;
    arrive(f, 1);
    CLEAN_CLOSE int dir = open(f->path, O_RDONLY | O_DIRECTORY);
    struct journal *j = journal_open(dir, "transit", JOURNAL_BYTES_MAX, false, &e);
    struct journal_found found;
    assert_non_null(j);
    assert_true(journal_read(j, 0, &found, &e));
    static const char STRANGE[13] = {9, 0, 0, 0, 77, 1};
    size_t n = found.payloads[0].n;
    journal_restart(j, found.generation + 1);
    char *to = memmove(journal_place(j), found.payloads[0].p, n);
    memcpy(to + n, STRANGE, sizeof STRANGE);
    assert_true(journal_write(j, n + sizeof STRANGE, &e));
}

static void what_is_not_known_is_kept(void **state)
{
    struct fixture *f = *state;
    be_killed(f, a_strange_round);
    open_queue(f);
    assert_int_equal(set_aside(f), 1);
    assert_int_equal(in_tables(f), 1);
    check_there(f, 1, 1);
    assert_int_equal(arrive(f, 2), 2);
}

/* When it is full it is not used until it has been settled. */
static void a_full_journal_asks_to_be_settled(void **state)
{
    struct fixture *f = *state;
    char *big = memset(mem_new(1, 30000), 'x', 30000);
    int64_t count = 0;
    for (;; count++) {
        char text[100];
        struct queue_row_recipient to[RECIPIENTS];
        struct transit_message m = a_message(1, to, text);
        m.bytes = str_from(big, 30000);
        m.row.size = m.bytes.n;
        assert_true(transit_begin(f->transit));
        if (!transit_add(f->transit, &m))
            break;
        assert_true(transit_write(f->transit));
    }
    assert_in_range(count, 20, 200);
    assert_int_equal(in_tables(f), 0);
    settle(f);
    assert_int_equal(in_tables(f), count);
    assert_int_equal(arrive(f, 2), count + 1);
    free(big);
}

static void what_cannot_be_written_goes_into_the_tables(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, small = {.rlim_cur = 3 * JOURNAL_BLOCK};
    char text[100];
    struct queue_row_recipient to[RECIPIENTS];
    struct transit_message m = a_message(1, to, text);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(transit_begin(f->transit));
    assert_true(transit_add(f->transit, &m));
    assert_false(transit_write(f->transit));
    assert_false(transit_begin(f->transit)); /* nor the next, for a moment */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    settle(f);
    assert_int_equal(in_tables(f), 0);
}

/* --- beside it --- */

/* A command that counts the messages, tells so, and goes when it is told. */
struct command {
    pid_t pid;
    int said, told;
};

static void run_command(struct fixture *f, struct command *c)
{
    int said[2], told[2];
    assert_int_equal(pipe(said), 0);
    assert_int_equal(pipe(told), 0);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid > 0) {
        close(said[1]);
        close(told[0]);
        c->said = said[0];
        c->told = told[1];
        return;
    }
    struct err e = ERR_INIT;
    int lock;
    char count = -1;
    struct sql *db = transit_beside(&f->config, &lock, &e);
    if (db)
        count = (char)messages_in(db);
    if (write(said[1], &count, 1) != 1 || read(told[0], &count, 1) != 1)
        _exit(1);
    sql_close(db);
    close(lock);
    _exit(0);
}

static int command_count(const struct command *c)
{
    char count = -1;
    struct pollfd p = {.fd = c->said, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(read(c->said, &count, 1), 1);
    return count;
}

static void end_command(struct command *c)
{
    int status;
    assert_int_equal(write(c->told, "x", 1), 1);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
    close(c->said);
    close(c->told);
}

static void a_command_sees_all_and_holds_it(void **state)
{
    struct fixture *f = *state;
    struct command one, two;
    transit_listen(f->transit);
    leave(f, arrive(f, 1));
    arrive(f, 2);
    transit_listen(f->transit); /* of our own opening */
    run_command(f, &one);
    struct pollfd bell = {.fd = transit_bell(f->transit), .events = POLLIN};
    assert_int_equal(poll(&bell, 1, WAIT_MS), 1);
    settle(f); /* the bell goes on ringing until it is looked for */
    assert_int_equal(command_count(&one), 1);
    assert_false(transit_begin(f->transit)); /* not while it looks */
    run_command(f, &two);                    /* nor does it keep another waiting */
    assert_int_equal(command_count(&two), 1);
    end_command(&one);
    assert_false(transit_begin(f->transit));
    end_command(&two);
    arrive(f, 3);
}

/* Where mail comes all the time there is a pause for it. */
static void a_command_that_waits_gets_its_turn(void **state)
{
    struct fixture *f = *state;
    struct command one;
    arrive(f, 1);
    run_command(f, &one);
    struct pollfd said = {.fd = one.said, .events = POLLIN};
    for (uint64_t i = 2; poll(&said, 1, 0) == 0; i++) {
        if (transit_begin(f->transit))
            arrive(f, i);
        struct pollfd bell = {.fd = transit_bell(f->transit), .events = POLLIN};
        if (poll(&bell, 1, 1) == 1) {
            transit_listen(f->transit);
            settle(f);
        }
    }
    assert_int_equal(command_count(&one), in_tables(f));
    end_command(&one);
}

static void a_command_finds_what_a_killed_process_left(void **state)
{
    struct fixture *f = *state;
    struct command one;
    be_killed(f, three_and_one_gone);
    run_command(f, &one);
    assert_int_equal(command_count(&one), 2);
    end_command(&one);
    open_queue(f);
    assert_int_equal(in_tables(f), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_passes_through_never_comes_into_the_tables),
        TEST(an_id_is_never_used_twice),
        TEST(what_a_killed_process_left_is_there),
        TEST(ids_of_what_was_gone_when_it_was_killed_are_not_used_again),
        TEST(what_stood_in_the_tables_is_gone_by_the_journal),
        TEST(a_round_that_was_cut_short_was_not_acknowledged),
        TEST(what_the_disk_has_lost_takes_nothing_with_it),
        TEST(what_is_not_known_is_kept),
        TEST(a_full_journal_asks_to_be_settled),
        TEST(what_cannot_be_written_goes_into_the_tables),
        TEST(a_command_sees_all_and_holds_it),
        TEST(a_command_that_waits_gets_its_turn),
        TEST(a_command_finds_what_a_killed_process_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
