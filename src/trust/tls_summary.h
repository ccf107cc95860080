/* What is kept of a report about TLS that somebody sent us (RFC 8460): who says it, of which days, and a line
 * for each domain that it speaks of. Pure. */
#ifndef TRUST_TLS_SUMMARY_H
#define TRUST_TLS_SUMMARY_H
#include "base/arena.h"
#include "base/err.h"
#include "base/ipc.h"

/* Reports of the large providers have a few kilobytes, and one domain each. What is larger can still be read
 * by hand. */
#define TLS_SUMMARY_MAIL_MAX     ((size_t)2 * 1024 * 1024) /* of the message */
#define TLS_SUMMARY_JSON_MAX     ((size_t)4 * 1024 * 1024) /* of the report, unpacked */
#define TLS_SUMMARY_DOMAINS_MAX  20                        /* further ones are left out */
#define TLS_SUMMARY_KINDS_MAX    16 /* of failures of a domain; RFC 8460 names 11. Further ones are "other" */
#define TLS_SUMMARY_WORDS_MAX    255  /* bytes of a name or number; longer ones are cut */
#define TLS_SUMMARY_FAILURES_MAX 1024 /* bytes of `failures`; cut */
#define TLS_SUMMARY_SESSIONS_MAX                                              \
    ((uint64_t)1 << 53) /* JSON has no larger whole numbers that all agree on \
                         */

struct tls_summary_domain {
    struct str domain;
    uint64_t good, failed; /* sessions */
    struct str failures;   /* "certificate-expired 100, starttls-not-supported 200"; "" for none */
};
struct tls_summary {
    struct str organization, report; /* who says it, and its number for it */
    struct str begin, end;           /* as RFC 3339 writes them */
    struct tls_summary_domain *domains;
    size_t count;
};

/* Of a message, or of a report by itself. False: *e says what is wrong with it. Strings live in `a`, and hold
 * no controls. */
bool tls_summary_of(struct str file, struct arena *a, struct tls_summary *out, struct err *e);

/* As fields of a frame. Whoever gets it checks the bounds above; false: they do not hold. Slices of the
 * frame. */
void tls_summary_put(struct ipc_frame *f, const struct tls_summary *s);
bool tls_summary_get(struct ipc_reader *in, struct arena *a, struct tls_summary *out);

#endif
