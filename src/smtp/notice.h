/* The note to postmaster about an account that behaves as stolen ones do. */
#ifndef SMTP_NOTICE_H
#define SMTP_NOTICE_H
#include "config/config.h"

struct session;

/* It has passed this limit: `what` of it there is too much ("recipients"). A real message to postmaster, at
 * most once an account and day; the log has a line each time. */
void notice_account(struct session *s, enum limit_rate rate, const char *what);

#endif
