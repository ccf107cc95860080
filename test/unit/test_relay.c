/* relay, queue and directory as processes, and another mail server (smtp_peer.h): what leaves arrives as it
 * was, over whatever the other side can do, and who cannot be reached is reported. */
#include "check.h"
#include "roles.h"
#include "smtp_peer.h"

#include "config/config.h"
#include "directory/directory_role.h"
#include "message/header.h"
#include "queue/admin.h"
#include "queue/queue.h"
#include "relay/relay.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    struct tree tree;
    struct smtp_peer peer;
    struct queue_client *client;
};

/* A client lives as long as its process; so that the leak checker knows. */
static struct queue_client *clients[100];
static size_t client_count;

/* `settings`: of [queue], and sections that follow. */
static void scene_open(struct scene *s, const char *settings)
{
    CLEAN_BUF struct buf config;
    buf_init(&config, BUF_MAX_DEFAULT);
    smtp_peer_start(&s->peer);
    buf_addf(
        &config,
        "[queue]\nconnections = 1\n%s[route peer.test]\nhost = 127.0.0.1\nport = %u\n"
        "[route sender.test]\nhost = 127.0.0.1\nport = %u\n[route down.test]\nhost = 127.0.0.1\nport = 1\n",
        settings, s->peer.port, s->peer.port);
    buf_add_byte(&config, '\0');
    tree_init(&s->tree, config.p);
    tree_fork(&s->tree, ROLE_DIRECTORY, directory_main);
    tree_fork(&s->tree, ROLE_QUEUE, queue_main);
    tree_fork(&s->tree, ROLE_RELAY, relay_main);
    struct role *smtp = tree_client(&s->tree, ROLE_SMTP);
    tree_run(&s->tree);
    smtp_peer_run(&s->peer);
    s->client = clients[client_count++] = queue_client(smtp);
}

static void scene_close(struct scene *s)
{
    assert_int_equal(tree_stop(&s->tree), 0);
    smtp_peer_stop(&s->peer);
    tree_free(&s->tree);
}

static void enqueue(struct scene *s, const char *sender, struct str bytes, const char *const *to, size_t n)
{
    struct queue_recipient recipients[10] = {0};
    struct err e = ERR_INIT;
    int64_t id;
    for (size_t i = 0; i < n; i++)
        recipients[i].address = str_from_c(to[i]);
    struct queue_message m = {
        .body = parcel_of(bytes), .sender = str_from_c(sender), .recipients = recipients, .count = n};
    assert_true(queue_enqueue(s->client, &m, &id, &e));
}

static void enqueue_one(struct scene *s, struct str bytes, const char *to)
{
    enqueue(s, "ana@sender.test", bytes, &to, 1);
}

static void count(void *context, const struct queue_admin_message *m)
{
    (void)m;
    ++*(size_t *)context;
}

static void ignore_change(void *context, const struct queue_admin_change *change)
{
    (void)context, (void)change;
}

/* The peer has them before the queue has written so down. */
static void queue_becomes_empty(struct scene *s)
{
    struct err e = ERR_INIT;
    const struct queue_admin_filter all = {0};
    size_t left = 1;
    bool more;
    for (int i = 0; left > 0 && i < 400; i++, usleep(left > 0 ? 10000 : 0)) {
        left = 0;
        assert_true(queue_admin_list(s->tree.config, &all, SIZE_MAX, count, &left, &more, &e));
    }
    assert_int_equal(left, 0);
}

#define MESSAGE STR("Subject: dots\r\n\r\n.\r\n..\r\n.a line\r\nlast\r\n")

static void body_is(const struct smtp_peer *p, size_t i, struct str expected)
{
    assert_true(str_eq(buf_str(&p->messages[i].body), expected));
}

/* --- tests --- */

