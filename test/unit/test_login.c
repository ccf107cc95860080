/* The login role with a real directory and a keeper, as a gate and a client see it. */
#include "base/str.h"
#include "check.h"
#include "directory/db.h"
#include "directory/directory_role.h"
#include "directory/password.h"
#include "gate/connection.h"
#include "keeper/keeper.h"
#include "login/delay.h"
#include "login/login.h"
#include "login/voucher.h"
#include "roles.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct here {
    struct tree tree;
    int gate; /* our channel to login, as a gate */
};

static void add_account(struct tree *t, const char *address, const char *password)
{
    struct err e = ERR_INIT;
    char hash[PASSWORD_HASH_MAX];
    int64_t id;
    struct directory_db *db = directory_db_open(str_from_c(t->folder.path), '+', &e);
    assert_non_null(db);
    assert_true(password_hash(str_from_c(password), hash, &e));
    assert_true(directory_domain_add(db, STR("example.org"), &e));
    if (!directory_account_add(db, str_from_c(address), str_from_c(hash), &id, &e))
        fail_msg("%s", e.text);
    directory_db_close(db);
}

static int make(void **state)
{
    struct here *h = calloc(1, sizeof *h);
    tree_init(&h->tree, "[login]\nplain_on_loopback = yes\nfailures = 3\n");
    add_account(&h->tree, "ana@example.org", "correct horse");
    tree_fork(&h->tree, ROLE_DIRECTORY, directory_main);
    tree_fork(&h->tree, ROLE_KEEPER, keeper_main);
    tree_fork(&h->tree, ROLE_LOGIN, login_main);
    tree_run(&h->tree);
    h->gate = tree_connect(&h->tree, ROLE_GATE, ROLE_LOGIN);
    *state = h;
    return 0;
}

static int clear(void **state)
{
    struct here *h = *state;
    close(h->gate);
    int bad = tree_stop(&h->tree);
    tree_free(&h->tree);
    free(h);
    return bad;
}

/* A client's socket whose other end login serves. */
static int dial(struct here *h, enum service service, const char *peer)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct connection c = {
        .fd = ends[1], .service = service, .peer_port = 4711, .local = "127.0.0.1", .local_port = 143};
    snprintf(c.peer, sizeof c.peer, "%s", peer);
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, GATE_FRAME_CONNECTION);
    connection_put(&f, &c);
    assert_int_equal(ipc_send(h->gate, &f, deadline_in(1000)), IPC_OK);
    close(ends[1]);
    return ends[0];
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `wanted` has come; returns all. */
static const char *hear(int fd, const char *wanted)
{
    static char text[65536];
    size_t n = 0;
    struct deadline d = deadline_in(20000);
    text[0] = '\0';
    while (!strstr(text, wanted)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, deadline_left_ms(d)) <= 0)
            fail_msg("waited for '%s', got '%s'", wanted, text);
        ssize_t got = recv(fd, text + n, sizeof text - n - 1, 0);
        if (got <= 0)
            fail_msg("waited for '%s', closed after '%s'", wanted, text);
        n += (size_t)got;
        text[n] = '\0';
    }
    return text;
}

static void hear_the_end(int fd)
{
    char text[1000];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    do
        assert_true(poll(&p, 1, 10000) > 0);
    while (recv(fd, text, sizeof text, 0) > 0);
    close(fd);
}

static void imap_from_greeting_to_session(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_IMAP, "127.0.0.1");
    const char *greeting = hear(fd, "\r\n");
    assert_non_null(strstr(greeting, "* OK [CAPABILITY IMAP4rev1"));
    assert_non_null(strstr(greeting, "STARTTLS"));
    assert_null(strstr(greeting, "LOGINDISABLED"));
    say(fd, "a CAPABILITY\r\nb NOOP\r\nc ID NIL\r\n");
    hear(fd, "c OK");
    say(fd, "d SELECT INBOX\r\n");
    hear(fd, "d BAD");
    say(fd, "e LOGIN ana@example.org wrong\r\n");
    hear(fd, "e NO [AUTHENTICATIONFAILED]");
    /* What is sent behind the login goes along to the account. */
    say(fd, "f LOGIN ana@example.org {13+}\r\ncorrect horse\r\ng SELECT INBOX\r\nh LOGOUT\r\n");
    const char *rest = hear(fd, "h OK");
    assert_non_null(strstr(rest, "f OK [CAPABILITY"));
    assert_non_null(strstr(rest, "g OK"));
    hear_the_end(fd);
}

