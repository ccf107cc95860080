/* golub address import: a file like /etc/aliases. */
#include "base/mem.h"
#include "command/parts.h"
#include "directory/aliases_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)16 << 20) /* some hundred thousand aliases */

struct import {
    struct directory_db *db;
    const char *path;
    struct str domain; /* behind names without one */
    struct arena *a;
};

static bool read_file(const char *path, struct buf *out, struct err *e)
{
    CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char block[4096];
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
        buf_add(out, str_from(block, (size_t)n));
    if (n < 0)
        return err_set(e, ERR_PERMANENT, "%s: %s", path, strerror(errno));
    return !out->overflow || err_set(e, ERR_PERMANENT, "%s is larger than %zu bytes", path, FILE_BYTES_MAX);
}

static struct str whole(const struct import *in, struct str name)
{
    const char *typed = str_find_byte(name, '@') == STR_NONE
                            ? arena_printf(in->a, "%.*s@%.*s", STR_ARGS(name), STR_ARGS(in->domain)).p
                            : arena_printf(in->a, "%.*s", STR_ARGS(name)).p;
    return command_address(typed, in->a);
}

/* Its targets become those of the file, whatever they were. */
static bool import_entry(struct import *in, const struct aliases_entry *x, struct err *e)
{
    struct err is_new = ERR_INIT;
    struct str *targets = ARENA_ARRAY(in->a, struct str, x->count + 1);
    if (x->name.n == 0 || x->count == 0)
        return err_set(e, ERR_PERMANENT, "a line is NAME: TARGET, TARGET ...");
    for (size_t i = 0; i < x->count; i++) {
        const char *kind = aliases_other_kind(x->targets[i]);
        if (kind)
            return err_set(e, ERR_PERMANENT, "mail is not given to %s here (%.*s)", kind,
                           STR_ARGS(x->targets[i]));
        targets[i] = whole(in, x->targets[i]);
    }
    struct str address = whole(in, x->name);
    directory_alias_remove(in->db, address, NULL, 0, &is_new);
    return directory_alias_add(in->db, address, targets, x->count, e);
}

/* What is asked for, else where this machine's users are, if that is ours, else our first domain. */
static bool choose_domain(struct import *in, struct str origin, const char *wanted, struct err *e)
{
    struct directory_domain *v;
    size_t n;
    if (!directory_domain_list(in->db, in->a, &v, &n, e))
        return false;
    if (n == 0)
        return err_set(e, ERR_PERMANENT, "there is no domain yet: golub domain add");
    in->domain = wanted ? str_from_c(wanted) : v[0].name;
    for (size_t i = 0; i < n && !wanted; i++)
        if (str_eq_nocase(v[i].name, origin))
            in->domain = v[i].name;
    return true;
}

static size_t read_all(struct str text, struct arena *a, struct aliases_entry **v)
{
    struct aliases_reader r = ALIASES_READER(text);
    struct aliases_entry x;
    size_t n = 0, room = 0;
    while (aliases_next(&r, a, &x)) {
        if (n == room) {
            room = room ? 2 * room : 64;
            struct aliases_entry *more = ARENA_ARRAY(a, struct aliases_entry, room);
            if (n > 0)
                memcpy(more, *v, n * sizeof x);
            *v = more;
        }
        (*v)[n++] = x;
    }
    return n;
}

/* "postmaster: root" may stand before "root: ana", which must be there before it: those that fail are tried
 * again as long as something works. Returns how many are left out. */
static size_t import_all(struct import *in, struct aliases_entry *v, size_t n)
{
    size_t left = n, before;
    do {
        size_t failed = 0;
        for (size_t i = 0; i < left; i++) {
            struct err e = ERR_INIT;
            if (!import_entry(in, &v[i], &e))
                v[failed++] = v[i];
        }
        before = left;
        left = failed;
    } while (left > 0 && left < before);
    for (size_t i = 0; i < left; i++) {
        struct err e = ERR_INIT;
        import_entry(in, &v[i], &e);
        fprintf(stderr, "golub: %s:%u: %.*s is left out: %s\n", in->path, v[i].line, STR_ARGS(v[i].name),
                e.text);
    }
    return left;
}

int run_address_import(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    CLEAN_BUF struct buf text;
    struct err e = ERR_INIT;
    bool bad = false;
    const char *domain = command_take_value(r, "--domain", &bad);
    buf_init(&text, FILE_BYTES_MAX);
    if (bad)
        return command_misuse(r, "a value is missing");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct import in = {.path = r->argv[0], .a = &a};
    if (!read_file(in.path, &text, &e) || !(in.db = db = command_open_directory(r, &e)) ||
        !choose_domain(&in, r->config->origin, domain, &e))
        return command_fail(&e);
    struct aliases_entry *v = NULL;
    size_t n = read_all(buf_str(&text), &a, &v), left_out = import_all(&in, v, n);
    printf("%zu addresses at %.*s are as in %s\n", n - left_out, STR_ARGS(in.domain), in.path);
    return left_out > 0 ? COMMAND_FAILED : COMMAND_DONE;
}
