/* DANE for SMTP: TLSA records (RFC 6698, RFC 7671) as a sending server takes them (RFC 7672 section 3). Pure.
 */
#ifndef TRUST_DANE_H
#define TRUST_DANE_H
#include "base/arena.h"

enum dane_usage { DANE_PKIX_TA, DANE_PKIX_EE, DANE_TA, DANE_EE };

#define DANE_RECORDS_MAX 32  /* of one host that are looked at: two keys and two authorities make four */
#define DANE_TEXT_MAX    128 /* hex digits of a record in logs and reports: a SHA-512 */

struct dane_record {
    uint8_t usage, selector, matching;
    struct str data; /* a slice of the rdata */
};

/* False: not a TLSA record at all. */
bool dane_read(struct str rdata, struct dane_record *out);

/* Whether a mail server can be proven by it: usage DANE-TA or DANE-EE, since PKIX-TA and PKIX-EE are not for
 * SMTP (RFC 7672 section 3.1.3); a selector and a matching type that we know; data of the length that it must
 * have, or that is such a certificate or key. */
bool dane_is_usable(const struct dane_record *r);

/* "3 1 1 0123...", cut after DANE_TEXT_MAX digits. */
struct str dane_text(const struct dane_record *r, struct arena *a);

#endif
