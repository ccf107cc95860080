/* A folder of its own for a test, removed with everything in it at the end. */
#ifndef TEST_UNIT_FOLDER_H
#define TEST_UNIT_FOLDER_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

struct folder {
    char path[100];
};

static inline void folder_make(struct folder *f)
{
    const char *base = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/golub-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(f->path))
        abort();
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void folder_remove(const struct folder *f)
{
    if (nftw(f->path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
}
#endif
