/* A number that one process raises whenever something that others keep copies of may have changed: who keeps
 * one remembers the number that he read before he asked, and asks again when it is another. In memory that
 * the supervisor makes before it forks them, so reading it costs no message. */
#ifndef BASE_GENERATION_H
#define BASE_GENERATION_H
#include <stdint.h>

struct generation;
struct generation *generation_new(void); /* NULL with errno */
void generation_free(struct generation *g);
/* Both from any thread of any process; NULL never changes. */
void generation_raise(struct generation *g);
uint64_t generation_now(const struct generation *g);

#endif
