/* The system calls that a process may make, by its rights, as tables; libseccomp makes the program. */
#include "base/mem.h"
#include "base/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct sandbox_filter {
    size_t n;
    struct sock_filter program[];
};

/* --- calls allowed whatever their arguments --- */

static const int ALWAYS[] = {
    /* memory; mmap and mprotect are below */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock),
    SCMP_SYS(membarrier), SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    /* descriptors that are already open */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(lseek),
    SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fstat),
    SCMP_SYS(pipe), SCMP_SYS(pipe2),
    /* waiting */
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    /* sockets that are already connected */
    SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    /* threads and signals of this process; clone is below */
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(gettid),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    /* who and when */
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrusage), SCMP_SYS(getrlimit),
    SCMP_SYS(uname), SCMP_SYS(sysinfo)};

static const int FOR_ACCEPT[] = {SCMP_SYS(accept), SCMP_SYS(accept4)};

/* libunbound binds its UDP sockets to random ports. */
static const int FOR_CONNECT[] = {SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(setsockopt)};

/* By path; Landlock says which paths. SQLite's calls, and those of people's ordinary file code. */
static const int FOR_FILES[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(creat),     SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),   SCMP_SYS(rename),     SCMP_SYS(renameat),  SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),    SCMP_SYS(rmdir),     SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(newfstatat), SCMP_SYS(statx),     SCMP_SYS(access),
    SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(readlink),  SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(getcwd),     SCMP_SYS(fsync),     SCMP_SYS(fdatasync),
    SCMP_SYS(flock),      SCMP_SYS(fchmod),     SCMP_SYS(fadvise64), SCMP_SYS(fstatfs),
    SCMP_SYS(statfs),     SCMP_SYS(umask),      SCMP_SYS(link),      SCMP_SYS(linkat)};

/* Children that enter a sandbox of their own; clone is below. */
static const int FOR_FORK[] = {SCMP_SYS(fork),
                               SCMP_SYS(wait4),
                               SCMP_SYS(waitid),
                               SCMP_SYS(kill),
                               SCMP_SYS(pidfd_open),
                               SCMP_SYS(pidfd_send_signal),
                               SCMP_SYS(landlock_create_ruleset),
                               SCMP_SYS(landlock_add_rule),
                               SCMP_SYS(landlock_restrict_self),
                               SCMP_SYS(seccomp),
                               SCMP_SYS(setrlimit),
                               SCMP_SYS(prlimit64),
                               SCMP_SYS(prctl),
                               SCMP_SYS(capset),
                               SCMP_SYS(capget)};

/* What the sanitizers' run times do to see their own process and to report. */
#ifdef GOLUB_SANITIZED
static const int FOR_SANITIZERS[] = {
    SCMP_SYS(readlink), SCMP_SYS(readlinkat),     SCMP_SYS(personality),        SCMP_SYS(tgkill),
    SCMP_SYS(prctl),    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(arch_prctl),
    SCMP_SYS(msync)};
#endif

/* Nothing here does these by mistake: whoever asks has taken the process over. */
static const int KILLED[] = {SCMP_SYS(execve),
                             SCMP_SYS(execveat),
                             SCMP_SYS(ptrace),
                             SCMP_SYS(process_vm_readv),
                             SCMP_SYS(process_vm_writev),
                             SCMP_SYS(kexec_load),
                             SCMP_SYS(kexec_file_load),
                             SCMP_SYS(init_module),
                             SCMP_SYS(finit_module),
                             SCMP_SYS(delete_module),
                             SCMP_SYS(bpf),
                             SCMP_SYS(userfaultfd),
                             SCMP_SYS(perf_event_open),
                             SCMP_SYS(mount),
                             SCMP_SYS(pivot_root),
                             SCMP_SYS(chroot),
                             SCMP_SYS(setns),
                             SCMP_SYS(unshare),
                             SCMP_SYS(add_key),
                             SCMP_SYS(keyctl),
                             SCMP_SYS(request_key),
                             SCMP_SYS(iopl),
                             SCMP_SYS(ioperm),
                             SCMP_SYS(open_by_handle_at),
                             SCMP_SYS(io_uring_setup)};

/* --- calls allowed for some arguments --- */

/* Argument `arg`, and with `and_arg` >= 0 a second one, masked, must have these values. Values of one call
 * are alternatives. */
struct argument_rule {
    unsigned rights; /* needed; 0: always */
    int call;
    unsigned arg;
    uint64_t mask, value;
    unsigned and_arg; /* 0: no second (no rule here asks for the first argument second) */
    uint64_t and_value;
};

