/* keeper and the account processes that it forks, with deliveries and sessions, killed at random. */
#include "account/delivery.h"
#include "account/sessions.h"
#include "check.h"
#include "keeper/keeper.h"
#include "mailbox/store.h"
#include "roles.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNTS 5
#define SENDERS  4
#define MESSAGES 150 /* of each sender */

struct here {
    struct tree tree;
    struct delivery_client *delivery;
    struct keeper *keeper;
    int sleeper; /* a session that sleeps until the server stops */
};

static int make(void **state)
{
    static struct here here; /* its clients live as long as the process */
    struct here *h = &here;
    tree_init(&h->tree, "[imap]\npark_after = 1s\n[mailbox]\nstay_awake = 3s\n");
    struct role *queue = tree_client(&h->tree, ROLE_QUEUE), *login = tree_client(&h->tree, ROLE_LOGIN);
    tree_fork(&h->tree, ROLE_KEEPER, keeper_main);
    tree_run(&h->tree);
    h->delivery = delivery_client(queue);
    h->keeper = keeper_client(login);
    *state = h;
    return 0;
}

static int message_fd(const char *text, size_t n, bool sealed)
{
    int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    if (sealed)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

static struct delivery_message message(const char *text, size_t n, bool sealed)
{
    struct delivery_message m = {
        .memfd = message_fd(text, n, sealed), .size = n, .sender = STR("bob@example.net")};
    assert_int_equal(getrandom(m.id, sizeof m.id, 0), sizeof m.id);
    return m;
}

/* One that travels in the frame. */
static struct delivery_message small_message(const char *text, size_t n)
{
    struct delivery_message m = {
        .memfd = -1, .bytes = str_from(text, n), .size = n, .sender = STR("bob@example.net")};
    assert_int_equal(getrandom(m.id, sizeof m.id, 0), sizeof m.id);
    return m;
}

static struct delivery_recipient recipient(int64_t account)
{
    return (struct delivery_recipient){
        .account = account, .address = STR("ana@example.org"), .original = STR("Ana@example.org")};
}

/* --- every answer is true --- */

struct sender {
    struct here *h;
    int number;
    enum delivery_fate fates[MESSAGES];
};

static void *send_many(void *context)
{
    struct sender *s = context;
    for (int i = 0; i < MESSAGES; i++) {
        char text[6000];
        int n = snprintf(text, sizeof text, "X-Number: %d.%d\r\nSubject: test\r\n\r\n%0*d\r\n", s->number, i,
                         i * 30 + 1, i);
        struct delivery_message m = i % 2 ? message(text, (size_t)n, true) : small_message(text, (size_t)n);
        struct delivery_recipient to = recipient(1 + i % ACCOUNTS);
        delivery_deliver(s->h->delivery, &m, &to, 1);
        s->fates[i] = to.fate;
        if (m.memfd >= 0)
            close(m.memfd);
    }
    return NULL;
}

/* Few enough that accounts do not only wait for the pauses between restarts. */
#define KILLS_MAX 15
static atomic_bool killing;

/* The account processes, children of the nursery, which stands in pids[n]; 0: none. */
static size_t accounts_of(struct here *h, pid_t pids[65])
{
    pid_t nursery;
    if (children_of(tree_pid(&h->tree, ROLE_KEEPER), &nursery, 1) == 0)
        return 0;
    size_t n = children_of(nursery, pids, 64);
    pids[n] = nursery;
    return n;
}

/* An account, now and then all with the process that they come from. */
static void *kill_some(void *context)
{
    struct here *h = context;
    unsigned kills = 0;
    while (atomic_load(&killing) && kills < KILLS_MAX) {
        pid_t pids[65];
        size_t n = accounts_of(h, pids);
        if (n > 0 && kill(pids[(size_t)rand() % (n + 1)], SIGKILL) == 0)
            kills++;
        usleep(10000 + (useconds_t)rand() % 40000);
    }
    return (void *)(uintptr_t)kills;
}

/* Counts the messages of each number in an account's INBOX. */
static void count(struct here *h, int64_t account, unsigned seen[SENDERS][MESSAGES])
{
    char dir[200];
    struct err e = ERR_INIT;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox inbox;
    struct store_fetch *f;
    const struct fetch_row *row;
    snprintf(dir, sizeof dir, "%s/account/%lld", h->tree.folder.path, (long long)account);
    struct store *s = store_open(dir, &e);
    if (!s)
        fail_msg("%s", e.text);
    assert_int_equal(store_mailbox_find(s, STR("INBOX"), &a, &inbox, &e), STORE_OK);
    assert_int_equal(store_fetch_open(s, inbox.id, NULL, 0, 0, &f, &e), STORE_OK);
    while (store_fetch_next(f, &row)) {
        CLEAN_BUF struct buf body;
        int sender, number;
        buf_init(&body, 100000);
        assert_int_equal(store_fetch_body(f, 0, 100000, &body, &e), STORE_OK);
        assert_int_equal(body.n, row->row.size);
        buf_add_byte(&body, '\0');
        assert_int_equal(sscanf(body.p,
                                "Return-Path: <bob@example.net>\r\nDelivered-To: Ana@example.org\r\n"
                                "X-Number: %d.%d\r\n",
                                &sender, &number),
                         2);
        assert_true(sender < SENDERS && number < MESSAGES);
        seen[sender][number]++;
    }
    assert_int_equal(store_fetch_close(f, &e), STORE_OK);
    store_close(s);
}

static void stored_is_stored_exactly_once(void **state)
{
    struct here *h = *state;
    static struct sender senders[SENDERS];
    static unsigned seen[SENDERS][MESSAGES];
    pthread_t threads[SENDERS], killer;
    void *kills;
    srand(7);
    atomic_store(&killing, true);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.h = h, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    assert_int_equal(pthread_create(&killer, NULL, kill_some, h), 0);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&killing, false);
    pthread_join(killer, &kills);
    for (int64_t a = 1; a <= ACCOUNTS; a++)
        count(h, a, seen);
    unsigned stored = 0;
    for (int s = 0; s < SENDERS; s++)
        for (int i = 0; i < MESSAGES; i++) {
            stored += senders[s].fates[i] == DELIVERY_STORED;
            if (senders[s].fates[i] == DELIVERY_STORED ? seen[s][i] != 1 : seen[s][i] > 1)
                fail_msg("%d.%d: fate %d, %u times there", s, i, senders[s].fates[i], seen[s][i]);
        }
    print_message("%u of %d stored, %u kills\n", stored, SENDERS * MESSAGES, (unsigned)(uintptr_t)kills);
    assert_true(stored > SENDERS * MESSAGES / 4);
    assert_true((uintptr_t)kills > 0);
}

