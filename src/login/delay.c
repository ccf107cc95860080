#include "login/delay.h"

#include "base/mem.h"

#include <pthread.h>

/* An account has WAYS places, and a new one takes that of the oldest: room for tens of thousands, in 256 KiB
 * of which only what is used costs memory. */
#define SETS 4096
#define WAYS 4

struct place {
    int64_t account; /* 0: free */
    int64_t at_ms;
};

struct login_delays {
    pthread_mutex_t mutex;
    struct place places[SETS][WAYS];
};

struct login_delays *login_delays_new(void)
{
    struct login_delays *d = MEM_NEW(struct login_delays);
    pthread_mutex_init(&d->mutex, NULL);
    return d;
}

void login_delays_free(struct login_delays *d)
{
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

/* The account's place, or the one that it may take. */
static struct place *place_of(struct login_delays *d, int64_t account)
{
    struct place *set = d->places[(uint64_t)account % SETS], *found = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].account == account)
            return &set[i];
        if (set[i].account == 0 || (found->account != 0 && set[i].at_ms < found->at_ms))
            found = &set[i];
    }
    return found;
}

unsigned login_delays_enter(struct login_delays *d, int64_t account, int64_t now_ms, unsigned delay_s)
{
    if (delay_s == 0)
        return 0;
    pthread_mutex_lock(&d->mutex);
    struct place *p = place_of(d, account);
    int64_t left_ms = p->account == account ? p->at_ms + (int64_t)delay_s * 1000 - now_ms : 0;
    if (left_ms <= 0)
        *p = (struct place){account, now_ms};
    pthread_mutex_unlock(&d->mutex);
    return left_ms > 0 ? (unsigned)((left_ms + 999) / 1000) : 0;
}
