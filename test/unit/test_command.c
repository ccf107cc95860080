/* The commands as an administrator types them, each in a process of its own. */
#include "command/command.h"

#include "base/mem.h"
#include "check.h"
#include "config/config.h"
#include "directory/db.h"
#include "directory/password.h"
#include "folder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 65536
#define WORDS_MAX  16

struct here {
    struct folder folder;
    char server[200], conf[220];
    uint16_t port_base;
    char out[OUTPUT_MAX]; /* standard output and error of the last command */
};
static struct here here;

static size_t read_all(int fd)
{
    size_t n = 0;
    ssize_t got;
    while (n < OUTPUT_MAX - 1 && (got = read(fd, here.out + n, OUTPUT_MAX - 1 - n)) > 0)
        n += (size_t)got;
    here.out[n] = '\0';
    return n;
}

/* Runs `golub WORDS...`, split at single spaces; "CONF" stands for the config, "DIR" for the server. */
static int golub_with(const char *words, const char *input)
{
    char *argv[WORDS_MAX + 1] = {"golub"};
    CLEAN_FREE char *copy = mem_copy_c(words, strlen(words));
    int argc = 1, in[2], out[2], status;
    for (char *at = copy, *word; (word = strsep(&at, " ")) && argc < WORDS_MAX;)
        if (*word)
            argv[argc++] = strcmp(word, "CONF") == 0  ? here.conf
                           : strcmp(word, "DIR") == 0 ? here.server
                                                      : word;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setsid(); /* no terminal: nothing may be asked */
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        int code = command_main(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
    close(in[1]);
    read_all(out[0]);
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int golub(const char *words)
{
    return golub_with(words, "");
}

static void expect(int code, const char *words)
{
    int got = golub(words);
    if (got != code)
        fail_msg("golub %s: exit %d\n%s", words, got, here.out);
}

static bool says(const char *text)
{
    return strstr(here.out, text) != NULL;
}

static bool is_free(uint16_t port)
{
    CLEAN_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

/* `check` says that the ports are free, so they have to be: below those that the kernel gives to clients. */
static uint16_t free_port_base(void)
{
    uint16_t base = (uint16_t)(10000 + getpid() % 20000);
    for (int attempt = 0; attempt < 100; attempt++, base = (uint16_t)(base < 30000 ? base + 100 : 10000)) {
        enum service s = 0;
        while (s < SERVICE_COUNT && is_free((uint16_t)(base + service_port(s))))
            s++;
        if (s == SERVICE_COUNT)
            return base;
    }
    fail_msg("no free ports on 127.0.0.1");
    return 0;
}

static int make_server(void **state)
{
    char words[120];
    (void)state;
    here.port_base = free_port_base();
    folder_make(&here.folder);
    snprintf(here.server, sizeof here.server, "%s/mail", here.folder.path);
    snprintf(here.conf, sizeof here.conf, "%s/golub.conf", here.server);
    snprintf(words, sizeof words, "init DIR --domain example.org --hostname mx.example.org --port-base %u",
             here.port_base);
    expect(0, words);
    return 0;
}

static int remove_server(void **state)
{
    (void)state;
    folder_remove(&here.folder);
    return 0;
}

static void usage_is_taught(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "frobnicate",
        "--frobnicate help",
        "-c",
        "account",
        "init",
        "init /nonexistent/x",
        "init /nonexistent/x --domain",
        "init /nonexistent/x --domain a..b",
        "init /nonexistent/x --domain example.org --port-base 65000",
        "init /nonexistent/x --domain example.org --hostname a@b",
        "init /nonexistent/x /nonexistent/y --domain example.org",
        "-c CONF account add",
        "-c CONF account add ana@example.org secret",
        "-c CONF account add ana@example.org --password=secret",
        "-c CONF account frobnicate",
        "-c CONF account list --all",
        "-c CONF address add info@example.org",
        "-c CONF queue show",
        "-c CONF queue show one",
        "-c CONF queue drop",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        expect(2, WRONG[i]);
        assert_true(strlen(here.out) > 0);
    }
    expect(2, "-c CONF account");
    assert_true(says("account add") && says("account remove"));
    expect(0, "help");
    assert_true(says("init") && says("serve") && says("queue retry") && says("Exit codes"));
    expect(0, "help account");
    assert_true(says("account password") && !says("queue"));
    expect(0, "help account add");
    assert_true(says("usage: golub [-c FILE] account add NAME@DOMAIN") && says("--password-stdin"));
    expect(0, "account add --help");
    assert_true(says("usage:"));
    expect(0, "--version");
    assert_true(says("golub "));
    expect(1, "-c /nonexistent/golub.conf account list");
    assert_true(says("/nonexistent/golub.conf"));
    expect(1, "init /nonexistent/x --domain example.org");
}

static mode_t mode_of(const char *name)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", here.server, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static X509 *read_certificate(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/tls/%s", here.server, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(x);
    return x;
}

static void init_makes_a_whole_server_and_never_a_second_over_it(void **state)
{
    (void)state;
    assert_true(says("MX") && says("10 mx.example.org.") && says("v=spf1") && says("v=DKIM1; k=rsa; p=MII") &&
                says("v=DMARC1") && says("3 1 1 "));
    struct err e = ERR_INIT;
    const struct config *c = config_load(here.conf, &e);
    if (!c)
        fail_msg("%s", e.text);
    assert_true(str_eq(c->hostname, STR("mx.example.org")));
    assert_int_equal(c->listeners[0].port, here.port_base + 25);
    assert_true(str_eq(c->listeners[0].address, STR("127.0.0.1")));
    config_free(c);
    assert_int_equal(mode_of("."), 0711); /* local programs pass through, to these two */
    assert_int_equal(mode_of("run"), 0755);
    assert_int_equal(mode_of("maildrop"), 01733);
    assert_int_equal(mode_of("account"), 0700);
    assert_int_equal(mode_of("queue"), 0700);
    assert_int_equal(mode_of("tls"), 0700);
    assert_int_equal(mode_of("dkim"), 0700);
    assert_int_equal(mode_of("tls/server.key"), 0600);
    assert_int_equal(mode_of("tls/ca.key"), 0600);
    assert_int_equal(mode_of("dkim/golub.key"), 0600);
    assert_int_equal(mode_of("directory"), 0700);

    X509 *leaf = read_certificate("server.pem"), *ca = read_certificate("ca.pem");
    assert_int_equal(X509_verify(leaf, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_check_issued(ca, leaf), X509_V_OK);
    static const char *const NAMES[] = {"mx.example.org", "localhost"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(X509_check_host(leaf, NAMES[i], 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    X509_free(leaf);
    X509_free(ca);

    expect(1, "init DIR --domain other.example");
    assert_true(says("golub.conf exists"));
    unlink(here.conf);
    expect(1, "init DIR --domain other.example");
    assert_true(says("exists"));
}

static void a_certificate_is_renewed_from_the_same_ca(void **state)
{
    (void)state;
    X509 *before = read_certificate("server.pem");
    expect(0, "-c CONF certificate renew");
    X509 *after = read_certificate("server.pem"), *ca = read_certificate("ca.pem");
    assert_int_not_equal(X509_cmp(before, after), 0);
    assert_int_equal(X509_verify(after, X509_get0_pubkey(ca)), 1);
    assert_int_equal(mode_of("tls/server.key"), 0600);
    expect(0, "-c CONF check --offline");
    assert_true(says("belongs to the certificate"));
    X509_free(before);
    X509_free(after);
    X509_free(ca);
}

static bool password_is(const char *address, const char *password)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct err e = ERR_INIT;
    db = directory_db_open(str_from_c(here.server), '+', &e);
    assert_non_null(db);
    return directory_account_find(db, str_from_c(address), &a, &account, &e) &&
           password_verify(str_from_c(password), account.hash);
}

static void accounts_come_and_go(void **state)
{
    (void)state;
    char folder[300];
    struct stat st;
    assert_int_equal(golub_with("-c CONF account add Ana@Example.org --password-stdin", "a long secret\n"),
                     0);
    assert_true(password_is("ana@example.org", "a long secret"));
    assert_false(says("secret"));
    assert_int_equal(golub_with("-c CONF account add ana@example.org --password-stdin", "x\n"), 1);
    assert_true(says("ana@example.org exists"));
    assert_int_equal(golub_with("-c CONF account add ana@elsewhere.example --password-stdin", "x\n"), 1);
    assert_true(says("golub domain add elsewhere.example"));
    assert_int_equal(golub_with("-c CONF account add bob@example.org --password-stdin", "\n"), 1);
    assert_int_equal(golub_with("-c CONF account add bob@example.org --password-stdin", ""), 1);
    expect(1, "-c CONF account add bob@example.org");
    assert_true(says("--password-stdin"));
    expect(0, "-c CONF account add bob@example.org --generate");
    char *generated = strstr(here.out, "password: ");
    assert_non_null(generated);
    generated[10 + PASSWORD_GENERATED] = '\0';
    CLEAN_FREE char *password = mem_copy_c(generated + 10, PASSWORD_GENERATED);
    assert_true(password_is("bob@example.org", password));
    assert_int_equal(golub_with("-c CONF account password bob@example.org --hash-stdin",
                                "{SHA256-CRYPT}$5$saltsalt$cKRA0A5uaKu0/NNi2WMrB.mMOAVMowckrDNQ4fKUJ06\n"),
                     0);
    assert_true(password_is("bob@example.org", "geheim"));
    assert_int_equal(golub_with("-c CONF account password bob@example.org --hash-stdin", "geheim\n"), 1);
    assert_int_equal(golub_with("-c CONF account password ana@example.org --password-stdin", "new one\r\n"),
                     0);
    assert_true(password_is("ana@example.org", "new one"));
    expect(1, "-c CONF account password nobody@example.org --generate");
    expect(0, "-c CONF account disable bob@example.org");
    expect(0, "-c CONF account list");
    assert_true(says("ana@example.org") && says("disabled") && says("postmaster@example.org") &&
                says("no password"));
    expect(0, "-c CONF account enable bob@example.org");

    expect(0, "-c CONF domain limit example.org --message-rate 50/h --networks none");
    assert_true(says("message_rate     50/h       of the domain") &&
                says("recipient_rate   5000/d     of golub.conf"));
    expect(0, "-c CONF domain language example.org sr-cyrl");
    expect(0, "-c CONF account limit ana@example.org --recipient-rate=7/m --message-rate none");
    expect(0, "-c CONF account limit ana@example.org");
    assert_true(says("message_rate     none       of the account") &&
                says("recipient_rate   7/m        of the account") &&
                says("refused_rate     200/h      of golub.conf") &&
                says("networks         none       of the domain"));
    expect(0, "-c CONF account send-as ana@example.org --add boss@example.org");
    expect(0, "-c CONF account forward ana@example.org --to ana@far.example");
    expect(0, "-c CONF account show Ana@example.org");
    assert_true(says("ana@far.example") && says("boss@example.org") && says("7/m") &&
                says("language         sr-Cyrl    of the domain"));
    expect(0, "-c CONF account forward ana@example.org --off");
    expect(0, "-c CONF account language ana@example.org en");
    assert_true(says("language         en         of the account"));
    expect(0, "-c CONF account language ana@example.org default");
    assert_true(says("of the domain"));
    expect(0, "-c CONF domain language example.org default");
    assert_true(says("of golub.conf"));
    expect(0, "-c CONF account limit ana@example.org --message-rate default");
    assert_true(says("message_rate     50/h       of the domain") && says("7/m        of the account"));
    expect(2, "-c CONF account limit ana@example.org --message-rate 50");
    expect(2, "-c CONF account limit ana@example.org --message-rate");
    expect(2, "-c CONF account language ana@example.org de");
    expect(1, "-c CONF account limit nobody@example.org");
    expect(1, "-c CONF account show nobody@example.org");
    expect(1, "-c CONF domain limit far.example --message-rate 1/h");

    snprintf(folder, sizeof folder, "%s/account/2", here.server);
    mkdir(folder, 0700);
    strcat(folder, "/mail.db");
    close(open(folder, O_WRONLY | O_CREAT, 0600));
    expect(0, "-c CONF account remove ana@example.org");
    *strrchr(folder, '/') = '\0';
    assert_int_not_equal(stat(folder, &st), 0);
    expect(0, "-c CONF account list");
    assert_false(says("ana@example.org"));
    expect(1, "-c CONF account remove ana@example.org");
    expect(0, "-c CONF account remove bob@example.org --yes"); /* never had a folder */
    expect(1, "-c CONF account remove postmaster@example.org");
}

static void domains_and_addresses_lead_somewhere(void **state)
{
    (void)state;
    expect(0, "-c CONF domain add Second.example");
    expect(1, "-c CONF domain add second.EXAMPLE");
    expect(1, "-c CONF domain add not..one");
    expect(0, "-c CONF domain list");
    assert_true(says("second.example") && says("example.org"));
    expect(0, "-c CONF domain records second.example");
    assert_true(says("golub._domainkey.second.example."));
    expect(0, "-c CONF account add ana@example.org --generate");
    expect(0, "-c CONF address add all@second.example ana@example.org Zoe@Elsewhere.example");
    expect(0, "-c CONF address add @second.example ana@example.org");
    expect(0, "-c CONF address add \"a@b\"@second.example ana@example.org");
    expect(0, "-c CONF address list");
    assert_true(says("all@second.example") && says("Zoe@elsewhere.example") && says("@second.example") &&
                says("\na@b@second.example"));
    expect(1, "-c CONF address add x@second.example nobody@example.org");
    expect(1, "-c CONF domain remove second.example");
    expect(0, "-c CONF address remove all@second.example Zoe@elsewhere.example");
    expect(0, "-c CONF address remove all@second.example");
    expect(1, "-c CONF address remove all@second.example");
    expect(0, "-c CONF address remove @second.example");
    expect(0, "-c CONF address remove \"a@b\"@second.example");
    expect(0, "-c CONF domain remove second.example");
    expect(1, "-c CONF domain remove example.org");
}

static void append_config(const char *text)
{
    FILE *f = fopen(here.conf, "ae");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void check_tells_what_is_wrong(void **state)
{
    (void)state;
    expect(0, "-c CONF check --offline");
    assert_true(says("nobody reads the mail of postmaster@example.org"));
    assert_true(says("is free") && says("valid for 824 more days") && says("not from a public CA"));
    assert_false(says("\nerror"));
    append_config("[server]\nhostname = other.example.org\n");
    expect(1, "-c CONF check --offline");
    assert_true(says("is not for other.example.org"));
    append_config("[tls]\ncertificate = /nonexistent.pem\n");
    expect(1, "-c CONF check --offline");
    assert_true(says("/nonexistent.pem"));
    append_config("[nonsense]\n");
    expect(1, "-c CONF check --offline");
    assert_true(says("nonsense"));
}

#define NOBODY 65534

/* What root makes must be the server's, and nothing of root's may be left for it to trip over. */
static void root_becomes_the_owner_of_the_data(void **state)
{
    (void)state;
    static const char *const FILES[] = {"directory", "directory/directory.db", "queue", "queue/queue.db"};
    char command[400], path[300];
    struct stat st;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(here.folder.path, 0755), 0);
    snprintf(command, sizeof command, "chown -R %d:%d '%s'", NOBODY, NOBODY, here.server);
    assert_int_equal(system(command), 0);
    expect(0, "-c CONF account add ana@example.org --generate");
    expect(0, "-c CONF queue list");
    expect(0, "-c CONF check --offline");
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", here.server, FILES[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, NOBODY);
    }
}

static void an_empty_queue_is_listed(void **state)
{
    (void)state;
    expect(0, "-c CONF queue list");
    assert_true(says("0 messages"));
    expect(1, "-c CONF queue show 1");
    expect(0, "-c CONF queue retry --all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(usage_is_taught, make_server, remove_server),
        cmocka_unit_test_setup_teardown(init_makes_a_whole_server_and_never_a_second_over_it, make_server,
                                        remove_server),
        cmocka_unit_test_setup_teardown(a_certificate_is_renewed_from_the_same_ca, make_server,
                                        remove_server),
        cmocka_unit_test_setup_teardown(accounts_come_and_go, make_server, remove_server),
        cmocka_unit_test_setup_teardown(domains_and_addresses_lead_somewhere, make_server, remove_server),
        cmocka_unit_test_setup_teardown(check_tells_what_is_wrong, make_server, remove_server),
        cmocka_unit_test_setup_teardown(root_becomes_the_owner_of_the_data, make_server, remove_server),
        cmocka_unit_test_setup_teardown(an_empty_queue_is_listed, make_server, remove_server),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