static void imap_authenticate(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_IMAP, "127.0.0.1");
    say(fd, "a AUTHENTICATE PLAIN\r\n");
    hear(fd, "+ \r\n");
    say(fd, "*\r\n");
    hear(fd, "a BAD");
    say(fd, "b AUTHENTICATE CRAM-MD5\r\n");
    hear(fd, "b NO");
    say(fd, "c AUTHENTICATE PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl\r\n");
    hear(fd, "c OK");
    close(fd);
    fd = dial(h, SERVICE_IMAP, "127.0.0.1");
    say(fd, "a AUTHENTICATE LOGIN\r\n");
    hear(fd, "+ VXNlcm5hbWU6\r\n");
    say(fd, "YW5hQGV4YW1wbGUub3Jn\r\n");
    hear(fd, "+ UGFzc3dvcmQ6\r\n");
    say(fd, "Y29ycmVjdCBob3JzZQ==\r\n");
    hear(fd, "a OK");
    say(fd, "b LOGOUT\r\n");
    hear_the_end(fd);
}

/* RFC 8437: as somebody, as nobody, as somebody again; what was enabled is not. */
static void imap_unauthenticate(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_IMAP, "127.0.0.1");
    hear(fd, "\r\n");
    for (int i = 0; i < 3; i++) {
        say(fd, "a LOGIN ana@example.org {13+}\r\ncorrect horse\r\nb ENABLE CONDSTORE\r\nc SELECT INBOX\r\n");
        hear(fd, "c OK");
        say(fd, "d UNAUTHENTICATE x\r\n");
        hear(fd, "d BAD");
        say(fd, "e UNAUTHENTICATE\r\n");
        const char *nobody = hear(fd, "\r\n");
        assert_non_null(strstr(nobody, "e OK [CAPABILITY IMAP4rev1"));
        assert_non_null(strstr(nobody, "STARTTLS"));
        assert_null(strstr(nobody, "UNAUTHENTICATE"));
        say(fd, "f SELECT INBOX\r\ng UNAUTHENTICATE\r\n");
        assert_non_null(strstr(hear(fd, "g BAD"), "f BAD"));
        say(fd, "h LOGIN ana@example.org wrong\r\n");
        hear(fd, "h NO [AUTHENTICATIONFAILED]");
    }
    /* What is sent behind it goes along. */
    say(fd, "a LOGIN ana@example.org {13+}\r\ncorrect horse\r\nb UNAUTHENTICATE\r\nc NOOP\r\nd LOGOUT\r\n");
    assert_non_null(strstr(hear(fd, "d OK"), "c OK NOOP completed"));
    hear_the_end(fd);
}

static void give_back(int channel, const struct connection *c)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, KEEPER_FRAME_UNAUTHENTICATED);
    ipc_put_str(&f, STR("tag"));
    ipc_put_str(&f, STR(""));
    connection_put(&f, c);
    assert_int_equal(ipc_send(channel, &f, deadline_in(1000)), IPC_OK);
}

/* An account that was taken over cannot come to login as somebody from elsewhere, or with a TLS that is not.
 */
static void what_login_did_not_vouch_for_is_not_taken(void **state)
{
    struct here *h = *state;
    int keeper = tree_connect(&h->tree, ROLE_KEEPER, ROLE_LOGIN);
    for (int forged = 0; forged < 2; forged++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        struct connection c = {.fd = ends[1],
                               .service = SERVICE_IMAP,
                               .peer = "192.0.2.1",
                               .local = "127.0.0.1",
                               .has_voucher = forged};
        give_back(keeper, &c);
        close(ends[1]);
        hear_the_end(ends[0]);
    }
    close(keeper);
}

