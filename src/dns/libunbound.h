/* The calls of libunbound that we make (libunbound(3)), in a table that resolver_new fills: base/library.h
 * says why. */
#ifndef DNS_LIBUNBOUND_H
#define DNS_LIBUNBOUND_H
#include "base/err.h"

#include <unbound.h>

#define LIBUNBOUND_CALLS(X) \
    X(cancel)               \
    X(ctx_add_ta)           \
    X(ctx_async)            \
    X(ctx_create)           \
    X(ctx_debugout)         \
    X(ctx_delete)           \
    X(ctx_hosts)            \
    X(ctx_resolvconf)       \
    X(ctx_set_fwd)          \
    X(ctx_set_option)       \
    X(ctx_zone_remove)      \
    X(fd)                   \
    X(process)              \
    X(resolve_async)        \
    X(resolve_free)         \
    X(strerror)

struct libunbound {
#define LIBUNBOUND_CALL(name) __typeof__ (&ub_##name)(name);
    LIBUNBOUND_CALLS(LIBUNBOUND_CALL)
#undef LIBUNBOUND_CALL
};
extern struct libunbound unbound;

bool libunbound_open(struct err *e);

#endif
