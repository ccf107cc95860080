/* Flags as they go over the wire (RFC 3501 section 9: flag, flag-list). */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H
#include "imap/parse.h"
#include "mailbox/store.h"

struct imap_flags {
    uint32_t system;     /* of enum message_flag */
    struct str keywords; /* as the store wants them: each once, sorted, one space between */
};

/* "(\Seen $Forwarded)". */
bool imap_take_flag_list(struct imap_cursor *c, struct arena *a, struct imap_flags *out);
/* The same, or flags without parentheses up to the end (store-att-flags). */
bool imap_take_store_flags(struct imap_cursor *c, struct arena *a, struct imap_flags *out);

/* "(\Seen \Flagged $Forwarded)": the bits of enum message_flag and VIEW_RECENT. */
void imap_add_flags(struct buf *out, uint32_t flags, struct str keywords);

#endif