static void vouchers(void **state)
{
    (void)state;
    unsigned char key[VOUCHER_KEY_BYTES], other[VOUCHER_KEY_BYTES];
    voucher_make_key(key);
    voucher_make_key(other);
    struct connection c = {.fd = -1,
                           .service = SERVICE_IMAPS,
                           .peer = "192.0.2.1",
                           .peer_port = 1,
                           .tls = {.on = true, .version = "TLSv1.3"}};
    assert_false(voucher_is_good(&c, key));
    voucher_put(&c, key);
    assert_true(voucher_is_good(&c, key));
    assert_false(voucher_is_good(&c, other));
    voucher_put(&c, key); /* one that came back and goes again */
    assert_true(voucher_is_good(&c, key));
    struct connection changed[5] = {c, c, c, c, c};
    changed[0].peer[0] = '2';
    changed[1].peer_port++;
    changed[2].tls.on = false;
    changed[3].service = SERVICE_IMAP;
    changed[4].voucher[VOUCHER_BYTES - 1] ^= 1;
    for (size_t i = 0; i < 5; i++)
        assert_false(voucher_is_good(&changed[i], key));
}

static void pop3_from_greeting_to_session(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_POP3, "127.0.0.1");
    hear(fd, "+OK mail.example.org");
    say(fd, "CAPA\r\n");
    assert_non_null(strstr(hear(fd, "\r\n.\r\n"), "STLS\r\n"));
    say(fd, "STAT\r\n");
    hear(fd, "-ERR Log in first");
    say(fd, "LANG de\r\n");
    hear(fd, "-ERR");
    say(fd, "UTF8\r\nSTLS\r\n");
    assert_non_null(strstr(hear(fd, "STLS comes before UTF8"), "+OK UTF-8"));
    say(fd, "PASS x\r\n");
    hear(fd, "-ERR USER first");
    say(fd, "USER ana@example.org\r\nPASS wrong\r\n");
    hear(fd, "-ERR [AUTH]");
    say(fd, "USER ana@example.org\r\nPASS correct horse\r\nSTAT\r\n");
    hear(fd, "+OK 0 0\r\n");
    say(fd, "QUIT\r\n");
    hear_the_end(fd);
    fd = dial(h, SERVICE_POP3, "127.0.0.1");
    say(fd, "AUTH PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl\r\nUIDL\r\nQUIT\r\n");
    hear(fd, "deleted, goodbye\r\n");
    close(fd);
}

static void login_delays_are_kept(void **state)
{
    (void)state;
    struct login_delays *d = login_delays_new();
    assert_int_equal(login_delays_enter(d, 7, 1000, 60), 0);
    assert_int_equal(login_delays_enter(d, 7, 1001, 60), 60);
    assert_int_equal(login_delays_enter(d, 8, 1001, 60), 0);
    assert_int_equal(login_delays_enter(d, 7, 60999, 60), 1); /* an attempt that is refused does not count */
    assert_int_equal(login_delays_enter(d, 7, 61000, 60), 0);
    assert_int_equal(login_delays_enter(d, 7, 61000, 0), 0);
    for (int64_t other = 1; other <= 4; other++) /* of the same set: the oldest goes */
        assert_int_equal(login_delays_enter(d, 7 + other * 4096, 61000 + other, 60), 0);
    assert_int_equal(login_delays_enter(d, 7, 61010, 60), 0);
    assert_int_equal(login_delays_enter(d, 7 + 4 * 4096, 61010, 60), 60);
    login_delays_free(d);
}

static void no_password_without_tls_from_elsewhere(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_IMAP, "192.0.2.1");
    assert_non_null(strstr(hear(fd, "\r\n"), "LOGINDISABLED"));
    say(fd, "a LOGIN ana@example.org \"correct horse\"\r\n");
    hear(fd, "a NO [PRIVACYREQUIRED]");
    say(fd, "b AUTHENTICATE PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl\r\n");
    hear(fd, "b NO [PRIVACYREQUIRED]");
    say(fd, "c LOGOUT\r\n");
    hear_the_end(fd);
    fd = dial(h, SERVICE_POP3, "192.0.2.1");
    say(fd, "USER ana@example.org\r\n");
    hear(fd, "-ERR STLS first");
    say(fd, "AUTH PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl\r\n");
    hear(fd, "-ERR STLS first");
    say(fd, "QUIT\r\n");
    hear_the_end(fd);
}

