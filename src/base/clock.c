#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_ms(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_wall(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000000;
}

int64_t clock_wall_ms(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000;
}

struct deadline deadline_in(int64_t ms)
{
    return (struct deadline){clock_ms() + ms};
}

int deadline_left_ms(struct deadline d)
{
    int64_t left = d.at_ms - clock_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline d)
{
    return clock_ms() >= d.at_ms;
}

struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}
