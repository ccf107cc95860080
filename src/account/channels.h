/* Delivery channels of this process that nobody uses at the moment, by account: opening one takes a trip
 * through keeper, and the next message for the same account is often close behind. They are kept for a few
 * seconds, because an account sleeps only once nobody holds a channel to it. Safe from any thread. */
#ifndef ACCOUNT_CHANNELS_H
#define ACCOUNT_CHANNELS_H
#include <stdint.h>

struct channels;
struct channels *channels_new(void);                    /* lives as long as the process */
int channels_take(struct channels *c, int64_t account); /* -1: there is none */
void channels_give(struct channels *c, int64_t account, int fd);

#endif
