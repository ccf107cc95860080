#include "supervisor/places.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAILDROP_MODE 01733
#define RUN_MODE      0755

static bool failed(const char *what, const char *path, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "%s %s: %s", what, path, strerror(errno));
}

/* What is there stays as it is. */
static bool make_run(struct str socket, struct err *e)
{
    size_t slash = str_rfind_byte(socket, '/');
    if (socket.n == 0 || slash == STR_NONE || slash == 0)
        return true;
    CLEAN_FREE char *folder = mem_copy_c(socket.p, slash);
    if (mkdir(folder, RUN_MODE) == 0)
        return chmod(folder, RUN_MODE) == 0 || failed("opening to all the folder", folder, e); /* umask */
    return errno == EEXIST || failed("making the folder", folder, e);
}

static bool make_maildrop(struct str path, uid_t uid, gid_t gid, struct err *e)
{
    CLEAN_FREE char *folder = mem_copy_c(path.p, path.n);
    struct stat st;
    bool is_root = geteuid() == 0;
    if (mkdir(folder, 0700) == 0) {
        if (is_root && lchown(folder, uid, gid) != 0)
            return failed("giving away the folder", folder, e);
        return chmod(folder, MAILDROP_MODE) == 0 || failed("opening to all the folder", folder, e);
    }
    if (errno != EEXIST || lstat(folder, &st) != 0)
        return failed("making the folder", folder, e);
    uid_t ours = is_root ? uid : geteuid();
    if (!S_ISDIR(st.st_mode) || (st.st_uid != ours && st.st_uid != 0))
        return err_set(e, ERR_PERMANENT, "%s is not a folder of the server's own user", folder);
    return true;
}

bool places_make(const struct config *c, uid_t uid, gid_t gid, struct err *e)
{
    return make_run(c->submission_socket, e) && make_maildrop(c->maildrop, uid, gid, e);
}
