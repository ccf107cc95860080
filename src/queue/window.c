#include "queue/window.h"

#define DOUBLINGS_MAX  20
#define JITTER_DIVISOR 8

static unsigned initial(const struct window_bounds *b)
{
    return b->initial < b->most ? b->initial : b->most;
}

unsigned window_limit(const struct window *w, const struct window_bounds *b, int64_t now)
{
    if (!window_is_open(w))
        return now >= w->until ? 1 : 0;
    unsigned limit = w->limit > 0 ? w->limit : initial(b);
    return limit < b->most ? limit : b->most; /* the bounds may be others than they were */
}

static void note_good(struct window *w, const struct window_bounds *b)
{
    if (!window_is_open(w)) {
        *w = (struct window){0}; /* it is back */
        return;
    }
    w->limit = w->limit > 0 ? w->limit : initial(b);
    w->failures = w->pauses = 0;
    if (++w->good < w->limit)
        return;
    w->good = 0;
    if (w->limit < b->most)
        w->limit++;
}

static void begin_pause(struct window *w, const struct window_bounds *b, int64_t now, uint32_t random)
{
    int64_t s = b->pause_s << (w->pauses < DOUBLINGS_MAX ? w->pauses : DOUBLINGS_MAX);
    s = s < b->pause_most ? s : b->pause_most;
    w->pauses++;
    w->until = now + s + random % (s / JITTER_DIVISOR + 1);
    w->limit = 1;
    w->good = w->failures = 0;
}

static void note_failure(struct window *w, const struct window_bounds *b, bool is_busy, int64_t now,
                         uint32_t random)
{
    if (!window_is_open(w)) {
        if (now >= w->until) /* else it was under way when others had failed already */
            begin_pause(w, b, now, random);
        return;
    }
    w->limit = w->limit > 0 ? w->limit : initial(b);
    w->limit = is_busy ? w->limit - 1 : w->limit / 2;
    w->limit = w->limit > 0 ? w->limit : 1;
    w->good = 0;
    if (++w->failures > w->limit)
        begin_pause(w, b, now, random);
}

void window_note(struct window *w, const struct window_bounds *b, enum queue_contact contact, int64_t now,
                 uint32_t random)
{
    switch (contact) {
    case QUEUE_CONTACT_NONE: break;
    case QUEUE_CONTACT_GOOD: note_good(w, b); break;
    case QUEUE_CONTACT_BUSY:
    case QUEUE_CONTACT_UNREACHABLE: note_failure(w, b, contact == QUEUE_CONTACT_BUSY, now, random); break;
    }
}
