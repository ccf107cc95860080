/* What SORT and THREAD have in common: the messages that a search found, each with its keys. */
#ifndef MAILBOX_FOUND_H
#define MAILBOX_FOUND_H
#include "mailbox/keys.h"

struct found_row {
    uint32_t uid;
    uint8_t relevance;
    int64_t received;
    int64_t sent; /* of the Date field, or as received (RFC 5256 section 2.2) */
    uint64_t size;
    const struct body_keys *keys; /* valid during the call */
};

/* Searches, and calls each(context, row) for every message found, in the order of uids. Keys that are not
 * stored are made from the message. */
enum store_result found_each(struct store *s, int64_t mailbox, const struct search_node *tree,
                             uint64_t *highest_modseq,
                             void (*each)(void *context, const struct found_row *row), void *context,
                             struct err *e);

#endif
