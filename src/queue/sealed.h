/* A message's bytes in a sealed memfd: how they travel between processes. Whoever receives one checks that it
 * is sealed, so that the bytes under a mapping neither change nor vanish. */
#ifndef QUEUE_SEALED_H
#define QUEUE_SEALED_H
#include "base/err.h"

/* Maps `size` bytes of the descriptor for reading. False: not sealed, of another size, or no memory. */
bool sealed_map(int fd, uint64_t size, struct str *bytes, struct err *e);
void sealed_unmap(struct str bytes);

/* A new one: open it, write to it, seal it. -1 or false with *e. */
int sealed_open(const char *name, struct err *e);
bool sealed_write(int fd, struct str bytes, struct err *e);
bool sealed_close_writing(int fd, struct err *e); /* from now on nobody changes it */

#endif
