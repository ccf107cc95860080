/* How an answer came about, in plain words, a line a step: what `golub route` shows. The places that decide
 * write it while they decide; in the server nobody asks, and the trail is NULL. */
#ifndef DIRECTORY_TRAIL_H
#define DIRECTORY_TRAIL_H
#include "base/arena.h"

struct directory_trail {
    struct arena *arena; /* of the lines */
    struct str *lines;   /* indented by how deep the step is */
    size_t count;
    unsigned depth;
};

/* Nothing happens where `t` is NULL. */
void directory_trail_add(struct directory_trail *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void directory_trail_down(struct directory_trail *t);
void directory_trail_up(struct directory_trail *t);

#endif
