#include "base/sandbox.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef GOLUB_SANITIZED
/* The leak check stops the process's threads with ptrace, which the sandbox answers with death: it is left
 * out there (the unit tests have it). */
static bool inside;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return inside;
}
#endif

static bool limit(int resource, rlim_t value, const char *what, struct err *e)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
        value = now.rlim_max; /* already tighter: that is no failure */
    if (setrlimit(resource, &(struct rlimit){value, value}) < 0)
        return err_set(e, ERR_INTERNAL, "sandbox: limiting %s: %s", what, strerror(errno));
    return true;
}

static bool set_limits(const struct sandbox_profile *p, struct err *e)
{
#ifdef GOLUB_SANITIZED
    bool limit_memory = false; /* the shadow alone is terabytes of addresses */
#else
    bool limit_memory = p->memory_max > 0;
#endif
    return limit(RLIMIT_CORE, 0, "core dumps", e) && /* they would hold mail and keys */
           (!limit_memory || limit(RLIMIT_AS, p->memory_max, "memory", e)) &&
           (p->files_max == 0 || limit(RLIMIT_NOFILE, p->files_max, "descriptors", e));
}

static bool drop_capabilities(struct err *e)
{
    int had;
    for (unsigned long c = 0; (had = prctl(PR_CAPBSET_READ, c, 0, 0, 0)) >= 0; c++)
        if (had > 0)
            prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* an ordinary user may not, and has none to drop */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capset, &header, none) < 0)
        return err_set(e, ERR_INTERNAL, "sandbox: dropping capabilities: %s", strerror(errno));
    return true;
}

bool sandbox_drop_user(uid_t uid, gid_t gid, struct err *e)
{
    if (geteuid() != 0)
        return true;
    if (uid == 0) { /* stays root, but without capabilities; perhaps gave the groups up before */
        setgroups(0, NULL);
        return true;
    }
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return err_set(e, ERR_PERMANENT, "cannot become user %u, group %u: %s", uid, gid, strerror(errno));
    if (setuid(0) == 0 || setgid(0) == 0)
        return err_set(e, ERR_INTERNAL, "gave up root for user %u, but could have it back", uid);
    return true;
}

/* Landlock and the limits bind the thread that enters; others would stay outside. */
static bool has_one_thread(void)
{
#ifdef __SANITIZE_THREAD__
    return true; /* its run time has a thread of its own */
#else
    struct stat st;
    return stat("/proc/self/task", &st) < 0 || st.st_nlink <= 3; /* ".", "..", and a folder a thread */
#endif
}

bool sandbox_enter(const struct sandbox_profile *p, const struct sandbox_filter *filter, struct err *e)
{
    /* With a filter of before this is the fork of who made that, and that one has done both. */
    if (!filter && !has_one_thread())
        return err_set(e, ERR_INTERNAL, "sandbox of %s: entered after threads were started", p->name);
    if (!filter)
        tzset(); /* reads the time zone's file while it can: headers carry local time */
    struct sandbox_filter *own = filter ? NULL : sandbox_compile(p->rights, e);
    if (!filter && !own)
        return false;
    bool ok = true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        ok = err_set(e, ERR_INTERNAL, "sandbox of %s: prctl: %s", p->name, strerror(errno));
    ok = ok && set_limits(p, e) && sandbox_landlock_enter(p, e) && drop_capabilities(e) &&
         sandbox_filter_load(filter ? filter : own, p->name, e);
    sandbox_filter_free(own);
#ifdef GOLUB_SANITIZED
    inside = ok;
#endif
    return ok;
}

/* --- trying to get out --- */

static bool can_open(const char *path)
{
    CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

/* Refused by the peer counts as connected: the kernel had let us out. */
static bool can_connect(uint16_t port)
{
    CLEAN_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == ECONNREFUSED);
}

static void try_exec(void)
{
    execve("/bin/true", (char *[]){(char[]){"true"}, NULL}, (char *[]){NULL});
}

/* Runs one attempt; the child's exit status 0 says that it worked. */
static bool worked_in_child(enum sandbox_escape what, uint16_t port, const char *other_path)
{
    pid_t child = fork();
    if (child == 0) {
        bool worked = false;
        switch (what) {
        case SANDBOX_OPENED_FILE: worked = can_open("/etc/passwd"); break;
        case SANDBOX_CONNECTED: worked = can_connect(port); break;
        case SANDBOX_OPENED_OTHER: worked = can_open(other_path); break;
        case SANDBOX_EXECUTED: try_exec(); break;
        }
        _exit(worked ? 0 : 1);
    }
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool may_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 && waitpid(child, NULL, 0) == child;
}

unsigned sandbox_try_escape(uint16_t port, const char *other_path)
{
    unsigned worked = 0;
    if (may_fork()) {
        static const enum sandbox_escape ALL[] = {SANDBOX_OPENED_FILE, SANDBOX_CONNECTED, SANDBOX_EXECUTED,
                                                  SANDBOX_OPENED_OTHER};
        for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
            if ((ALL[i] != SANDBOX_OPENED_OTHER || other_path) && worked_in_child(ALL[i], port, other_path))
                worked |= ALL[i];
        return worked;
    }
    if (can_open("/etc/passwd"))
        worked |= SANDBOX_OPENED_FILE;
    if (can_connect(port))
        worked |= SANDBOX_CONNECTED;
    if (other_path && can_open(other_path))
        worked |= SANDBOX_OPENED_OTHER;
    LOG_INFO("sandbox.executing", F_INT("worked", worked)); /* the last line, if the kernel kills us */
    try_exec();
    return worked;
}