/* --- what is no message --- */

static void a_message_that_could_change_is_refused(void **state)
{
    struct here *h = *state;
    static const char TEXT[] = "Subject: x\r\n\r\nx\r\n";
    struct delivery_message unsealed = message(TEXT, sizeof TEXT - 1, false);
    struct delivery_message shorter = message(TEXT, sizeof TEXT - 1, true);
    struct delivery_recipient to = recipient(100);
    shorter.size += 100;
    delivery_deliver(h->delivery, &unsealed, &to, 1);
    assert_int_equal(to.fate, DELIVERY_TEMPORARY);
    delivery_deliver(h->delivery, &shorter, &to, 1);
    assert_int_equal(to.fate, DELIVERY_TEMPORARY);
    assert_true(str_starts(str_from_c(to.reply), STR("4.3.0 ")));
    close(unsealed.memfd);
    close(shorter.memfd);
}

static void a_small_message_that_is_not_as_announced_is_refused(void **state)
{
    struct here *h = *state;
    static char text[DELIVERY_INLINE_MAX + 1];
    memset(text, 'x', sizeof text);
    struct delivery_message most = small_message(text, DELIVERY_INLINE_MAX);
    struct delivery_message larger = small_message(text, sizeof text);
    struct delivery_message longer = small_message(text, 100);
    struct delivery_recipient to = recipient(101);
    delivery_deliver(h->delivery, &most, &to, 1);
    assert_int_equal(to.fate, DELIVERY_STORED);
    delivery_deliver(h->delivery, &larger, &to, 1);
    assert_int_equal(to.fate, DELIVERY_TEMPORARY);
    longer.size = 101;
    delivery_deliver(h->delivery, &longer, &to, 1);
    assert_int_equal(to.fate, DELIVERY_TEMPORARY);
}

/* --- reports about TLS --- */

