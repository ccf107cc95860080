/* libunbound, set up from the config: which server to ask, which DNSSEC keys to trust, how much to remember.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H
#include "config/config.h"

struct ub_ctx;

/* Reads every file that it will ever need, so that the sandbox may close behind it. The caller deletes it
 * with ub_ctx_delete. NULL: *e says what is wrong. */
struct ub_ctx *resolver_new(const struct config *c, struct err *e);

#endif
