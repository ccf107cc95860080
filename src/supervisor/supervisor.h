/* `golub serve`: reads the config, binds the ports, starts every role with just the descriptors that it
 * needs, restarts a role that dies, and does nothing else. It never reads a byte from the network. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H
#include "role/role.h"

typedef int role_main_fn(struct role *r);

/* `mains` holds each role's entry, by enum role_kind; NULL where there is none. Runs until SIGTERM or SIGINT;
 * SIGHUP reads the config and the certificate again. Returns the exit code: 0 after a clean stop, 1 when it
 * could not start. */
int supervisor_main(const char *config_path, role_main_fn *const mains[ROLE_COUNT]);

#endif
