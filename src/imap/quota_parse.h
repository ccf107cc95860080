/* Limits as SETQUOTA has them (RFC 9208 section 6). Pure. */
#ifndef IMAP_QUOTA_PARSE_H
#define IMAP_QUOTA_PARSE_H
#include "imap/parse.h"
#include "mailbox/store.h"

/* The unit of STORAGE (RFC 9208 section 5.1). */
#define QUOTA_STORAGE_UNIT 1024

/* "(" [resource SP limit *(SP resource SP limit)] ")", in the store's units; QUOTA_NONE for what is not
 * named. */
bool imap_take_quota_limits(struct imap_cursor *c, uint64_t limits[QUOTA_RESOURCES]);

/* "(STORAGE 10 512 MESSAGE 3 100)": what has a limit. Bytes are rounded up when they are used, down when they
 * are a limit, so that what looks full is full. */
void imap_add_quota(struct buf *out, const uint64_t used[QUOTA_RESOURCES],
                    const uint64_t limit[QUOTA_RESOURCES]);

#endif