#define REPORT_HEADER "Content-Type: application/tlsrpt+json\r\n\r\n"
static const char REPORT[] = REPORT_HEADER
    "{\"organization-name\": \"Company-X\", \"policies\": [{\"policy\": {\"policy-domain\": \"a.example\"},"
    "\"summary\": {\"total-successful-session-count\": 3, \"total-failure-session-count\": 0}}]}\r\n";

static void an_account_reads_a_report_for_smtp(void **state)
{
    struct here *h = *state;
    static const char BROKEN[] = REPORT_HEADER "{\"policies\": 7}\r\n";
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct delivery_message small = small_message(REPORT, sizeof REPORT - 1);
    struct delivery_message large = message(REPORT, sizeof REPORT - 1, true);
    struct delivery_message broken = small_message(BROKEN, sizeof BROKEN - 1);
    struct delivery_message unsealed = message(REPORT, sizeof REPORT - 1, false);
    struct delivery_recipient to = recipient(102);
    struct delivery_message *good[] = {&small, &large, &small};
    struct tls_summary s;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < 3; i++) { /* on a fresh channel, and on one that is there */
        if (!delivery_read_report(h->delivery, good[i], &to, &a, &s, &e))
            fail_msg("%s", e.text);
        assert_true(str_eq(s.organization, STR("Company-X")) && s.count == 1);
        assert_true(str_eq(s.domains[0].domain, STR("a.example")) && s.domains[0].good == 3);
    }
    assert_false(delivery_read_report(h->delivery, &broken, &to, &a, &s, &e));
    assert_int_equal(e.kind, ERR_PERMANENT);
    assert_non_null(strstr(e.text, "no \"policies\""));
    assert_false(delivery_read_report(h->delivery, &unsealed, &to, &a, &s, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    delivery_deliver(h->delivery, &small, &to, 1); /* and it is as it was */
    assert_int_equal(to.fate, DELIVERY_STORED);
    close(large.memfd);
    close(unsealed.memfd);
}

static void many_recipients_at_once(void **state)
{
    struct here *h = *state;
    static const char TEXT[] = "Subject: x\r\n\r\nx\r\n";
    struct delivery_message m = message(TEXT, sizeof TEXT - 1, true);
    struct delivery_recipient to[80];
    for (int i = 0; i < 80; i++)
        to[i] = recipient(200 + i % 20);
    delivery_deliver(h->delivery, &m, to, 80);
    for (int i = 0; i < 80; i++) {
        assert_int_equal(to[i].fate, DELIVERY_STORED);
        assert_string_equal(to[i].reply, "2.0.0 Stored");
    }
    close(m.memfd);
}

/* --- sessions --- */

static int hand_over(struct here *h, int64_t account, bool is_pop3, const char *buffered)
{
    int ends[2];
    struct err e = ERR_INIT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct connection c = {.fd = ends[1],
                           .service = is_pop3 ? SERVICE_POP3 : SERVICE_IMAP,
                           .peer = "127.0.0.1",
                           .local = "127.0.0.1"};
    struct keeper_login l = {.connection = &c,
                             .is_pop3 = is_pop3,
                             .account = account,
                             .address = STR("ana@example.org"),
                             .tag = STR("a1"),
                             .buffered = str_from_c(buffered)};
    if (!keeper_hand_over(h->keeper, &l, deadline_in(10000), &e))
        fail_msg("%s", e.text);
    close(ends[1]);
    return ends[0];
}

static void hear(int fd, const char *wanted)
{
    char text[4096] = "";
    size_t n = 0;
    while (!strstr(text, wanted)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&p, 1, 10000) > 0 ? recv(fd, text + n, sizeof text - n - 1, 0) : -1;
        if (got <= 0)
            fail_msg("waited for '%s', got '%s'", wanted, text);
        n += (size_t)got;
        text[n] = '\0';
    }
}

static void sessions_of_both_protocols(void **state)
{
    struct here *h = *state;
    int imap = hand_over(h, 300, false, "b NOOP\r\n");
    hear(imap, "b OK");
    int first = hand_over(h, 300, true, "STAT\r\n");
    hear(first, "+OK 0 0\r\n");
    int second = hand_over(h, 300, true, "");
    hear(second, "-ERR [IN-USE]");
    assert_int_equal(send(first, "QUIT\r\n", 6, 0), 6);
    hear(first, "goodbye\r\n");
    close(second);
    second = hand_over(h, 300, true, "QUIT\r\n"); /* unlocked at once */
    hear(second, "goodbye\r\n");
    close(first);
    close(second);
    close(imap);
}

