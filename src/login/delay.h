/* When accounts logged in by POP3, for LOGIN-DELAY (RFC 2449 section 6.5): so many seconds must pass before
 * the next time. In memory: a restart forgets, and so does an account's turn among very many. Thread-safe. */
#ifndef LOGIN_DELAY_H
#define LOGIN_DELAY_H
#include <stdint.h>

struct login_delays;
struct login_delays *login_delays_new(void);
void login_delays_free(struct login_delays *d);

/* 0: the account may log in, and has done so now; else the seconds that are left. Times are milliseconds of
 * any monotonic clock. With a delay of 0 nothing is kept. */
unsigned login_delays_enter(struct login_delays *d, int64_t account, int64_t now_ms, unsigned delay_s);

#endif