static void messages_arrive_as_they_were_over_one_connection(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s, "");
    for (int i = 0; i < 10; i++)
        enqueue_one(&s, MESSAGE, "bob@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 10));
    for (size_t i = 0; i < 10; i++) {
        body_is(&s.peer, i, MESSAGE);
        assert_string_equal(s.peer.messages[i].sender, "ana@sender.test");
        assert_string_equal(s.peer.messages[i].recipients, "<bob@peer.test>");
    }
    assert_int_equal(s.peer.connections, 1);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void a_large_message(void **state)
{
    (void)state;
    struct scene s = {0};
    CLEAN_BUF struct buf large;
    buf_init(&large, BUF_MAX_DEFAULT);
    buf_add_c(&large, "Subject: large\r\n\r\n");
    for (int i = 0; i < 60000; i++)
        buf_addf(&large, ".%d begins with a dot; a line of some length so that it counts\r\n", i);
    scene_open(&s, "");
    enqueue_one(&s, buf_str(&large), "bob@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 1));
    body_is(&s.peer, 0, buf_str(&large));
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void each_recipient_has_its_own_fate(void **state)
{
    (void)state;
    struct scene s = {0};
    const char *to[] = {"bob@peer.test", "perm@peer.test", "once@peer.test"};
    struct header_field f;
    scene_open(&s, "retry = 1s\n");
    enqueue(&s, "ana@sender.test", MESSAGE, to, 3);
    assert_true(smtp_peer_wait(&s.peer, 3)); /* to bob; the report; the second attempt for once */
    size_t reports = 0;
    for (size_t i = 0; i < 3; i++) {
        struct str body = buf_str(&s.peer.messages[i].body);
        if (!header_find(body, STR("Auto-Submitted"), &f))
            continue;
        reports++;
        assert_string_equal(s.peer.messages[i].sender, "");
        assert_string_equal(s.peer.messages[i].recipients, "<ana@sender.test>");
        assert_true(
            str_find(body, STR("Final-Recipient: rfc822; perm@peer.test\r\nAction: failed\r\n"
                               "Status: 5.1.1\r\nRemote-MTA: dns; 127.0.0.1\r\n"
                               "Diagnostic-Code: smtp; 550 5.1.1 There is nobody of that name\r\n")) !=
            STR_NONE);
    }
    assert_int_equal(reports, 1);
    queue_becomes_empty(&s);
    assert_int_equal(s.peer.count, 3);
    scene_close(&s);
}

static void after_nobody_was_accepted_the_connection_still_serves(void **state)
{
    (void)state;
    for (int piped = 0; piped < 2; piped++) {
        struct scene s = {.peer.no_pipelining = !piped};
        scene_open(&s, "");
        enqueue(&s, "", MESSAGE, (const char *[]){"perm@peer.test"}, 1);
        enqueue_one(&s, MESSAGE, "bob@peer.test");
        assert_true(smtp_peer_wait(&s.peer, 1));
        queue_becomes_empty(&s);
        assert_int_equal(s.peer.count, 1);
        assert_int_equal(s.peer.connections, 1);
        scene_close(&s);
    }
}

static void a_connection_lost_after_the_dot_is_tried_again(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s, "retry = 1s\n");
    enqueue_one(&s, MESSAGE, "drop@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 1));
    assert_int_equal(s.peer.connections, 2);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void old_servers_get_helo_and_one_command_at_a_time(void **state)
{
    (void)state;
    struct scene s = {.peer.no_ehlo = true};
    scene_open(&s, "");
    enqueue_one(&s, MESSAGE, "bob@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 1));
    assert_int_equal(s.peer.hellos, 1);
    body_is(&s.peer, 0, MESSAGE);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void tls_is_used_when_offered(void **state)
{
    (void)state;
    struct scene s = {.peer.tls = PEER_TLS};
    scene_open(&s, "");
    enqueue_one(&s, MESSAGE, "bob@peer.test");
    enqueue_one(&s, MESSAGE, "bob@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 2));
    assert_true(s.peer.messages[0].over_tls && s.peer.messages[1].over_tls);
    body_is(&s.peer, 1, MESSAGE);
    assert_int_equal(s.peer.connections, 1);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void a_further_connection_resumes_the_tls_session(void **state) /* RFC 8446 section 2.2 */
{
    (void)state;
    struct scene s = {.peer.tls = PEER_TLS, .peer.offer = "LIMITS MAILMAX=1"};
    scene_open(&s, "");
    for (size_t i = 0; i < 2; i++) {
        enqueue_one(&s, MESSAGE, "bob@peer.test");
        assert_true(smtp_peer_wait(&s.peer, i + 1));
        queue_becomes_empty(&s);
    }
    assert_int_equal(s.peer.connections, 2);
    assert_int_equal(s.peer.resumed, 1);
    scene_close(&s);
}

static void broken_tls_does_not_stop_mail(void **state)
{
    (void)state;
    struct scene s = {.peer.tls = PEER_BROKEN_TLS};
    scene_open(&s, "");
    enqueue_one(&s, MESSAGE, "bob@peer.test");
    assert_true(smtp_peer_wait(&s.peer, 1));
    assert_false(s.peer.messages[0].over_tls);
    assert_int_equal(s.peer.connections, 2);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void a_message_over_the_limit_is_not_even_tried(void **state)
{
    (void)state;
    struct scene s = {.peer.size_max = 30};
    scene_open(&s, "");
    enqueue(&s, "", MESSAGE, (const char *[]){"bob@peer.test"}, 1);
    queue_becomes_empty(&s);
    assert_int_equal(s.peer.count, 0);
    scene_close(&s);
}

static void who_cannot_be_reached_is_told_after_a_while(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s, "retry = 1s\nlifetime = 2s\nwarn = 0\n");
    enqueue_one(&s, MESSAGE, "bob@down.test");
    assert_true(smtp_peer_wait(&s.peer, 1));
    struct str report = buf_str(&s.peer.messages[0].body);
    assert_true(str_find(report, STR("Status: 4.4.7\r\n")) != STR_NONE);
    assert_true(str_find(report, STR("Diagnostic-Code: x-golub; 4.4.1 cannot connect to 127.0.0.1")) !=
                STR_NONE);
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void a_server_that_is_busy_is_tried_again(void **state)
{
    (void)state;
    struct scene s = {.peer.greeting = "421 4.3.2 too busy"};
    struct err e = ERR_INIT;
    const struct queue_admin_filter all = {0};
    struct queue_admin_counts n;
    scene_open(&s, "retry = 1h\n");
    enqueue_one(&s, MESSAGE, "bob@peer.test");
    for (int i = 0; s.peer.connections == 0 && i < 2000; i++)
        usleep(10000);
    assert_int_equal(s.peer.connections, 1);
    s.peer.greeting = NULL;
    sleep(4); /* longer than a failure is remembered */
    assert_true(
        queue_admin_change(s.tree.config, QUEUE_ADMIN_RETRY, &all, STR(""), ignore_change, NULL, &n, &e));
    assert_int_equal(n.messages, 1);
    assert_true(smtp_peer_wait(&s.peer, 1));
    queue_becomes_empty(&s);
    scene_close(&s);
}

static void odd_addresses_are_written_as_they_must_be(void **state)
{
    (void)state;
    struct scene s = {0};
    const char *to[] = {"two words@peer.test", "\"quoted word\"@peer.test", "caf\xc3\xa9@peer.test"};
    scene_open(&s, "");
    enqueue(&s, "", MESSAGE, to, 3);
    assert_true(smtp_peer_wait(&s.peer, 1));
    assert_string_equal(s.peer.messages[0].recipients,
                        "<\"two words\"@peer.test><\"quoted word\"@peer.test>");
    queue_becomes_empty(&s);
    scene_close(&s);
}

/* --- others that hang --- */

#define HANGING   55 /* destinations */
/* Messages: as many connections as the queue begins with. All of them would be too many. */
#define OF_EACH   5
#define CONNECTED 200 /* that hang before the others' mail comes */

/* So that nobody waits for what it has under way, which is a while. */
static void kill_relay(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->kinds[i] == ROLE_RELAY) {
            kill(t->pids[i], SIGKILL);
            waitpid(t->pids[i], NULL, 0);
            t->pids[i] = 0;
        }
}

static unsigned connections_that_hang(const struct smtp_peer *peers, size_t n)
{
    unsigned all = 0;
    for (size_t i = 0; i < n; i++)
        all += peers[i].hanging;
    return all;
}

/* Mail for peer.test goes while dozens of destinations have accepted connections and say nothing more: from
 * the start, after EHLO, or within DATA. */
static void who_hangs_keeps_nobody_else(void **state)
{
    (void)state;
    struct scene s = {0};
    static struct smtp_peer hanging[HANGING];
    CLEAN_BUF struct buf settings;
    buf_init(&settings, BUF_MAX_DEFAULT);
    buf_add_c(&settings, "connections = 20\n");
    for (size_t i = 0; i < HANGING; i++) {
        hanging[i].hangs = PEER_HANGS_AT_ONCE + i % 3;
        smtp_peer_start(&hanging[i]);
        buf_addf(&settings, "[route hangs%zu.test]\nhost = 127.0.0.1\nport = %u\n", i, hanging[i].port);
    }
    buf_add_byte(&settings, '\0');
    scene_open(&s, settings.p);
    for (size_t i = 0; i < HANGING; i++)
        smtp_peer_run(&hanging[i]);
    for (size_t i = 0; i < (size_t)HANGING * OF_EACH; i++) {
        char to[100], from[100]; /* one sender alone may not have so many */
        const char *all[] = {to};
        snprintf(to, sizeof to, "bob@hangs%zu.test", i % HANGING);
        snprintf(from, sizeof from, "list@many%zu.test", i / HANGING);
        enqueue(&s, from, MESSAGE, all, 1);
    }
    for (int i = 0; connections_that_hang(hanging, HANGING) < CONNECTED && i < 2000; i++)
        usleep(10000);
    assert_true(connections_that_hang(hanging, HANGING) >= CONNECTED);
    for (size_t i = 0; i < 3; i++) /* one of each way */
        assert_true(hanging[i].hanging > 0);
    for (size_t i = 0; i < 3; i++) {
        enqueue_one(&s, MESSAGE, "bob@peer.test");
        assert_true(smtp_peer_wait(&s.peer, i + 1));
    }
    kill_relay(&s.tree);
    scene_close(&s);
    for (size_t i = 0; i < HANGING; i++)
        smtp_peer_stop(&hanging[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_as_they_were_over_one_connection),
        cmocka_unit_test(a_large_message),
        cmocka_unit_test(each_recipient_has_its_own_fate),
        cmocka_unit_test(after_nobody_was_accepted_the_connection_still_serves),
        cmocka_unit_test(a_connection_lost_after_the_dot_is_tried_again),
        cmocka_unit_test(old_servers_get_helo_and_one_command_at_a_time),
        cmocka_unit_test(tls_is_used_when_offered),
        cmocka_unit_test(a_further_connection_resumes_the_tls_session),
        cmocka_unit_test(broken_tls_does_not_stop_mail),
        cmocka_unit_test(a_message_over_the_limit_is_not_even_tried),
        cmocka_unit_test(who_cannot_be_reached_is_told_after_a_while),
        cmocka_unit_test(a_server_that_is_busy_is_tried_again),
        cmocka_unit_test(odd_addresses_are_written_as_they_must_be),
        cmocka_unit_test(who_hangs_keeps_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
