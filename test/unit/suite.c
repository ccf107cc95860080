#include "suite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *full_path(const char *path, struct arena *a)
{
    const char *root = getenv("GOLUB_SUITES");
    if (!root) {
        fprintf(stderr, "GOLUB_SUITES is not set: it names the folder of the public test suites "
                        "(run the tests by `meson test` or `./dev test`)\n");
        exit(1);
    }
    return arena_printf(a, "%s/%s", root, path).p;
}

struct str suite_read(const char *path, struct arena *a)
{
    const char *name = full_path(path, a);
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr,
                "%s cannot be read; the public test suites must lie in shared/suites beside the project\n",
                name);
        exit(1);
    }
    long size = ftell(file);
    rewind(file);
    char *bytes = arena_new(a, (size_t)size + 1, 1);
    size_t n = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    return str_from(bytes, n);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct suite_names suite_list(const char *folder, const char *suffix, struct arena *a)
{
    const char *name = full_path(folder, a);
    DIR *dir = opendir(name);
    if (!dir) {
        fprintf(stderr,
                "%s is missing; the public test suites must lie in shared/suites beside the project\n", name);
        exit(1);
    }
    struct suite_names names = {ARENA_ARRAY(a, const char *, 1000), 0};
    for (struct dirent *e; (e = readdir(dir)) && names.n < 1000;)
        if (str_ends(str_from_c(e->d_name), str_from_c(suffix)))
            names.v[names.n++] = arena_copy_c(a, str_from_c(e->d_name));
    closedir(dir);
    qsort(names.v, names.n, sizeof *names.v, compare_names);
    return names;
}

static struct str with_line_ends(struct str s, bool crlf, struct arena *a)
{
    char *to = arena_new(a, s.n * 2 + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            continue;
        if (s.p[i] == '\n' && crlf)
            to[n++] = '\r';
        to[n++] = s.p[i];
    }
    return str_from(to, n);
}

struct str suite_with_lf(struct str s, struct arena *a)
{
    return with_line_ends(s, false, a);
}

struct str suite_with_crlf(struct str s, struct arena *a)
{
    return with_line_ends(s, true, a);
}

const char *suite_reason(const struct suite_difference *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].reason;
    return NULL;
}
