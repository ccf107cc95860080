/* Time: a monotonic clock for deadlines, the wall clock for dates. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

int64_t clock_ms(void);      /* monotonic milliseconds */
int64_t clock_wall(void);    /* seconds since 1970 UTC */
int64_t clock_wall_ms(void); /* milliseconds since then */

/* A moment on the monotonic clock by which something must be done. */
struct deadline {
    int64_t at_ms;
};
struct deadline deadline_in(int64_t ms);
int deadline_left_ms(struct deadline d); /* for poll(): 0 when passed, never negative */
bool deadline_passed(struct deadline d);
struct deadline deadline_sooner(struct deadline a, struct deadline b);

#endif
