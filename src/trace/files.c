#include "trace/files.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX      ".trace"
#define NOTE_SUFFIX ".note"

char *trace_folder(struct str data)
{
    char *path;
    if (asprintf(&path, "%.*s/trace", STR_ARGS(data)) < 0)
        abort(); /* out of memory */
    return path;
}

const char *trace_file_path(const char *folder, int64_t start, struct arena *a)
{
    return arena_printf(a, "%s/%013" PRId64 SUFFIX, folder, start).p;
}

const char *trace_note_path(const char *folder, int64_t start, struct arena *a)
{
    return arena_printf(a, "%s/%013" PRId64 NOTE_SUFFIX, folder, start).p;
}

static bool read_name(const char *name, struct str suffix, int64_t *start)
{
    struct str s = str_from_c(name);
    uint64_t n;
    if (!str_ends(s, suffix) || !str_to_u64(str_slice(s, 0, s.n - suffix.n), &n) || n > INT64_MAX)
        return false;
    *start = (int64_t)n;
    return true;
}

void trace_files_add(struct trace_files *f, struct trace_file one)
{
    if (f->n == f->room) {
        f->room = f->room ? f->room * 2 : 16;
        f->v = mem_resize(f->v, f->room, sizeof *f->v);
    }
    f->v[f->n++] = one;
}

void trace_files_free(struct trace_files *f)
{
    free(f->v);
    *f = (struct trace_files){0};
}

static int compare(const void *left, const void *right)
{
    int64_t a = ((const struct trace_file *)left)->start, b = ((const struct trace_file *)right)->start;
    return a < b ? -1 : a > b;
}

static void clean_close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static bool list(const char *folder, struct str suffix, struct trace_files *out, struct err *e)
{
    __attribute__((cleanup(clean_close_dir))) DIR *dir = opendir(folder);
    *out = (struct trace_files){0};
    if (!dir)
        return errno == ENOENT ||
               err_set(e, ERR_TEMPORARY, "reading the folder %s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct trace_file one;
        struct stat st;
        if (!read_name(entry->d_name, suffix, &one.start) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        one.size = (uint64_t)st.st_size;
        trace_files_add(out, one);
    }
    if (out->n > 1)
        qsort(out->v, out->n, sizeof *out->v, compare);
    return true;
}

bool trace_files_list(const char *folder, struct trace_files *out, struct err *e)
{
    return list(folder, STR(SUFFIX), out, e);
}

bool trace_notes_list(const char *folder, struct trace_files *out, struct err *e)
{
    return list(folder, STR(NOTE_SUFFIX), out, e);
}
