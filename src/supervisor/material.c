#include "supervisor/material.h"

#include "base/mem.h"
#include "base/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define PEM_MAX ((size_t)256 * 1024) /* a chain of twenty certificates is 40 KiB */

static int read_pem(struct str path, const char *what, struct err *e)
{
    CLEAN_FREE char *name = mem_copy_c(path.p, path.n);
    CLEAN_CLOSE int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (file < 0 || fstat(file, &st) < 0) {
        err_set(e, ERR_PERMANENT, "[tls] %s: %s: %s", what, name, strerror(errno));
        return -1;
    }
    size_t room = (uint64_t)st.st_size > PEM_MAX ? PEM_MAX : (size_t)st.st_size;
    CLEAN_FREE char *bytes = mem_new(room + 1, 1);
    ssize_t n = read(file, bytes, room);
    int fd = -1;
    if (n <= 0 || !memmem(bytes, (size_t)n, "-----BEGIN ", 11))
        err_set(e, ERR_PERMANENT, "[tls] %s: %s is no PEM file", what, name);
    else if ((fd = sealed_from(what, str_from(bytes, (size_t)n), e)) < 0)
        err_prefix(e, "[tls] %s", what);
    mem_wipe(bytes, room);
    return fd;
}

bool material_read(struct material *m, const struct config *c, struct err *e)
{
    static const unsigned char NONE[TICKET_KEY_BYTES];
    int certificate = read_pem(c->tls_certificate, "certificate", e);
    if (certificate < 0)
        return false;
    int key = read_pem(c->tls_key, "key", e);
    if (key < 0) {
        close(certificate);
        return false;
    }
    mem_clean_close(&m->certificate);
    mem_clean_close(&m->key);
    m->certificate = certificate;
    m->key = key;
    if (memcmp(m->ticket_key, NONE, sizeof NONE) == 0 &&
        getrandom(m->ticket_key, sizeof m->ticket_key, 0) != (ssize_t)sizeof m->ticket_key)
        return err_set(e, ERR_TEMPORARY, "the kernel gave no random bytes: %s", strerror(errno));
    return true;
}
