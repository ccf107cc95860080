#include "base/sandbox.h"

#include "base/sql.h"

#include "check.h"
#include "folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct folder own, other;
static char *const own_dir = own.path, *const other_dir = other.path;
static char other_file[200];
static int listener;
static uint16_t port;

static int setup(void **state)
{
    (void)state;
    folder_make(&own);
    folder_make(&other);
    snprintf(other_file, sizeof other_file, "%s/mail.db", other_dir);
    int fd = open(other_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    port = ntohs(at.sin_port);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(listener);
    folder_remove(&own);
    folder_remove(&other);
    return 0;
}

typedef bool in_sandbox_fn(void);

/* Runs `fn` in a child inside the profile: 0 when it said true, 1 for false, 2 when the sandbox could not be
 * entered, 128 + signal when it was killed. */
static int run_inside(const struct sandbox_profile *p, in_sandbox_fn *fn)
{
    pid_t child = fork();
    if (child == 0) {
        struct err e = ERR_INIT;
        if (!sandbox_enter(p, NULL, &e)) {
            fprintf(stderr, "%s\n", e.text);
            _exit(2);
        }
        _exit(fn() ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_with(unsigned rights, in_sandbox_fn *fn)
{
    struct sandbox_profile p = {.name = "test", .rights = rights};
    if (rights & SANDBOX_FILES)
        p.write_dirs[0] = own_dir;
    return run_inside(&p, fn);
}

static bool refused(long result)
{
    return result < 0 && (errno == EPERM || errno == EACCES);
}

/* --- what everybody may --- */

static void *thread_main(void *context)
{
    prctl(PR_SET_NAME, "worker");
    char *memory = malloc(1 << 20);
    memset(memory, 1, 1 << 20);
    free(memory);
    return context;
}

static bool ordinary_work(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        return false;
    if (write(ends[0], "x", 1) != 1 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return false;
    int memory = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat st;
    if (ftruncate(memory, 100) < 0 || fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) < 0 ||
        fstat(memory, &st) < 0 || st.st_size != 100)
        return false;
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, memory, 0) == MAP_FAILED)
        return false;
    pthread_attr_t small;
    pthread_t threads[8];
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 20);
    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], &small, thread_main, NULL) != 0)
            return false;
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    return prctl(PR_GET_NAME, (char[16]){0}) == 0;
}

static bool knows_local_time(void)
{
    struct tm local;
    time_t at = 0;
    return localtime_r(&at, &local) && local.tm_gmtoff == 7200;
}

static void local_time_goes_on(void **state)
{
    /* A zone of its own (RFC 8536, version 1): one type, two hours east, called "T". */
    static const char ZONE[] = "TZif\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0"
                               "\0\0\0\0"
                               "\0\0\0\0"
                               "\0\0\0\0"
                               "\0\0\0\1"
                               "\0\0\0\2"
                               "\0\0\x1c\x20"
                               "\0"
                               "\0"
                               "T\0";
    (void)state;
    char path[200], zone[208];
    snprintf(path, sizeof path, "%s/zone", other_dir);
    snprintf(zone, sizeof zone, ":%s", path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, ZONE, sizeof ZONE - 1), sizeof ZONE - 1);
    close(fd);
    setenv("TZ", zone, 1);
    assert_int_equal(run_with(0, knows_local_time), 0);
    unsetenv("TZ");
}

static void everybody_may_work(void **state)
{
    (void)state;
    assert_int_equal(run_with(0, ordinary_work), 0);
    assert_int_equal(run_with(SANDBOX_ACCEPT | SANDBOX_CONNECT | SANDBOX_FILES | SANDBOX_FORK, ordinary_work),
                     0);
}

/* --- what nobody may --- */

static bool calls_refused(void)
{
    int pair[2];
    return refused(open("/etc/passwd", O_RDONLY)) && refused(open(own_dir, O_RDONLY)) &&
           refused(unlink(other_file)) && refused(mkdir("x", 0700)) && refused(fork()) &&
           refused(socket(AF_INET, SOCK_STREAM, 0)) && refused(socket(AF_UNIX, SOCK_STREAM, 0)) &&
           refused(socket(AF_NETLINK, SOCK_RAW, 0)) && refused(accept4(listener, NULL, NULL, 0)) &&
           refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) && refused(kill(getppid(), 0)) &&
           refused(setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, "", 1)) &&
           refused(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, 1})) && refused(setuid(1));
}

static bool code_refused(void)
{
    long page = sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && refused(mprotect(p, (size_t)page, PROT_READ | PROT_EXEC)) &&
           mmap(NULL, (size_t)page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static bool no_core(void)
{
    struct rlimit r;
    return getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0;
}

static void what_is_not_allowed_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_with(0, calls_refused), 0);
    assert_int_equal(run_with(0, code_refused), 0);
    assert_int_equal(run_with(0, no_core), 0);
}

