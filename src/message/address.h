/* Addresses: mailbox and group lists of RFC 5322 section 3.4 (with 4.4), and the forward- and reverse-paths
 * of RFC 5321. */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H
#include "base/arena.h"
#include "base/buf.h"

struct address {
    struct str name;   /* display name: quotes and escapes removed, encoded words kept as they are */
    struct str route;  /* obsolete source route, "" mostly */
    struct str local;  /* local-part, quotes removed */
    struct str domain; /* "" when missing, as in "To: undisclosed" */
    bool group_start;  /* name is the group's; RFC 3501 shows it as (NIL NIL name NIL) */
    bool group_end;
};

struct address_list {
    struct address *v;
    size_t n;
};

#define ADDRESSES_MAX 10000 /* of one field; further ones are left out */

/* Parses a (folded) field value, taking what can be made out of broken ones. Never fails. */
struct address_list address_parse_list(struct str value, struct arena *a);

/* An address of SMTP: local-part "@" domain, as in RFC 5321 section 4.1.2, dot-string or quoted-string,
 * domain or address literal, UTF-8 when utf8 is allowed. Takes it from the front of *in (up to '>' or the
 * end). *local is without quotes and escapes. False: not an address. */
bool address_take_smtp(struct str *in, bool utf8, struct arena *a, struct str *local, struct str *domain);

/* local@domain as it must be written: local-part quoted where dot-atom does not hold. */
void address_add(struct buf *out, struct str local, struct str domain);

#endif
