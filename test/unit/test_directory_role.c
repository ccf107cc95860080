/* The directory's process, in its sandbox, asked through its client as smtp and login ask it. */
#include "base/clock.h"
#include "base/generation.h"
#include "base/log.h"
#include "base/mem.h"
#include "check.h"
#include "config/config.h"
#include "directory/db.h"
#include "directory/directory.h"
#include "directory/directory_role.h"
#include "directory/frames.h"
#include "directory/password.h"
#include "folder.h"
#include "role/role.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* The supervisor, as far as a role can tell: it answers each client's broker socket with channels. */
struct server {
    struct folder folder;
    const struct config *config;
    pid_t process;
    int control, ready;
    struct generation *changes;
};
static struct server server;

struct asker {
    struct role role;
    int broker; /* our end */
    pthread_t thread;
    struct directory *directory;
};

static void good(bool result, const struct err *e)
{
    if (!result)
        fail_msg("%s", e->text);
}

static struct directory_db *open_db(void)
{
    struct err e = ERR_INIT;
    struct directory_db *db = directory_db_open(server.config->data, '+', &e);
    good(db != NULL, &e);
    return db;
}

static void add_account(struct directory_db *db, const char *address, const char *password)
{
    char hash[PASSWORD_HASH_MAX] = "";
    struct err e = ERR_INIT;
    int64_t id;
    if (password)
        good(password_hash(str_from_c(password), hash, &e), &e);
    good(directory_account_add(db, str_from_c(address), str_from_c(hash), &id, &e), &e);
}

static int start(void **state)
{
    (void)state;
    char text[400], where[160];
    struct err e = ERR_INIT;
    int control[2], broker[2];
    folder_make(&server.folder);
    snprintf(where, sizeof where, "%s/golub.conf", server.folder.path);
    snprintf(text, sizeof text,
             "[server]\nhostname = mx.example.org\nworkers = 2\n[tls]\ncertificate = x\nkey = x\n"
             "[login]\nfailures = 3\n[log]\nlevel = error\n");
    server.config = config_parse(str_from_c(text), where, &e);
    good(server.config != NULL, &e);
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    good(directory_domain_add(db, STR("example.org"), &e), &e);
    add_account(db, "ana@example.org", "ana's secret");
    add_account(db, "bob@example.org", "bob's secret");
    add_account(db, "carla@example.org", "carla's secret");
    add_account(db, "dora@example.org", "dora's secret");
    add_account(db, "emil@example.org", "emil's secret");
    if (!ipc_pair(control) || !ipc_pair(broker))
        return -1;
    server.changes = generation_new();
    server.process = fork();
    if (server.process == 0) {
        struct role r = {.kind = ROLE_DIRECTORY,
                         .config = server.config,
                         .changes = server.changes,
                         .control = control[1],
                         .broker = broker[1]};
        close(control[0]);
        close(broker[0]);
        log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        directory_db_close(db);
        db = NULL;
        int code = directory_main(&r);
        generation_free(server.changes);
        config_free(server.config);
        exit(code);
    }
    close(control[1]);
    close(broker[1]);
    server.control = control[0];
    server.ready = broker[0];
    struct ipc_frame f;
    if (ipc_receive(server.ready, &f, deadline_in(PATIENCE_MS)) != IPC_OK || f.type != ROLE_FRAME_READY)
        return -1;
    ipc_frame_free(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    int status;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_STOP);
    ipc_send(server.control, &f, deadline_in(PATIENCE_MS));
    waitpid(server.process, &status, 0);
    close(server.control);
    close(server.ready);
    generation_free(server.changes);
    config_free(server.config);
    folder_remove(&server.folder);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* --- clients --- */

static int give_channel(enum role_kind kind)
{
    int ends[2];
    if (!ipc_pair(ends))
        return -1;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_CHANNEL);
    ipc_put_u32(&f, kind);
    ipc_put_u32(&f, 0);
    ipc_put_fd(&f, ends[1]);
    ipc_send(server.control, &f, deadline_in(PATIENCE_MS));
    close(ends[1]);
    return ends[0];
}

