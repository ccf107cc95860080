/* Deliveries into this account: messages come on the channels of smtp and queue, small ones in the frame,
 * others as sealed memfds. All that are there in one round of the loop are committed together, and only then
 * answered. */
#ifndef ACCOUNT_INTAKE_H
#define ACCOUNT_INTAKE_H
#include "account/host.h"

struct intake;
struct intake *intake_new(struct host *h);               /* lives as long as the process */
void intake_add_channel(struct intake *in, int channel); /* owned from now on */
size_t intake_channels(const struct intake *in);         /* open ones */

#endif
