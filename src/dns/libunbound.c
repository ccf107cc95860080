#include "dns/libunbound.h"

#include "base/library.h"

#define NAME(name) "ub_" #name,
static const char *const CALLS[] = {LIBUNBOUND_CALLS(NAME)};

struct libunbound unbound;

bool libunbound_open(struct err *e)
{
    static const struct library LIBUNBOUND = {"libunbound.so.8", CALLS, sizeof CALLS / sizeof *CALLS,
                                              &unbound};
    return library_open(&LIBUNBOUND, e);
}
