/* What somebody holds now, and did lately: an address, a network, an account. One table for all processes of
 * a kind: the supervisor makes it before it forks them, so counting takes a lock in shared memory and no
 * message. It outlives each of them; what a process held that died is struck out when it joins again.
 *
 * Fixed in size: the longest quiet is forgotten for the next. Where everything near its place is held, an
 * entry finds no room and is not counted: a limit may then be passed, and nobody is refused for want of
 * memory. */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_HOLDERS_MAX 16 /* CONFIG_WORKERS_MAX */
#define TALLY_RATES       4
#define TALLY_MARKS       2

struct tally;
struct tally *tally_new(void); /* NULL with errno; stays as long as the process and its children */
void tally_free(struct tally *t);

/* A process that counts as `holder` begins, and holds nothing. */
void tally_join(struct tally *t, unsigned holder);

/* Who is counted. Under a secret of the table: nobody can choose whose place he shares. */
uint64_t tally_key(const struct tally *t, unsigned char kind, const void *bytes, size_t n);

/* One more at once, unless all holders have `max` together (0: no limit). Each that was true needs a
 * tally_let_go. */
bool tally_hold(struct tally *t, unsigned holder, uint64_t key, unsigned max, int64_t now_ms);
void tally_let_go(struct tally *t, unsigned holder, uint64_t key);

/* At most `count` in a period, by the leaky bucket as a meter (GCRA of ITU-T I.371): a burst of `count`, and
 * then evenly. count 0: no limit. False: `amount` more would pass it, and nothing was counted. */
struct tally_limit {
    unsigned count, period_s;
};
bool tally_take(struct tally *t, uint64_t key, unsigned rate, unsigned amount, struct tally_limit limit,
                int64_t now_ms);

/* A number that stays as long as the entry: 0 until it is set. The second returns what was there before. */
int64_t tally_mark(struct tally *t, uint64_t key, unsigned which);
int64_t tally_set_mark(struct tally *t, uint64_t key, unsigned which, int64_t value, int64_t now_ms);

/* --- kept --- Rates and marks, but not what is held, for a table of later: after a restart of the server or
 * of the machine, whose monotonic clock begins anew, which is why both want the two clocks.
 *
 * tally_save takes no lock, for what lies in a lock is written by processes that may have been taken over,
 * and who saves is root perhaps: a number may be caught between two values. */
#define TALLY_SAVED_MAX  ((size_t)8 << 20)
#define TALLY_SAVED_HEAD 32 /* bytes that tell of the clocks and the secret; then only counts */
void tally_save(const struct tally *t, struct buf *out, int64_t now_ms, int64_t wall_ms);
/* Into a table that nobody uses yet. False: it is not what tally_save of this release wrote, and nothing has
 * been taken. */
bool tally_restore(struct tally *t, struct str saved, int64_t now_ms, int64_t wall_ms);

#endif
