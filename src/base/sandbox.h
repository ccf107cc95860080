/* What a process may still do once it reads bytes from outside: no_new_privs, a seccomp allow-list, Landlock,
 * resource limits, no privileges. Works for root (which then drops to a user) and for an ordinary user alike.
 *
 * A system call that is not on the list fails with EPERM; exec, ptrace and loading kernel code kill the
 * process. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H
#include "base/err.h"

#include <sys/types.h>

enum sandbox_right {
    SANDBOX_ACCEPT = 1 << 0,       /* accept4 on listening sockets that it was given */
    SANDBOX_CONNECT = 1 << 1,      /* open and connect IPv4/IPv6 sockets (dns, relay) */
    SANDBOX_FILES = 1 << 2,        /* open, write, lock, remove files; Landlock limits where (SQLite) */
    SANDBOX_CONNECT_UNIX = 1 << 4, /* open and connect unix stream sockets (store) */
    SANDBOX_FORK = 1 << 3, /* fork without exec, wait, signal children, enter a further sandbox (keeper) */
};

#define SANDBOX_DIRS_MAX 4

struct sandbox_profile {
    const char *name;                         /* for messages */
    unsigned rights;                          /* of enum sandbox_right */
    const char *write_dirs[SANDBOX_DIRS_MAX]; /* readable and writable below here; NULL-ended */
    const char *read_dirs[SANDBOX_DIRS_MAX];  /* readable below here */
    size_t memory_max;      /* bytes of address space (RLIMIT_AS); 0: no limit. Ignored under ASan */
    unsigned files_max;     /* RLIMIT_NOFILE; 0: as it is */
    bool landlock_required; /* fail where the kernel lacks Landlock (config sandbox = require) */
};

/* The seccomp program, compiled once and loaded by many forks (keeper). */
struct sandbox_filter;
struct sandbox_filter *sandbox_compile(unsigned rights, struct err *e); /* NULL on failure */
void sandbox_filter_free(struct sandbox_filter *f);

/* Enters; there is no way back. `filter` may be NULL: compiled here. Call with one thread only.
 * Local time goes on working inside: the zone's file is read before. */
bool sandbox_enter(const struct sandbox_profile *p, const struct sandbox_filter *filter, struct err *e);

/* As root: gives up root for uid and gid, and every capability and group. Otherwise nothing. */
bool sandbox_drop_user(uid_t uid, gid_t gid, struct err *e);

/* 0 where the kernel has no Landlock, else its ABI version. */
int sandbox_landlock_abi(void);

/* For the test build and `golub check`: tries to open /etc/passwd, to connect to 127.0.0.1:`port`, to exec
 * /bin/true, and to open `other_path` (NULL: skip). Each in a forked child where forking is allowed, else in
 * this process, exec last. Returns the set of things that worked: 0 means that the kernel refused all. */
enum sandbox_escape {
    SANDBOX_OPENED_FILE = 1,
    SANDBOX_CONNECTED = 2,
    SANDBOX_EXECUTED = 4,
    SANDBOX_OPENED_OTHER = 8,
};
unsigned sandbox_try_escape(uint16_t port, const char *other_path);

#endif
