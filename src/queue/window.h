/* How many jobs a destination gets at once: as many as it bears, which only it can tell. As Postfix's qmgr
 * does it: begin with a few; one more for every full window that went well; fewer for each that did not; and
 * when as many have failed in a row as would be under way, leave it alone for a while. Then one job asks
 * whether it is back. Pure; times are seconds since 1970. */
#ifndef QUEUE_WINDOW_H
#define QUEUE_WINDOW_H
#include "queue/queue.h"

struct window_bounds {
    unsigned initial, most; /* jobs at once, at least 1 */
    int64_t pause_s,
        pause_most; /* the first pause, which doubles with each that was in vain, up to the most */
};

struct window {        /* zeroed memory is a destination that nobody has spoken with */
    unsigned limit;    /* 0: initial */
    unsigned good;     /* since the limit last changed */
    unsigned failures; /* in a row */
    unsigned pauses;   /* in a row */
    int64_t until;     /* left alone until then; 0: not. Beyond it, one job may ask */
};

/* How many may be under way now. */
unsigned window_limit(const struct window *w, const struct window_bounds *b, int64_t now);
static inline bool window_is_open(const struct window *w)
{
    return w->until == 0;
}
/* A job has ended so, at `now`. `random` spreads the pauses. */
void window_note(struct window *w, const struct window_bounds *b, enum queue_contact contact, int64_t now,
                 uint32_t random);

#endif