static void *serve_broker(void *context)
{
    struct asker *a = context;
    struct ipc_frame ask;
    while (ipc_receive(a->broker, &ask, deadline_in(10 * PATIENCE_MS)) == IPC_OK) {
        CLEAN_FRAME struct ipc_frame answer;
        CLEAN_CLOSE int channel = give_channel(a->role.kind);
        ipc_frame_init(&answer, ROLE_FRAME_CHANNEL);
        answer.id = ask.id;
        ipc_put_fd(&answer, channel);
        ipc_send(a->broker, &answer, deadline_in(PATIENCE_MS));
        ipc_frame_free(&ask);
    }
    return NULL;
}

/* Lives as long as the test program: a client of a role lives as long as its process. */
static struct directory *connect_as(enum role_kind kind)
{
    static struct asker askers[16];
    static size_t n;
    struct asker *a = &askers[n++];
    int ends[2];
    assert_true(ipc_pair(ends));
    a->role = (struct role){.kind = kind, .broker = ends[0]};
    a->broker = ends[1];
    assert_int_equal(pthread_create(&a->thread, NULL, serve_broker, a), 0);
    return a->directory = directory_client(&a->role);
}

static enum directory_verdict verify(struct directory *d, const char *user, const char *password,
                                     const char *peer)
{
    struct directory_login login;
    return directory_verify(d, str_from_c(user), str_from_c(password), peer, &login);
}

