#include "base/libpq.h"

#include "base/library.h"

#define NAME(name) "PQ" #name,
static const char *const CALLS[] = {LIBPQ_CALLS(NAME)};

struct libpq pq;

bool libpq_open(struct err *e)
{
    static const struct library LIBPQ = {"libpq.so.5", CALLS, sizeof CALLS / sizeof *CALLS, &pq};
    return library_open(&LIBPQ, e);
}
