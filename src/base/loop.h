/* An event loop (epoll, level-triggered) for the processes that hold many quiet descriptors or serve many
 * channels. One thread runs it; loop_post alone may be called from others. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H
#include "base/ipc.h"

struct loop;
struct loop *loop_new(void);
void loop_free(struct loop *l); /* closes nothing that it watches */
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l);

/* --- descriptors --- `events` as epoll's: EPOLLIN, EPOLLOUT. The callback may unwatch any watch, its own
 * too. */
struct loop_watch;
typedef void loop_ready_fn(void *context, uint32_t events);
struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events, loop_ready_fn *ready, void *context);
void loop_watch_change(struct loop_watch *w, uint32_t events);
void loop_unwatch(struct loop_watch *w); /* does not close the descriptor */

/* --- timers --- fires once, `ms` from now. */
struct loop_timer;
typedef void loop_timer_fn(void *context);
struct loop_timer *loop_timer(struct loop *l, int64_t ms, loop_timer_fn *fire, void *context);
void loop_timer_cancel(struct loop_timer *t); /* only before it fired */

/* Called once after each round of events: where requests that came together are committed together. */
void loop_after_round(struct loop *l, void (*fn)(void *context), void *context);

/* From any thread: runs fn(context) in the loop's thread, soon. */
void loop_post(struct loop *l, void (*fn)(void *context), void *context);

/* --- channels --- Owns `channel` and closes it at the end. `frame` gets every frame and may keep what it
 * takes out of it (payload via buf, descriptors via ipc_frame_take_fd); the rest is freed after it returns.
 * `closed` (may be NULL) is called once, when the peer is gone or sent what is no frame; the struct is freed
 * after it. */
struct loop_channel;
typedef void loop_frame_fn(void *context, struct loop_channel *c, struct ipc_frame *f);
typedef void loop_closed_fn(void *context, struct loop_channel *c);
struct loop_channel *loop_channel(struct loop *l, int channel, loop_frame_fn *frame, loop_closed_fn *closed,
                                  void *context);
int loop_channel_fd(const struct loop_channel *c); /* for ipc_send */
void loop_channel_close(struct loop_channel *c);   /* also calls `closed` */
/* The other side waits for an answer to each frame (ipc_call, a pool): behind one there is no other, so none
 * is looked for before the next round. */
void loop_channel_asks(struct loop_channel *c);

/* A number for this channel that is never used again, so that a late answer (from a worker thread) finds the
 * channel or finds it gone. */
uint64_t loop_channel_serial(const struct loop_channel *c);
struct loop_channel *loop_channel_find(struct loop *l, uint64_t serial); /* NULL: gone */

#endif
