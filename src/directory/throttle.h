/* Who has failed too often waits. Failures are counted by client address (IPv6: by /64, which is what one
 * customer gets), so a guesser waits and the real user elsewhere gets in. A client on this machine, such as
 * webmail that logs everybody in from 127.0.0.1, is counted by address and user.
 *
 * A failure beyond the allowance makes the next attempt wait, twice as long each time. Nothing but time
 * clears a penalty: not a success, for a guesser may own an account too. The same wrong password for the same
 * user again is not counted again: that is a forgotten telephone, not somebody guessing, and it must not lock
 * out the office it stands in.
 *
 * Times are milliseconds of any monotonic clock. For one thread. */
#ifndef DIRECTORY_THROTTLE_H
#define DIRECTORY_THROTTLE_H
#include "base/str.h"

#define THROTTLE_FIRST_MS    2000             /* the first wait: a person hardly notices */
#define THROTTLE_MOST_MS     (15 * 60 * 1000) /* the longest: fewer than 200 guesses a day */
#define THROTTLE_FORGET_MS   (10 * 60 * 1000) /* one failure is forgotten in this time without another */
/* Attempts of one client being checked at once: bounds a volley of guesses sent before the first has failed.
 * An office that opens in the morning stays under it. */
#define THROTTLE_AT_ONCE     32
/* Clients remembered, in less than 10 MiB; then the longest quiet is forgotten. */
#define THROTTLE_CLIENTS_MAX 65536
#define THROTTLE_KEY_BYTES   16

struct throttle;
struct throttle *throttle_new(void);
void throttle_free(struct throttle *t);

/* Who is counted. `peer` is a numeric address; `user` as typed. */
void throttle_key(const struct throttle *t, const char *peer, struct str user,
                  unsigned char key[THROTTLE_KEY_BYTES]);

/* Before an attempt: 0 and it is under way until throttle_leave, or the seconds that it has to wait. */
unsigned throttle_enter(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], int64_t now_ms);
void throttle_leave(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], int64_t now_ms);

/* Between the two, when the password was wrong. `attempt` names user and password (keyed hash); `allowed`
 * failures are free. Returns the seconds that the next attempt waits from now; 0: none. */
unsigned throttle_failed(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], uint64_t attempt,
                         unsigned allowed, int64_t now_ms);

#endif
