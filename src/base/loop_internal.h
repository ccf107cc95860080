/* Between loop.c and loop_channel.c. */
#ifndef BASE_LOOP_INTERNAL_H
#define BASE_LOOP_INTERNAL_H
#include "base/loop.h"

/* The channels of a loop, found by their serial: a hash table with chains. */
struct loop_channels {
    struct loop_channel **buckets; /* bucket_count is a power of two, or 0 */
    size_t bucket_count, count;
    uint64_t last_serial;
    struct loop_channel *dead; /* closed in this round: callers may still hold them */
    struct ipc_frame frame;    /* empty between two that come, for its memory */
};

struct loop_channels *loop_channels_of(struct loop *l);
void loop_channels_bury(struct loop_channels *all); /* frees the dead */
void loop_channels_free(struct loop_channels *all); /* closes every channel, without calling `closed` */

#endif
