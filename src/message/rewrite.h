/* Addresses in a header field, made into others where they stand; every other byte stays. Pure. */
#ifndef MESSAGE_REWRITE_H
#define MESSAGE_REWRITE_H
#include "base/arena.h"
#include "base/buf.h"

enum rewrite_class { REWRITE_NONE, REWRITE_SENDERS, REWRITE_RECIPIENTS };
/* From, Sender and Reply-To name senders, To and Cc recipients, and so do their Resent- fields; of others
 * nothing is made. */
enum rewrite_class rewrite_class(struct str name);

struct rewrite {
    enum rewrite_class of;
    struct str from, to; /* local-part@domain as it is written: address_add */
};

/* Appends the field's bytes with each `from` of class `of` that stands there as an address (not in a comment,
 * not in a display name, without case) become its `to`. An address that is written with spaces or comments
 * inside stays as it is. */
void rewrite_field(struct str field, enum rewrite_class of, const struct rewrite *v, size_t n,
                   struct buf *out);

#endif
