/* The order in which roles start and stop. */
#ifndef SUPERVISOR_ORDER_H
#define SUPERVISOR_ORDER_H
#include "config/config.h"
#include "role/role.h"

/* First who takes and makes work stops, then the accounts, which their last deliveries still needed, then who
 * served all of them, and then who kept what all of them wrote and said. */
enum stop_step { STOP_FIRST, STOP_ACCOUNTS, STOP_LAST, STOP_STORE, STOP_STEPS };

enum stop_step order_stops(enum role_kind kind);

/* The role that starts as number `at`, and how many processes it has with this config (0: there is nothing
 * for it to do); false after the last. */
bool order_starts(size_t at, const struct config *c, enum role_kind *kind, unsigned *processes);

#endif
