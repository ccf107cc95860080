/* Bytes in a sealed memfd: how a message, and whatever else is long, travels between processes. Whoever
 * receives one checks the seals before it trusts a byte: a memfd that shrank under a mapping would kill its
 * reader (SIGBUS), one that changed would hold other bytes than were checked. */
#ifndef BASE_SEALED_H
#define BASE_SEALED_H
#include "base/err.h"

/* What smtp accepts is bounded by the config (50 MiB unless changed, 2 GiB at most); this bounds what a role
 * that was taken over could make another one map. */
#define SEALED_BYTES_MAX ((uint64_t)2 << 30)

/* A new one: open it, write to it, seal it. -1 or false with *e. */
int sealed_open(const char *name, struct err *e);
bool sealed_write(int fd, struct str bytes, struct err *e);
bool sealed_close_writing(int fd, struct err *e); /* from now on nobody changes it */

/* The three in one, for what stands in memory already. -1 with *e. */
int sealed_from(const char *name, struct str bytes, struct err *e);

/* All bytes of a descriptor that is said to hold `size`. False: it is not sealed against writing, shrinking
 * and growing, is of another size, too large, or there is no memory. They stay until sealed_release. */
bool sealed_read(int fd, uint64_t size, struct str *bytes, struct err *e);
void sealed_release(struct str bytes);

#endif