#define ANY_BIT UINT32_MAX /* the kernel takes an int: its upper half is not looked at */
#define NO_EXEC PROT_EXEC, 0
#define TYPE_OF 0xf /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define ON(v)   ANY_BIT, (uint32_t)(v)
#define NEW_ROOM                                                                                  \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)
#define NO_TRACE (CLONE_PTRACE | CLONE_VFORK)

static const struct argument_rule BY_ARGUMENT[] = {
    /* No memory that can be run: injected code stays data. Libraries were loaded before. */
    {0, SCMP_SYS(mmap), 2, NO_EXEC},
    {0, SCMP_SYS(mprotect), 2, NO_EXEC},

    /* A thread of ours. clone3 is answered with ENOSYS, so that glibc uses clone, whose flags can be seen. */
    {0, SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM | NO_TRACE | NEW_ROOM, CLONE_THREAD | CLONE_VM},
    {SANDBOX_FORK, SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM | NO_TRACE | NEW_ROOM, 0},

    /* fstat of glibc; the path is empty as long as nobody has taken us over, and it tells no content. */
    {0, SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH},

    {0, SCMP_SYS(fcntl), 1, ON(F_GETFD)},
    {0, SCMP_SYS(fcntl), 1, ON(F_SETFD)},
    {0, SCMP_SYS(fcntl), 1, ON(F_GETFL)},
    {0, SCMP_SYS(fcntl), 1, ON(F_SETFL)},
    {0, SCMP_SYS(fcntl), 1, ON(F_DUPFD_CLOEXEC)},
    {0, SCMP_SYS(fcntl), 1, ON(F_ADD_SEALS)},
    {0, SCMP_SYS(fcntl), 1, ON(F_GET_SEALS)},
    {SANDBOX_FILES, SCMP_SYS(fcntl), 1, ON(F_GETLK)},
    {SANDBOX_FILES, SCMP_SYS(fcntl), 1, ON(F_SETLK)},
    {SANDBOX_FILES, SCMP_SYS(fcntl), 1, ON(F_SETLKW)},
    {0, SCMP_SYS(ioctl), 1, ON(FIONBIO)},
    {0, SCMP_SYS(ioctl), 1, ON(FIONREAD)},
    {0, SCMP_SYS(ioctl), 1, ON(TCGETS)}, /* isatty, which stdio asks */

    /* A datagram pair could send to any datagram socket of the machine. */
    {0, SCMP_SYS(socketpair), 0, ON(AF_UNIX), 1, SOCK_STREAM},
    {0, SCMP_SYS(socketpair), 0, ON(AF_UNIX), 1, SOCK_SEQPACKET},
    {SANDBOX_CONNECT_UNIX, SCMP_SYS(socket), 0, ON(AF_UNIX), 1, SOCK_STREAM},
    {SANDBOX_CONNECT, SCMP_SYS(socket), 0, ON(AF_INET), 1, SOCK_STREAM},
    {SANDBOX_CONNECT, SCMP_SYS(socket), 0, ON(AF_INET), 1, SOCK_DGRAM},
    {SANDBOX_CONNECT, SCMP_SYS(socket), 0, ON(AF_INET6), 1, SOCK_STREAM},
    {SANDBOX_CONNECT, SCMP_SYS(socket), 0, ON(AF_INET6), 1, SOCK_DGRAM},

    {0, SCMP_SYS(prctl), 0, ON(PR_SET_NAME)},
    {0, SCMP_SYS(prctl), 0, ON(PR_GET_NAME)},
    {0, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0}, /* asks only */
};

/* Options that cannot attach a program to a socket: level and name. */
static const int SOCKET_OPTIONS[][2] = {
    {SOL_SOCKET, SO_SNDBUF},     {SOL_SOCKET, SO_RCVBUF},         {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},     {IPPROTO_TCP, TCP_NODELAY},      {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_QUICKACK}, {IPPROTO_TCP, TCP_USER_TIMEOUT}, {SOL_SOCKET, SO_RCVTIMEO},
};

/* --- making the program --- */

/* The first failure is kept: one check at the end. */
static void add(scmp_filter_ctx c, int *failed, uint32_t action, int call, unsigned n,
                const struct scmp_arg_cmp *args)
{
    int r = seccomp_rule_add_array(c, action, call, n, args);
    /* -EDOM: a call that this architecture does not have; -EEXIST: allowed twice, by two rights. */
    if (r < 0 && r != -EDOM && r != -EEXIST && *failed == 0)
        *failed = r;
}

static void add_all(scmp_filter_ctx c, int *failed, uint32_t action, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(c, failed, action, calls[i], 0, NULL);
}

