/* What another server offers in its answer to EHLO, or to LHLO. Pure. */
#ifndef RELAY_EHLO_H
#define RELAY_EHLO_H
#include "base/str.h"

enum ehlo_offer {
    EHLO_PIPELINING = 1 << 0,   /* RFC 2920 */
    EHLO_STARTTLS = 1 << 1,     /* RFC 3207 */
    EHLO_SIZE = 1 << 2,         /* RFC 1870 */
    EHLO_8BITMIME = 1 << 3,     /* RFC 6152 */
    EHLO_DSN = 1 << 4,          /* RFC 3461 */
    EHLO_SMTPUTF8 = 1 << 5,     /* RFC 6531 */
    EHLO_CHUNKING = 1 << 6,     /* RFC 3030 */
    EHLO_BINARYMIME = 1 << 7,   /* RFC 3030 */
    EHLO_REQUIRETLS = 1 << 8,   /* RFC 8689 */
    EHLO_DELIVERBY = 1 << 9,    /* RFC 2852 */
    EHLO_MT_PRIORITY = 1 << 10, /* RFC 6710 */
    EHLO_AUTH = 1 << 11,        /* RFC 4954 */
    EHLO_LIMITS = 1 << 12,      /* RFC 9422 */
};
enum ehlo_mechanism { /* of those, the ones that we know */
                      EHLO_PLAIN = 1 << 0,
                      EHLO_LOGIN = 1 << 1,
                      EHLO_SCRAM = 1 << 2,      /* SCRAM-SHA-256 */
                      EHLO_SCRAM_PLUS = 1 << 3, /* SCRAM-SHA-256-PLUS */
};

struct ehlo {
    unsigned offers;     /* bits of enum ehlo_offer */
    unsigned mechanisms; /* bits of enum ehlo_mechanism */
    uint64_t size_max;   /* bytes of a message; 0: not told */
    uint64_t by_min;     /* seconds, the least that BY may ask for with R; 0: not told */
    uint64_t mail_max;   /* transactions of a connection; 0: not told */
    uint64_t rcpt_max;   /* recipients of a transaction; 0: not told */
};
/* A line of the answer without its code; every line but the first. */
void ehlo_add_line(struct ehlo *e, struct str words);
bool ehlo_has(const struct ehlo *e, enum ehlo_offer o);

#endif
