/* A message that another process hands over as a memfd: checked before a byte of it is trusted. */
#ifndef ACCOUNT_MESSAGE_H
#define ACCOUNT_MESSAGE_H
#include "base/err.h"

/* What smtp accepts is bounded by the config (50 MiB unless changed); this bounds what a taken-over smtp
 * could make an account map. */
#define MESSAGE_BYTES_MAX ((uint64_t)1 << 30)

struct message_bytes {
    struct str bytes;
    bool is_mapped;
};

/* The memfd must be sealed against writing, shrinking and growing, and hold `size` bytes: one that shrank
 * under the mapping would kill us (SIGBUS), one that changed would be another message than was checked. */
bool message_open(int memfd, uint64_t size, struct message_bytes *out, struct err *e);
void message_close(struct message_bytes *m);

#endif