static void logins_while_accounts_die(void **state)
{
    struct here *h = *state;
    pthread_t killer;
    atomic_store(&killing, true);
    assert_int_equal(pthread_create(&killer, NULL, kill_some, h), 0);
    for (int i = 0; i < 100; i++) { /* each is served or ended, never left alone */
        char text[200];
        int fd = hand_over(h, 400 + i % 3, true, "NOOP\r\nQUIT\r\n");
        struct pollfd p = {.fd = fd, .events = POLLIN};
        do
            assert_true(poll(&p, 1, 20000) > 0);
        while (recv(fd, text, sizeof text, 0) > 0);
        close(fd);
    }
    atomic_store(&killing, false);
    pthread_join(killer, NULL);
}

/* Whoever comes next, to an account that sleeps, finds another one. */
static void the_nursery_dies(void **state)
{
    struct here *h = *state;
    for (int i = 0; i < 3; i++) {
        pid_t nursery;
        assert_int_equal(children_of(tree_pid(&h->tree, ROLE_KEEPER), &nursery, 1), 1);
        assert_int_equal(kill(nursery, SIGKILL), 0);
        int fd = hand_over(h, 450 + i, true, "QUIT\r\n");
        hear(fd, "goodbye\r\n");
        close(fd);
    }
}

/* More than an account serves at once are told so, and hold nothing up. */
static void sessions_have_a_bound(void **state)
{
    struct here *h = *state;
    int fds[SESSIONS_PER_ACCOUNT_MAX];
    for (int i = 0; i < SESSIONS_PER_ACCOUNT_MAX; i++) {
        fds[i] = hand_over(h, 500, false, "");
        hear(fds[i], "a1 OK");
    }
    int more = hand_over(h, 500, false, "");
    hear(more, "a1 NO [LIMIT]");
    close(more);
    for (int i = 0; i < SESSIONS_PER_ACCOUNT_MAX; i++)
        close(fds[i]);
}

/* --- sessions that sleep --- */

