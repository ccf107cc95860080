/* From the wire form of a record's data (RFC 1035 section 3.3, uncompressed, as libunbound hands it out) to
 * what clients of dns see. Pure. */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H
#include "dns/dns.h"

#define NAME_MAX_TEXT 253 /* RFC 1035 section 2.3.4 */

/* Appends the text or bytes of one record to `out` (struct dns_record says which) and sets *preference (0 but
 * for MX). False: not such a record, `out` as it was. */
bool rdata_add(enum dns_type type, struct str rdata, struct buf *out, uint16_t *preference);

/* A name in wire form as text: lower case, dots between labels, none at the end. False: not a name, or not
 * one that text can hold safely; `out` then has something of it. */
bool rdata_add_name(struct str wire, struct buf *out);

/* A name as a question: letters, digits, "-", "_" and dots, labels of 1 to 63 bytes, at most 253 bytes in all
 * (RFC 1035 section 2.3.4); a final dot is allowed. Anything else cannot be asked for by text safely. */
bool rdata_is_name(struct str name);

#endif
