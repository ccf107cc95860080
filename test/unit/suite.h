/* Test data that others wrote: files under the folder that the environment variable GOLUB_SUITES names. */
#ifndef TEST_UNIT_SUITE_H
#define TEST_UNIT_SUITE_H
#include "base/arena.h"

/* A file of the suites, in `a`. A missing one ends the test program with clear words: a suite that is not
 * there must not look like one that passed. */
struct str suite_read(const char *path, struct arena *a);

/* The names in a folder that end in `suffix`, sorted. */
struct suite_names {
    const char **v;
    size_t n;
};
struct suite_names suite_list(const char *folder, const char *suffix, struct arena *a);

/* With bare LF, and with CRLF, at the end of every line. */
struct str suite_with_lf(struct str s, struct arena *a);
struct str suite_with_crlf(struct str s, struct arena *a);

/* Where golub reads a case otherwise than the suite, and why. */
struct suite_difference {
    const char *name, *reason;
};
const char *suite_reason(const struct suite_difference *table, size_t n, const char *name); /* NULL: none */

#endif
