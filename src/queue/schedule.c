#include "queue/schedule.h"

#include "config/config.h"

#define JITTER_DIVISOR 8
#define DOUBLINGS_MAX  32 /* first_s << 32 is still far from overflow, and over any `most` */

struct schedule schedule_of(const struct config *c)
{
    return (struct schedule){
        .first_s = c->queue_retry_first_s > 0 ? c->queue_retry_first_s : 1,
        .most_s = c->queue_retry_most_s,
        .lifetime_s = c->queue_lifetime_s,
        .warn_s = c->queue_delay_warn_s,
    };
}

static int64_t pause_after(const struct schedule *s, unsigned attempts)
{
    unsigned doublings = attempts > 0 ? attempts - 1 : 0;
    if (doublings > DOUBLINGS_MAX)
        doublings = DOUBLINGS_MAX;
    int64_t pause = s->first_s << doublings;
    int64_t most = s->most_s > s->first_s ? s->most_s : s->first_s;
    return pause < most ? pause : most;
}

int64_t schedule_next(const struct schedule *s, int64_t arrived, unsigned attempts, int64_t now,
                      uint32_t random)
{
    int64_t pause = pause_after(s, attempts);
    int64_t next = now + pause + random % (pause / JITTER_DIVISOR + 1);
    int64_t end = arrived + s->lifetime_s;
    return next > end && end > now ? end : next;
}

bool schedule_is_over(const struct schedule *s, int64_t arrived, int64_t now)
{
    return now - arrived >= s->lifetime_s;
}

bool schedule_is_late(const struct schedule *s, int64_t arrived, int64_t now)
{
    return s->warn_s > 0 && now - arrived >= s->warn_s;
}