static void say(int fd, const char *line)
{
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

/* In IDLE, with INBOX selected. */
static int idle_session(struct here *h, int64_t account)
{
    int fd = hand_over(h, account, false, "b SELECT INBOX\r\nc IDLE\r\n");
    hear(fd, "+ idling");
    return fd;
}

/* All accounts of this test's are gone. */
static void wait_for_sleep(struct here *h)
{
    pid_t pids[65];
    for (int i = 0; i < 400 && accounts_of(h, pids) > 0; i++)
        usleep(100000);
    assert_int_equal(accounts_of(h, pids), 0);
}

static void deliver(struct here *h, int64_t account)
{
    static const char TEXT[] = "Subject: x\r\n\r\nx\r\n";
    struct delivery_message m = small_message(TEXT, sizeof TEXT - 1);
    struct delivery_recipient to = recipient(account);
    delivery_deliver(h->delivery, &m, &to, 1);
    assert_int_equal(to.fate, DELIVERY_STORED);
}

/* Whatever kills processes on their way up, no session is left alone: it goes on or ends, and what nobody
 * woke sleeps on. */
static void sessions_sleep_and_wake(void **state)
{
    struct here *h = *state;
    enum { SESSIONS = 8 };
    int fds[SESSIONS], first = idle_session(h, 700), second = idle_session(h, 700);
    unsigned alive = 0;
    pthread_t killer;
    h->sleeper = idle_session(h, 701);
    for (int i = 0; i < SESSIONS; i++)
        fds[i] = idle_session(h, 710 + i);
    wait_for_sleep(h);
    atomic_store(&killing, true);
    assert_int_equal(pthread_create(&killer, NULL, kill_some, h), 0);
    for (int i = 0; i < SESSIONS; i++)
        say(fds[i], "DONE\r\nd NOOP\r\n"); /* its own bytes wake it */
    for (int i = 0; i < SESSIONS; i++) {
        char text[1000];
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        assert_true(poll(&p, 1, 20000) > 0); /* words, or the end */
        alive += recv(fds[i], text, sizeof text, 0) > 0;
        close(fds[i]);
    }
    atomic_store(&killing, false);
    pthread_join(killer, NULL);
    print_message("%u of %d went on\n", alive, SESSIONS);
    deliver(h, 700);
    hear(first, "* 1 EXISTS");
    hear(second, "* 1 EXISTS");
    say(first, "DONE\r\n");
    hear(first, "c OK");
    close(first);
    close(second);
}

/* --- what goes wrong --- */

static void a_broken_mailbox_refuses_for_now(void **state)
{
    struct here *h = *state;
    static const char TEXT[] = "Subject: x\r\n\r\nx\r\n";
    char path[200];
    snprintf(path, sizeof path, "%s/account/600", h->tree.folder.path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/account/600/mail.db", h->tree.folder.path);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 10000; i++)
        fputs("this is no database ", f);
    fclose(f);
    struct delivery_message m = message(TEXT, sizeof TEXT - 1, true);
    struct delivery_recipient to = recipient(600);
    delivery_deliver(h->delivery, &m, &to, 1);
    assert_int_equal(to.fate, DELIVERY_TEMPORARY);
    close(m.memfd);
    int imap = hand_over(h, 600, false, ""), pop3 = hand_over(h, 600, true, "");
    hear(imap, "a1 NO [UNAVAILABLE]");
    hear(pop3, "-ERR [SYS/TEMP]");
    close(imap);
    close(pop3);
}

/* What a role that was taken over might try. */
static void keeper_hangs_up_on(struct here *h, enum role_kind kind, uint16_t type, int64_t account)
{
    int channel = tree_connect(&h->tree, kind, ROLE_KEEPER);
    CLEAN_FRAME struct ipc_frame f, answer;
    ipc_frame_init(&f, type);
    ipc_frame_init(&answer, 0);
    ipc_put_u64(&f, (uint64_t)account);
    ipc_put_str(&f, STR("ana@example.org"));
    assert_int_equal(ipc_send(channel, &f, deadline_in(1000)), IPC_OK);
    assert_int_equal(ipc_receive(channel, &answer, deadline_in(5000)), IPC_EOF);
    close(channel);
}

static void keeper_distrusts(void **state)
{
    struct here *h = *state;
    keeper_hangs_up_on(h, ROLE_SMTP, KEEPER_FRAME_LOGIN, 1);
    keeper_hangs_up_on(h, ROLE_LOGIN, KEEPER_FRAME_DELIVERY, 1);
    keeper_hangs_up_on(h, ROLE_LOGIN, KEEPER_FRAME_LOGIN, 1); /* without a connection */
    keeper_hangs_up_on(h, ROLE_SMTP, KEEPER_FRAME_DELIVERY, 0);
    keeper_hangs_up_on(h, ROLE_SMTP, KEEPER_FRAME_DELIVERY, -1);
    keeper_hangs_up_on(h, ROLE_DNS, KEEPER_FRAME_DELIVERY, 1);
    keeper_hangs_up_on(h, ROLE_SMTP, 99, 1);
}

/* --- sleeping and stopping --- */

static void idle_accounts_leave(void **state)
{
    struct here *h = *state;
    wait_for_sleep(h);
    int fd = hand_over(h, 300, true, "QUIT\r\n"); /* and wake again */
    hear(fd, "goodbye\r\n");
    close(fd);
    pid_t pids[65];
    usleep(1000000); /* there is room: it has offered to leave meanwhile, and stays */
    assert_int_equal(accounts_of(h, pids), 1);
    wait_for_sleep(h);
}

static int clear(void **state)
{
    struct here *h = *state;
    int imap = hand_over(h, 1, false, "");
    hear(imap, "a1 OK");
    int bad = tree_stop(&h->tree);
    hear(h->sleeper, "* BYE The server is going down");
    hear(imap, "* BYE");
    close(h->sleeper);
    close(imap);
    tree_free(&h->tree);
    return bad;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_is_stored_exactly_once),
        cmocka_unit_test(a_message_that_could_change_is_refused),
        cmocka_unit_test(a_small_message_that_is_not_as_announced_is_refused),
        cmocka_unit_test(an_account_reads_a_report_for_smtp),
        cmocka_unit_test(many_recipients_at_once),
        cmocka_unit_test(sessions_of_both_protocols),
        cmocka_unit_test(logins_while_accounts_die),
        cmocka_unit_test(the_nursery_dies),
        cmocka_unit_test(sessions_have_a_bound),
        cmocka_unit_test(sessions_sleep_and_wake),
        cmocka_unit_test(a_broken_mailbox_refuses_for_now),
        cmocka_unit_test(keeper_distrusts),
        cmocka_unit_test(idle_accounts_leave),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
