/* Landlock: what a process may reach by path, by TCP port and by signal. Debian 12's header knows the first
 * two of the kernel's ABI versions only, so the wire form is written down here. */
#include "base/mem.h"
#include "base/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset_attr { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
    uint64_t scoped;             /* ABI 6 */
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));
struct net_port_attr {
    uint64_t allowed_access;
    uint64_t port;
};

#define CREATE_RULESET_VERSION (1u << 0)
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT          2

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,    /* ABI 2: move between directories */
    FS_TRUNCATE = 1 << 14, /* ABI 3 */
};
#define FS_ALL_OF_ABI_1 ((UINT64_C(1) << 13) - 1)
#define FS_ALL_OF_ABI_2 ((UINT64_C(1) << 14) - 1)
#define FS_ALL_OF_ABI_3 ((UINT64_C(1) << 15) - 1)
#define FS_ALL_OF_ABI_5 ((UINT64_C(1) << 16) - 1) /* and ioctl on devices */

#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL               (UINT64_C(1) << 1)

/* What may be done to a file, as against to what lies in a directory. */
#define FS_OF_FILES ((uint64_t)(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE))
#define FS_READ     ((uint64_t)(FS_READ_FILE | FS_READ_DIR))
#define FS_WRITE                                                                                       \
    (FS_READ | (uint64_t)(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | \
                          FS_REFER | FS_TRUNCATE))

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static uint64_t handled_fs(int abi)
{
    return abi >= 5   ? FS_ALL_OF_ABI_5
           : abi >= 3 ? FS_ALL_OF_ABI_3
           : abi >= 2 ? FS_ALL_OF_ABI_2
                      : FS_ALL_OF_ABI_1;
}

static bool allow_below(int ruleset, const char *path, uint64_t access, struct err *e)
{
    CLEAN_CLOSE int dir = open(path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (dir < 0 || fstat(dir, &st) < 0)
        return err_set(e, ERR_PERMANENT, "sandbox: cannot open %s: %s", path, strerror(errno));
    struct path_beneath_attr rule = {access, dir};
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= FS_OF_FILES; /* the kernel refuses the others for a file */
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_set(e, ERR_INTERNAL, "sandbox: a Landlock rule for %s: %s", path, strerror(errno));
    return true;
}

static bool allow_dirs(int ruleset, const char *const dirs[SANDBOX_DIRS_MAX], uint64_t access, struct err *e)
{
    for (size_t i = 0; i < SANDBOX_DIRS_MAX && dirs[i]; i++)
        if (!allow_below(ruleset, dirs[i], access, e))
            return false;
    return true;
}

/* Whoever may connect may say from which address: bound to no port of its own choice, and never listening,
 * for which there is no system call on the list. */
static bool allow_any_port(int ruleset, struct err *e)
{
    struct net_port_attr rule = {NET_BIND_TCP, 0};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0 ||
           err_set(e, ERR_INTERNAL, "sandbox: a Landlock rule for source addresses: %s", strerror(errno));
}

bool sandbox_landlock_enter(const struct sandbox_profile *p, struct err *e)
{
    int abi = sandbox_landlock_abi();
    if (abi == 0) {
        if (p->landlock_required)
            return err_set(e, ERR_PERMANENT, "sandbox of %s: this kernel has no Landlock", p->name);
        return true; /* seccomp alone; the supervisor has said so */
    }
    struct ruleset_attr attr = {.handled_access_fs = handled_fs(abi)};
    if (abi >= 4) /* who connects needs no port of its own choice either */
        attr.handled_access_net = NET_BIND_TCP | (p->rights & SANDBOX_CONNECT ? 0 : NET_CONNECT_TCP);
    if (abi >= 6)
        attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    /* An older kernel takes the longer struct as long as what it does not know is zero. */
    CLEAN_CLOSE int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return err_set(e, ERR_INTERNAL, "sandbox of %s: Landlock ruleset: %s", p->name, strerror(errno));
    if (!allow_dirs(ruleset, p->read_dirs, FS_READ & attr.handled_access_fs, e) ||
        !allow_dirs(ruleset, p->write_dirs, FS_WRITE & attr.handled_access_fs, e))
        return false;
    if (abi >= 4 && (p->rights & SANDBOX_CONNECT) && !allow_any_port(ruleset, e))
        return false;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_set(e, ERR_INTERNAL, "sandbox of %s: Landlock: %s", p->name, strerror(errno));
    return true;
}