static void add_by_argument(scmp_filter_ctx c, int *failed, unsigned rights)
{
    for (size_t i = 0; i < COUNT(BY_ARGUMENT); i++) {
        const struct argument_rule *r = &BY_ARGUMENT[i];
        if ((r->rights & rights) != r->rights)
            continue;
        struct scmp_arg_cmp args[2] = {
            {.arg = r->arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = r->mask, .datum_b = r->value},
            {.arg = r->and_arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = TYPE_OF, .datum_b = r->and_value},
        };
        add(c, failed, SCMP_ACT_ALLOW, r->call, r->and_arg ? 2 : 1, args);
    }
    for (size_t i = 0; i < COUNT(SOCKET_OPTIONS); i++) {
        struct scmp_arg_cmp args[2] = {
            {.arg = 1,
             .op = SCMP_CMP_MASKED_EQ,
             .datum_a = ANY_BIT,
             .datum_b = (uint32_t)SOCKET_OPTIONS[i][0]},
            {.arg = 2,
             .op = SCMP_CMP_MASKED_EQ,
             .datum_a = ANY_BIT,
             .datum_b = (uint32_t)SOCKET_OPTIONS[i][1]},
        };
        add(c, failed, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, args);
    }
}

static int add_rules(scmp_filter_ctx c, unsigned rights)
{
    int failed = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (failed == 0) /* a tree, not a list of a hundred comparisons */
        failed = seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    add_all(c, &failed, SCMP_ACT_ALLOW, ALWAYS, COUNT(ALWAYS));
    if (rights & SANDBOX_ACCEPT)
        add_all(c, &failed, SCMP_ACT_ALLOW, FOR_ACCEPT, COUNT(FOR_ACCEPT));
    if (rights & SANDBOX_CONNECT)
        add_all(c, &failed, SCMP_ACT_ALLOW, FOR_CONNECT, COUNT(FOR_CONNECT));
    if (rights & SANDBOX_CONNECT_UNIX)
        add(c, &failed, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0, NULL);
    if (rights & SANDBOX_FILES)
        add_all(c, &failed, SCMP_ACT_ALLOW, FOR_FILES, COUNT(FOR_FILES));
    if (rights & SANDBOX_FORK)
        add_all(c, &failed, SCMP_ACT_ALLOW, FOR_FORK, COUNT(FOR_FORK));
#ifdef GOLUB_SANITIZED
    add_all(c, &failed, SCMP_ACT_ALLOW, FOR_SANITIZERS, COUNT(FOR_SANITIZERS));
#endif
    add_by_argument(c, &failed, rights);
    add_all(c, &failed, SCMP_ACT_KILL_PROCESS, KILLED, COUNT(KILLED));
    add(c, &failed, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
    return failed;
}

/* The program that libseccomp made, read back from a memfd: loading it needs no libseccomp. */
static struct sandbox_filter *export_program(scmp_filter_ctx c)
{
    CLEAN_CLOSE int fd = memfd_create("seccomp", MFD_CLOEXEC);
    struct stat st;
    if (fd < 0 || seccomp_export_bpf(c, fd) < 0 || fstat(fd, &st) < 0)
        return NULL;
    size_t bytes = (size_t)st.st_size;
    struct sandbox_filter *f = mem_resize(NULL, sizeof *f + bytes, 1);
    f->n = bytes / sizeof *f->program;
    if (pread(fd, f->program, bytes, 0) != (ssize_t)bytes) {
        free(f);
        return NULL;
    }
    return f;
}

struct sandbox_filter *sandbox_compile(unsigned rights, struct err *e)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed = c ? add_rules(c, rights) : -ENOMEM;
    struct sandbox_filter *f = failed == 0 ? export_program(c) : NULL;
    if (failed != 0)
        err_set(e, ERR_INTERNAL, "sandbox: the seccomp rules: %s", strerror(-failed));
    else if (!f)
        err_set(e, ERR_INTERNAL, "sandbox: making the seccomp program: %s", strerror(errno));
    if (c)
        seccomp_release(c);
    return f;
}

void sandbox_filter_free(struct sandbox_filter *f)
{
    free(f);
}

bool sandbox_filter_load(const struct sandbox_filter *f, const char *name, struct err *e)
{
    struct sock_fprog program = {.len = (unsigned short)f->n,
                                 .filter = (struct sock_filter *)(uintptr_t)f->program};
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (r != 0) /* positive: the thread that could not be brought along */
        return err_set(e, ERR_INTERNAL, "sandbox of %s: seccomp: %s", name,
                       r < 0 ? strerror(errno) : "a thread has another filter");
    return true;
}