static void addresses_are_answered(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory *d = connect_as(ROLE_SMTP);
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct directory_sender sender;
    good(directory_resolve(d, STR("ANA+shop@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_LOCAL);
    assert_int_equal(answer.count, 1);
    assert_true(str_eq(answer.targets[0].address, STR("ana@example.org")));
    assert_true(str_eq(answer.targets[0].detail, STR("shop")));
    int64_t ana = answer.targets[0].account;
    good(directory_resolve(d, STR("nobody@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_UNKNOWN);
    good(directory_resolve(d, STR("x@elsewhere.example"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_REMOTE);
    good(directory_resolve(d, STR("new@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_UNKNOWN);
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    add_account(db, "new@example.org", NULL); /* a command beside the running server */
    good(directory_resolve(d, STR("new@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_LOCAL);
    good(directory_sender(d, ana, STR("ana+x@example.org"), &sender, &e), &e);
    assert_int_equal(sender.right, DIRECTORY_SEND_AS);
    good(directory_sender(d, ana, STR("bob@example.org"), &sender, &e), &e);
    assert_int_equal(sender.right, DIRECTORY_SEND_NOT);
}

/* Whoever keeps answers asks again once a command is done. */
static void a_command_is_noticed_when_it_ends(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory *d = connect_as(ROLE_SMTP);
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct deadline until = deadline_in(PATIENCE_MS);
    uint64_t before = generation_now(server.changes);
    good(directory_resolve(d, STR("later@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_UNKNOWN);
    struct directory_db *db = open_db();
    add_account(db, "later@example.org", NULL);
    directory_db_close(db);
    while (generation_now(server.changes) == before && !deadline_passed(until))
        usleep(1000);
    assert_true(generation_now(server.changes) != before);
    good(directory_resolve(d, STR("later@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.fate, DIRECTORY_LOCAL);
}

static void what_is_set_of_a_sender_comes_with_the_right(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory *d = connect_as(ROLE_SMTP);
    struct directory_account ana;
    struct directory_settings own = {.language = CONFIG_SERBIAN_CYRILLIC};
    struct directory_sender sender;
    struct err e = ERR_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    good(directory_account_find(db, STR("ana@example.org"), &a, &ana, &e), &e);
    good(directory_sender(d, ana.id, STR("ana@example.org"), &sender, &e), &e);
    assert_int_equal(sender.right, DIRECTORY_SEND_AS);
    assert_int_equal(sender.settings.language, CONFIG_LANGUAGE_UNSET);
    own.rates[LIMIT_RECIPIENTS].is_set = true;
    own.rates[LIMIT_RECIPIENTS].limit = (struct tally_limit){1000000, 86400};
    good(directory_account_set(db, ana.address, &own, &e), &e); /* a command beside the running server */
    good(directory_sender(d, ana.id, STR("bob@example.org"), &sender, &e), &e);
    assert_int_equal(sender.right, DIRECTORY_SEND_NOT);
    assert_int_equal(sender.settings.language, CONFIG_SERBIAN_CYRILLIC);
    assert_true(sender.settings.rates[LIMIT_RECIPIENTS].is_set &&
                !sender.settings.rates[LIMIT_MESSAGES].is_set);
    assert_int_equal(sender.settings.rates[LIMIT_RECIPIENTS].limit.count, 1000000);
    assert_int_equal(sender.settings.rates[LIMIT_RECIPIENTS].limit.period_s, 86400);
}

static void relay_alone_is_told_a_routes_login(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory *relay = connect_as(ROLE_RELAY), *queue = connect_as(ROLE_QUEUE);
    struct directory_answer answer;
    struct directory_route route;
    struct err e = ERR_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    good(directory_route(relay, STR("ana@example.org"), STR("x.example"), &a, &route, &e), &e);
    assert_false(route.is_set);
    const struct directory_route_entry smarthost = {
        .domain = STR("*"),
        .route = {.host = STR("smarthost"), .port = 587, .user = STR("me"), .password = STR("secret")}};
    good(directory_route_set(db, &smarthost, &e), &e); /* a command beside the running server */
    good(directory_route(relay, STR("ana@example.org"), STR("x.example"), &a, &route, &e), &e);
    assert_true(route.is_set && route.port == 587 && str_eq(route.host, STR("smarthost")));
    assert_true(str_eq(route.user, STR("me")) && str_eq(route.password, STR("secret")));
    good(directory_route(queue, STR("ana@example.org"), STR("x.example"), &a, &route, &e), &e);
    assert_true(route.is_set && route.user.n == 0 && route.password.n == 0);
    /* relay has no business with addresses, and smtp none with logins */
    assert_false(directory_resolve(relay, STR("ana@example.org"), &a, &answer, &e));
    assert_false(directory_route(connect_as(ROLE_SMTP), STR(""), STR("x.example"), &a, &route, &e));
}

static void passwords_are_checked_and_changes_seen_at_once(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_LOGIN);
    struct directory_login login;
    struct err e = ERR_INIT;
    char hash[PASSWORD_HASH_MAX];
    assert_int_equal(directory_verify(d, STR("Ana@Example.ORG"), STR("ana's secret"), "192.0.2.1", &login),
                     DIRECTORY_GOOD);
    assert_string_equal(login.address, "ana@example.org");
    assert_true(login.account > 0);
    assert_int_equal(verify(d, "ana@example.org", "ana's secret", "192.0.2.1"), DIRECTORY_GOOD);
    assert_int_equal(verify(d, "ana@example.org", "bob's secret", "192.0.2.1"), DIRECTORY_WRONG);
    assert_int_equal(verify(d, "postmaster@example.org", "", "192.0.2.9"), DIRECTORY_WRONG);
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    good(password_hash(STR("a new one"), hash, &e), &e);
    good(directory_account_set_hash(db, STR("ana@example.org"), str_from_c(hash), &e), &e);
    assert_int_equal(verify(d, "ana@example.org", "ana's secret", "192.0.2.2"), DIRECTORY_WRONG);
    assert_int_equal(verify(d, "ana@example.org", "a new one", "192.0.2.2"), DIRECTORY_GOOD);
    good(directory_account_enable(db, STR("ana@example.org"), false, &e), &e);
    assert_int_equal(verify(d, "ana@example.org", "a new one", "192.0.2.2"), DIRECTORY_WRONG);
}

static void a_guesser_waits_and_the_user_elsewhere_does_not(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_LOGIN);
    struct directory_login login;
    char guess[16];
    for (int i = 0; i < 3; i++) {
        snprintf(guess, sizeof guess, "guess %d", i);
        assert_int_equal(verify(d, "bob@example.org", guess, "198.51.100.1"), DIRECTORY_WRONG);
    }
    assert_int_equal(directory_verify(d, STR("bob@example.org"), STR("bob's secret"), "198.51.100.1", &login),
                     DIRECTORY_WAIT);
    assert_in_range(login.wait_s, 1, 2);
    assert_int_equal(login.account, 0);
    assert_int_equal(verify(d, "bob@example.org", "bob's secret", "198.51.100.2"), DIRECTORY_GOOD);
}

/* --- SCRAM --- with OpenSSL's functions on the client's side */

static void hmac(const unsigned char *key, struct str message, unsigned char out[SCRAM_KEY_BYTES])
{
    unsigned n = SCRAM_KEY_BYTES;
    HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, (const unsigned char *)message.p, message.n, out, &n);
}

struct scram_client {
    struct directory *d;
    const char *peer;
    struct arena a;
    struct str bare;
    struct directory_scram first;
    unsigned wait_s;
    unsigned char expected[SCRAM_KEY_BYTES]; /* of the server's signature */
};

static enum directory_verdict scram_first(struct scram_client *c, const char *user)
{
    c->bare = arena_printf(&c->a, "n=%s,r=a-nonce-", user);
    struct str message = arena_printf(&c->a, "n,,%.*s", STR_ARGS(c->bare));
    return directory_scram_first(c->d, message, c->peer, &c->a, &c->first, &c->wait_s);
}

static enum directory_verdict scram_final(struct scram_client *c, const char *password,
                                          struct directory_login *login)
{
    unsigned char salted[SCRAM_KEY_BYTES], key[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES],
        proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
    CLEAN_BUF struct buf text;
    struct scram_salted *s = &c->first.salted;
    struct str without = arena_printf(&c->a, "c=biws,r=%.*s", STR_ARGS(s->nonce));
    struct str auth = arena_printf(&c->a, "%.*s,%.*s,%.*s", STR_ARGS(c->bare),
                                   STR_ARGS(scram_write_salted(s, &c->a)), STR_ARGS(without));
    PKCS5_PBKDF2_HMAC(password, -1, (const unsigned char *)s->salt.p, (int)s->salt.n, (int)s->iterations,
                      EVP_sha256(), SCRAM_KEY_BYTES, salted);
    hmac(salted, STR("Client Key"), key);
    SHA256(key, sizeof key, stored);
    hmac(stored, auth, proof);
    for (size_t i = 0; i < sizeof proof; i++)
        proof[i] ^= key[i];
    hmac(salted, STR("Server Key"), key);
    hmac(key, auth, c->expected);
    buf_init(&text, 1000);
    buf_add(&text, without);
    buf_add(&text, STR(",p="));
    buf_add_base64(&text, str_from(proof, sizeof proof));
    enum directory_verdict v =
        directory_scram_final(c->d, c->first.exchange, buf_str(&text), c->peer, signature, login);
    if (v == DIRECTORY_GOOD)
        assert_memory_equal(signature, c->expected, sizeof signature);
    return v;
}

static enum directory_verdict scram(struct directory *d, const char *user, const char *password,
                                    const char *peer)
{
    struct scram_client c = {.d = d, .peer = peer};
    struct directory_login login = {0};
    enum directory_verdict v = scram_first(&c, user);
    if (v == DIRECTORY_GOOD)
        v = scram_final(&c, password, &login);
    if (v == DIRECTORY_GOOD)
        assert_true(login.account > 0);
    arena_free(&c.a);
    return v;
}

/* An account whose password only Argon2 knows, as all were once. */
static void scram_works_once_the_password_was_seen(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_LOGIN);
    assert_int_equal(scram(d, "carla@example.org", "carla's secret", "192.0.2.50"), DIRECTORY_WRONG);
    assert_int_equal(verify(d, "carla@example.org", "not hers", "192.0.2.51"), DIRECTORY_WRONG);
    assert_int_equal(scram(d, "carla@example.org", "not hers", "192.0.2.52"), DIRECTORY_WRONG);
    assert_int_equal(verify(d, "carla@example.org", "carla's secret", "192.0.2.51"), DIRECTORY_GOOD);
    assert_int_equal(scram(d, "CARLA@example.org", "carla's secret", "192.0.2.53"), DIRECTORY_GOOD);
    assert_int_equal(scram(d, "carla@example.org", "not hers", "192.0.2.53"), DIRECTORY_WRONG);
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    struct err e = ERR_INIT;
    good(directory_account_enable(db, STR("carla@example.org"), false, &e), &e);
    assert_int_equal(scram(d, "carla@example.org", "carla's secret", "192.0.2.54"), DIRECTORY_WRONG);
    good(directory_account_enable(db, STR("carla@example.org"), true, &e), &e);
    assert_int_equal(scram(d, "carla@example.org", "carla's secret", "192.0.2.54"), DIRECTORY_GOOD);
}

static void an_exchange_is_of_one_password_and_one_use(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX];
    struct err e = ERR_INIT;
    struct directory_login login;
    struct scram_client c = {.d = connect_as(ROLE_SMTP), .peer = "192.0.2.60"};
    assert_int_equal(verify(c.d, "dora@example.org", "dora's secret", "192.0.2.60"), DIRECTORY_GOOD);
    assert_int_equal(scram_first(&c, "dora@example.org"), DIRECTORY_GOOD);
    assert_int_equal(scram_final(&c, "dora's secret", &login), DIRECTORY_GOOD);
    assert_string_equal(login.address, "dora@example.org");
    assert_int_equal(scram_final(&c, "dora's secret", &login), DIRECTORY_NO_ANSWER);
    assert_int_equal(scram_first(&c, "dora@example.org"), DIRECTORY_GOOD);
    CLEAN_DIRECTORY_DB struct directory_db *db = open_db();
    good(password_hash(STR("a new one"), hash, &e), &e);
    good(directory_account_set_hash(db, STR("dora@example.org"), str_from_c(hash), &e), &e);
    assert_int_equal(scram_final(&c, "dora's secret", &login), DIRECTORY_WRONG);
    assert_int_equal(scram(c.d, "dora@example.org", "dora's secret", "192.0.2.61"), DIRECTORY_WRONG);
    assert_int_equal(verify(c.d, "dora@example.org", "a new one", "192.0.2.62"), DIRECTORY_GOOD);
    assert_int_equal(scram(c.d, "dora@example.org", "a new one", "192.0.2.62"), DIRECTORY_GOOD);
    arena_free(&c.a);
}

/* Whether somebody exists, has a verifier or not: the same salt each time, another's is another. */
static void nobody_learns_who_exists(void **state)
{
    (void)state;
    static const char *const USERS[] = {"nobody@example.org", "NoBody@Example.Org",  "emil@example.org",
                                        "emil@example.org",   "x@elsewhere.example", "no address"};
    struct scram_client c = {.d = connect_as(ROLE_LOGIN), .peer = "192.0.2.70"};
    struct str salts[6];
    for (size_t i = 0; i < 6; i++) {
        if (i == 3) /* now it gets its verifier */
            assert_int_equal(verify(c.d, "emil@example.org", "emil's secret", "192.0.2.70"), DIRECTORY_GOOD);
        assert_int_equal(scram_first(&c, USERS[i]), DIRECTORY_GOOD);
        assert_int_equal(c.first.salted.iterations, SCRAM_ITERATIONS);
        assert_int_equal(c.first.salted.salt.n, SCRAM_SALT_BYTES);
        salts[i] = c.first.salted.salt;
    }
    assert_true(str_eq(salts[0], salts[1]));
    assert_true(str_eq(salts[2], salts[3]));
    assert_false(str_eq(salts[0], salts[2]));
    assert_false(str_eq(salts[4], salts[5]));
    arena_free(&c.a);
}

static void scram_guesses_count(void **state)
{
    (void)state;
    struct scram_client c = {.d = connect_as(ROLE_LOGIN), .peer = "198.51.100.9"};
    struct directory_login login;
    assert_int_equal(scram_first(&c, "bob@example.org"), DIRECTORY_GOOD); /* open while others fail */
    for (int i = 0; i < 3; i++)
        assert_int_equal(scram(c.d, "bob@example.org", "a guess", c.peer), DIRECTORY_WRONG);
    assert_int_equal(scram_final(&c, "bob's secret", &login), DIRECTORY_WAIT);
    assert_in_range(login.wait_s, 1, 2);
    assert_int_equal(scram_first(&c, "bob@example.org"), DIRECTORY_WAIT);
    assert_int_equal(verify(c.d, "bob@example.org", "bob's secret", c.peer), DIRECTORY_WAIT);
    arena_free(&c.a);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One wrong guess for each; *least keeps the shortest time that one took. */
static void time_guess(struct directory *d, const char *user, const char *peer, int round, int64_t *least)
{
    char guess[32], from[32];
    snprintf(guess, sizeof guess, "guess %s %d", user, round);
    snprintf(from, sizeof from, "%s%02d", peer, round);
    int64_t before = now_us();
    assert_int_equal(verify(d, user, guess, from), DIRECTORY_WRONG);
    int64_t took = now_us() - before;
    *least = took < *least ? took : *least;
}

static bool is_alike(int64_t a, int64_t b)
{
    return a * 2 > b && b * 2 > a;
}

/* Other processes make a guess take longer, never shorter: the least times of both come together sooner or
 * later, unless they are really apart. */
#define ROUNDS_MAX 90

static void nobody_takes_as_long_as_somebody(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_SMTP);
    int64_t known = INT64_MAX, unknown = INT64_MAX, foreign = INT64_MAX;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        time_guess(d, "bob@example.org", "203.0.1.1", round, &known);
        time_guess(d, "nobody@example.org", "203.0.2.1", round, &unknown);
        time_guess(d, "bob@elsewhere.example", "203.0.3.1", round, &foreign);
        if (round >= 4 && is_alike(known, unknown) && is_alike(known, foreign))
            break;
    }
    print_message("wrong password %lld us, unknown user %lld us, foreign %lld us\n", (long long)known,
                  (long long)unknown, (long long)foreign);
    assert_true(is_alike(known, unknown));
    assert_true(is_alike(known, foreign));
}

static void others_may_not_check_passwords(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_QUEUE);
    struct directory_answer answer;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(verify(d, "bob@example.org", "bob's secret", "192.0.2.77"), DIRECTORY_NO_ANSWER);
    assert_int_equal(scram(d, "bob@example.org", "bob's secret", "192.0.2.77"), DIRECTORY_NO_ANSWER);
    good(directory_resolve(d, STR("bob@example.org"), &a, &answer, &e), &e);
}

static void nonsense_closes_the_channel_and_nothing_else(void **state)
{
    (void)state;
    for (uint16_t type = 0; type < 15; type++) {
        CLEAN_CLOSE int channel = give_channel(ROLE_SMTP);
        CLEAN_FRAME struct ipc_frame f;
        struct ipc_frame reply;
        ipc_frame_init(&f, type);
        ipc_put_u8(&f, 7);
        assert_int_equal(ipc_send(channel, &f, deadline_in(PATIENCE_MS)), IPC_OK);
        assert_int_equal(ipc_receive(channel, &reply, deadline_in(PATIENCE_MS)), IPC_EOF);
    }
    struct directory *d = connect_as(ROLE_SMTP);
    assert_int_equal(verify(d, "bob@example.org", "bob's secret", "192.0.2.3"), DIRECTORY_GOOD);
}

/* --- how fast --- */

#define THREADS   4
#define QUESTIONS 10000 /* a thread */

static void *ask_many(void *directory)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (int i = 0; i < QUESTIONS; i++) {
        struct directory_answer answer;
        struct err e = ERR_INIT;
        if (!directory_resolve(directory, i % 2 ? STR("bob@example.org") : STR("bob+tag@example.org"), &a,
                               &answer, &e) ||
            answer.count != 1)
            return "failed";
        arena_reset(&a);
    }
    return NULL;
}

static void ten_thousand_questions_a_second(void **state)
{
    (void)state;
    struct directory *d = connect_as(ROLE_SMTP);
    pthread_t threads[THREADS];
    int64_t before = now_us();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, d), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    int64_t took = now_us() - before;
    print_message("%lld questions a second\n", (long long)THREADS * QUESTIONS * 1000000 / took);
    before = now_us();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(verify(d, "bob@example.org", "bob's secret", "192.0.2.4"), DIRECTORY_GOOD);
    took = now_us() - before;
    print_message("%lld remembered passwords a second\n", 1000 * 1000000LL / took);
    assert_true(took < 5 * 1000000); /* Argon2 each time would be 20 s */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_answered),
        cmocka_unit_test(a_command_is_noticed_when_it_ends),
        cmocka_unit_test(what_is_set_of_a_sender_comes_with_the_right),
        cmocka_unit_test(relay_alone_is_told_a_routes_login),
        cmocka_unit_test(a_guesser_waits_and_the_user_elsewhere_does_not),
        cmocka_unit_test(nobody_takes_as_long_as_somebody),
        cmocka_unit_test(scram_works_once_the_password_was_seen),
        cmocka_unit_test(an_exchange_is_of_one_password_and_one_use),
        cmocka_unit_test(nobody_learns_who_exists),
        cmocka_unit_test(scram_guesses_count),
        cmocka_unit_test(others_may_not_check_passwords),
        cmocka_unit_test(nonsense_closes_the_channel_and_nothing_else),
        cmocka_unit_test(ten_thousand_questions_a_second),
        cmocka_unit_test(passwords_are_checked_and_changes_seen_at_once),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, start, stop);
}