static bool does_exec(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return true;
}

static bool does_ptrace(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return true;
}

static bool does_bpf(void)
{
    syscall(SYS_bpf, 0, NULL, 0);
    return true;
}

static bool does_unshare(void)
{
    syscall(SYS_unshare, 0);
    return true;
}

static void what_only_an_intruder_does_kills(void **state)
{
    (void)state;
    unsigned all = SANDBOX_ACCEPT | SANDBOX_CONNECT | SANDBOX_FILES | SANDBOX_FORK;
    for (unsigned rights = 0; rights <= all; rights += all) {
        assert_int_equal(run_with(rights, does_exec), 128 + SIGSYS);
        assert_int_equal(run_with(rights, does_ptrace), 128 + SIGSYS);
        assert_int_equal(run_with(rights, does_bpf), 128 + SIGSYS);
        assert_int_equal(run_with(rights, does_unshare), 128 + SIGSYS);
    }
}

/* --- rights --- */

static bool accepts(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int on = 1;
    return fd >= 0 && setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on) == 0 &&
           refused(socket(AF_INET, SOCK_STREAM, 0));
}

static int connect_here(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool connects(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = connect_here();
    return fd >= 0 && datagram >= 0 && bind(datagram, (struct sockaddr *)&any, sizeof any) == 0 &&
           refused(open("/etc/passwd", O_RDONLY)) && refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static void sockets_need_their_right(void **state)
{
    (void)state;
    int waiting = connect_here();
    assert_true(waiting >= 0);
    assert_int_equal(run_with(SANDBOX_ACCEPT, accepts), 0);
    close(waiting);
    assert_int_equal(run_with(SANDBOX_CONNECT, connects), 0);
}

static bool uses_files(void)
{
    char path[200], moved[200];
    snprintf(path, sizeof path, "%s/new", own_dir);
    snprintf(moved, sizeof moved, "%s/moved", own_dir);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0 || ftruncate(fd, 0) < 0)
        return false;
    if (rename(path, moved) < 0 || unlink(moved) < 0 || !refused(connect_here()))
        return false;
    struct flock lock = {.l_type = F_WRLCK};
    return fcntl(fd, F_SETLK, &lock) == 0;
}

static bool others_files_refused(void)
{
    return refused(open(other_file, O_RDONLY)) && refused(open(other_file, O_WRONLY)) &&
           refused(open("/etc/passwd", O_RDONLY)) && refused(unlink(other_file)) &&
           refused(open("/", O_RDONLY)) && refused(open("/proc/self/maps", O_RDONLY));
}

static void files_are_limited_to_their_folders(void **state)
{
    (void)state;
    assert_int_equal(run_with(SANDBOX_FILES, uses_files), 0);
    if (sandbox_landlock_abi() > 0)
        assert_int_equal(run_with(SANDBOX_FILES, others_files_refused), 0);
}

static bool reads_only(void)
{
    char path[200];
    snprintf(path, sizeof path, "%s/new", other_dir);
    return open(other_file, O_RDONLY) >= 0 && refused(open(other_file, O_WRONLY)) &&
           refused(open(path, O_CREAT | O_WRONLY, 0600)) && refused(unlink(other_file));
}

static void a_folder_may_be_for_reading_only(void **state)
{
    (void)state;
    if (sandbox_landlock_abi() == 0)
        skip();
    struct sandbox_profile p = {.name = "reader", .rights = SANDBOX_FILES, .read_dirs = {other_dir}};
    assert_int_equal(run_inside(&p, reads_only), 0);
    p.read_dirs[0] = other_file; /* one file */
    assert_int_equal(run_inside(&p, reads_only), 0);
    p.read_dirs[0] = "/nonexistent";
    assert_int_equal(run_inside(&p, reads_only), 2);
}

/* --- limits --- */

static bool few_descriptors(void)
{
    int last = -1;
    for (int i = 0; i < 50; i++)
        last = dup(listener);
    return last < 0 && errno == EMFILE;
}

static void limits_hold(void **state)
{
    (void)state;
    struct sandbox_profile p = {.name = "small", .files_max = 30, .memory_max = (size_t)1 << 40};
    assert_int_equal(run_inside(&p, few_descriptors), 0);
}

/* --- keeper: a child with a narrower sandbox --- */

static struct sandbox_filter *account_filter;

static int run_account(in_sandbox_fn *fn)
{
    pid_t child = fork();
    if (child == 0) {
        struct sandbox_profile p = {.name = "account", .rights = SANDBOX_FILES, .write_dirs = {own_dir}};
        struct err e = ERR_INIT;
        if (!sandbox_enter(&p, account_filter, &e)) {
            fprintf(stderr, "%s\n", e.text);
            _exit(2);
        }
        _exit(fn() ? 0 : 1);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 3;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool account_refused(void)
{
    return refused(fork()) && refused(kill(getppid(), 0)) &&
           (sandbox_landlock_abi() == 0 || others_files_refused());
}

static bool keeps_accounts(void)
{
    struct err e = ERR_INIT;
    account_filter = sandbox_compile(SANDBOX_FILES, &e);
    if (!account_filter)
        return false;
    bool ok = open(other_file, O_RDONLY | O_CLOEXEC) >= 0 && run_account(uses_files) == 0 &&
              run_account(ordinary_work) == 0 && run_account(account_refused) == 0 &&
              run_account(does_exec) == 128 + SIGSYS;
    sandbox_filter_free(account_filter);
    return ok;
}

static void an_account_is_narrower_than_its_keeper(void **state)
{
    (void)state;
    struct sandbox_profile keeper = {
        .name = "keeper", .rights = SANDBOX_FORK | SANDBOX_FILES, .write_dirs = {own_dir, other_dir}};
    assert_int_equal(run_inside(&keeper, keeps_accounts), 0);
}

/* --- trying to escape --- */

static bool stays_inside(void)
{
    return sandbox_try_escape(port, other_file) == 0;
}

static bool escapes_by_its_right(void)
{
    return sandbox_try_escape(port, other_file) == SANDBOX_CONNECTED;
}

static void nobody_escapes(void **state)
{
    (void)state;
    assert_int_equal(sandbox_try_escape(port, other_file),
                     SANDBOX_OPENED_FILE | SANDBOX_CONNECTED | SANDBOX_EXECUTED | SANDBOX_OPENED_OTHER);
    assert_int_equal(run_with(0, stays_inside), 128 + SIGSYS); /* by exec, which came last */
    if (sandbox_landlock_abi() == 0)
        return;
    assert_int_equal(run_with(SANDBOX_FORK | SANDBOX_FILES, stays_inside), 0);
    assert_int_equal(run_with(SANDBOX_FORK | SANDBOX_CONNECT, escapes_by_its_right), 0);
}

/* --- how it is entered --- */

static void *wait_a_little(void *context)
{
    usleep(200 * 1000);
    return context;
}

static bool nothing(void)
{
    return true;
}

static void threads_must_come_later(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* has threads of its own */
#endif
    pid_t child = fork();
    if (child == 0) {
        pthread_t t;
        pthread_create(&t, NULL, wait_a_little, NULL);
        struct sandbox_profile p = {.name = "late"};
        struct err e = ERR_INIT;
        _exit(sandbox_enter(&p, NULL, &e) || e.kind != ERR_INTERNAL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(run_with(0, nothing), 0);
}

static bool is_nobody(void)
{
    return getuid() == 65534 && geteuid() == 65534 && getgid() == 65534;
}

static void root_is_given_up(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    if (geteuid() != 0) {
        assert_true(sandbox_drop_user(0, 0, &e)); /* nothing to give up */
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        struct sandbox_profile p = {.name = "dropped"};
        bool ok = sandbox_drop_user(65534, 65534, &e) && sandbox_enter(&p, NULL, &e) && is_nobody();
        _exit(!ok);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- libraries inside: SQLite in the account's folder --- */

static bool uses_sql(void)
{
    static const struct sql_migration TABLES[] = {{"CREATE TABLE body (id INTEGER PRIMARY KEY, bytes BLOB); "
                                                   "CREATE VIRTUAL TABLE words USING fts5(text);"}};
    static const struct sql_schema SCHEMA = {"test", TABLES, 1};
    static const struct sql_statement INSERT = {"INSERT INTO body (bytes) VALUES (zeroblob(100000))"};
    char path[200];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/mail.db", own_dir);
    struct sql *db = sql_open(path, &SCHEMA, &e);
    bool ok =
        db && sql_begin_write(db, &e) && sql_exec(db, &INSERT, SQL_NONE, NULL, &e) && sql_commit(db, &e);
    if (!ok)
        fprintf(stderr, "%s\n", e.text);
    if (db)
        sql_close(db);
    return ok;
}

static void sqlite_works_inside(void **state)
{
    (void)state;
    assert_int_equal(run_with(SANDBOX_FILES, uses_sql), 0);
    assert_int_equal(run_with(SANDBOX_FILES, uses_sql), 0); /* a database that is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_may_work),
        cmocka_unit_test(local_time_goes_on),
        cmocka_unit_test(what_is_not_allowed_is_refused),
        cmocka_unit_test(what_only_an_intruder_does_kills),
        cmocka_unit_test(sockets_need_their_right),
        cmocka_unit_test(files_are_limited_to_their_folders),
        cmocka_unit_test(a_folder_may_be_for_reading_only),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(an_account_is_narrower_than_its_keeper),
        cmocka_unit_test(nobody_escapes),
        cmocka_unit_test(threads_must_come_later),
        cmocka_unit_test(root_is_given_up),
        cmocka_unit_test(sqlite_works_inside),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
