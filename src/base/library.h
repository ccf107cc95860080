/* A library that one role and some commands need is opened by those. One that is linked is in every process:
 * it and what it wants itself are five mappings each, and waking an account copies all there are (libcurl,
 * libpq and libunbound brought 146 of 268; doc/performance.md). */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H
#include "base/err.h"

struct library {
    const char *name;         /* with the number of its interface: "libpq.so.5" */
    const char *const *calls; /* their names */
    size_t n;
    void *table; /* a struct of as many pointers to functions, in the same order */
};

/* Opens it and fills the table; again: nothing. Before the sandbox, in which no file is opened. Any thread.
 */
bool library_open(const struct library *l, struct err *e);

#endif
