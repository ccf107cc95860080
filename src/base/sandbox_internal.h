/* Between sandbox.c, sandbox_filter.c and sandbox_landlock.c. */
#ifndef BASE_SANDBOX_INTERNAL_H
#define BASE_SANDBOX_INTERNAL_H
#include "base/sandbox.h"

/* Loads the seccomp program into every thread. no_new_privs must be set. */
bool sandbox_filter_load(const struct sandbox_filter *f, const char *name, struct err *e);

/* Closes the file system but for the profile's directories, TCP ports but for what its rights say, and
 * signals to and abstract sockets of processes outside. Does as much as the kernel knows. */
bool sandbox_landlock_enter(const struct sandbox_profile *p, struct err *e);

#endif