/* Plays the gate of STARTTLS: takes the client's socket and its end of the pair, says that TLS is on. */
static int take_starttls(struct here *h, int *socket_of_client)
{
    struct ipc_frame f;
    assert_int_equal(ipc_receive(h->gate, &f, deadline_in(5000)), IPC_OK);
    assert_int_equal(f.type, GATE_FRAME_STARTTLS);
    *socket_of_client = ipc_frame_take_fd(&f, 0);
    int end = ipc_frame_take_fd(&f, 1);
    ipc_frame_free(&f);
    struct tls_info tls = {.on = true, .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384"};
    assert_true(connection_starttls_done(end, &tls));
    return end;
}

static void nothing_before_starttls_counts_after_it(void **state)
{
    struct here *h = *state;
    int old, fd = dial(h, SERVICE_IMAP, "192.0.2.2");
    say(fd, "a STARTTLS\r\nb LOGOUT\r\n"); /* b was injected */
    hear(fd, "a OK");
    int tls = take_starttls(h, &old);
    say(tls, "c CAPABILITY\r\n");
    const char *answer = hear(tls, "c OK");
    assert_null(strstr(answer, "BYE"));
    assert_null(strstr(answer, "b OK"));
    assert_null(strstr(answer, "STARTTLS"));
    say(tls, "d STARTTLS\r\n");
    hear(tls, "d BAD");
    say(tls, "e LOGIN ana@example.org \"correct horse\"\r\n");
    hear(tls, "e OK");
    close(tls);
    close(old);
    close(fd);

    fd = dial(h, SERVICE_POP3, "192.0.2.2");
    say(fd, "STLS\r\nUSER injected\r\n");
    hear(fd, "+OK Begin TLS");
    tls = take_starttls(h, &old);
    say(tls, "PASS x\r\n");
    hear(tls, "-ERR USER first");
    say(tls, "STLS\r\n");
    hear(tls, "-ERR TLS is on already");
    close(tls);
    close(old);
    close(fd);
}

static void nonsense_is_refused_and_ended(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_IMAP, "192.0.2.3");
    say(fd, "a LOGIN {999999}\r\n");
    hear(fd, "a BAD [TOOBIG]");
    say(fd, "b NOOP\n");
    hear(fd, "b BAD");
    for (int i = 0; i < 8; i++)
        say(fd, "GET / HTTP/1.1\r\n");
    hear(fd, "* BYE");
    hear_the_end(fd);
    fd = dial(h, SERVICE_POP3, "192.0.2.3");
    char line[5000];
    memset(line, 'x', sizeof line);
    memcpy(line + sizeof line - 3, "\r\n", 3);
    say(fd, line);
    hear(fd, "-ERR the line is too long");
    for (int i = 0; i < 9; i++)
        say(fd, "nonsense\r\n");
    hear_the_end(fd);
}

static void an_address_with_many_failures_waits(void **state)
{
    struct here *h = *state;
    int fd = dial(h, SERVICE_POP3, "127.0.0.9");
    for (int i = 0; i < 4; i++) { /* three are free; the next one waits */
        char text[100];
        snprintf(text, sizeof text, "USER ana@example.org\r\nPASS guess %d\r\n", i);
        say(fd, text);
    }
    hear(fd, "-ERR [SYS/TEMP] Too many failures from your address, wait ");
    close(fd);
    fd = dial(h, SERVICE_POP3, "127.0.0.1"); /* the real user elsewhere still gets in */
    say(fd, "USER ana@example.org\r\nPASS correct horse\r\nQUIT\r\n");
    hear(fd, "goodbye\r\n");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imap_from_greeting_to_session),
        cmocka_unit_test(imap_authenticate),
        cmocka_unit_test(imap_unauthenticate),
        cmocka_unit_test(what_login_did_not_vouch_for_is_not_taken),
        cmocka_unit_test(vouchers),
        cmocka_unit_test(pop3_from_greeting_to_session),
        cmocka_unit_test(login_delays_are_kept),
        cmocka_unit_test(no_password_without_tls_from_elsewhere),
        cmocka_unit_test(nothing_before_starttls_counts_after_it),
        cmocka_unit_test(nonsense_is_refused_and_ended),
        cmocka_unit_test(an_address_with_many_failures_waits),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
