/* The extensions of SMTP that bring parameters to MAIL and RCPT, and those parameters. Pure: what is relative
 * to now stays so. */
#ifndef SMTP_PARAMETERS_H
#define SMTP_PARAMETERS_H
#include "queue/envelope.h"

/* In the order in which EHLO names them. */
enum smtp_extension {
    EXTENSION_PIPELINING,          /* RFC 2920 */
    EXTENSION_SIZE,                /* RFC 1870 */
    EXTENSION_STARTTLS,            /* RFC 3207 */
    EXTENSION_AUTH,                /* RFC 4954 */
    EXTENSION_ENHANCEDSTATUSCODES, /* RFC 2034 */
    EXTENSION_8BITMIME,            /* RFC 6152 */
    EXTENSION_SMTPUTF8,            /* RFC 6531 */
    EXTENSION_DSN,                 /* RFC 3461 */
    EXTENSION_CHUNKING,            /* RFC 3030 */
    EXTENSION_BINARYMIME,          /* RFC 3030 */
    EXTENSION_REQUIRETLS,          /* RFC 8689 */
    EXTENSION_DELIVERBY,           /* RFC 2852 */
    EXTENSION_FUTURERELEASE,       /* RFC 4865 */
    EXTENSION_MT_PRIORITY,         /* RFC 6710 */
    EXTENSION_NO_SOLICITING,       /* RFC 3865 */
    EXTENSION_LIMITS,              /* RFC 9422 */
    EXTENSION_PRDR,                /* draft-hall-prdr, as Exim speaks it */
    EXTENSION_XCLIENT,             /* Postfix: smtp/xclient.h */
    EXTENSION_COUNT
};
#define EXTENSION_BIT(x) (1u << (x))
#define EXTENSIONS_ALL   (EXTENSION_BIT(EXTENSION_COUNT) - 1)

#define SMTP_SOLICIT_MAX 1000 /* RFC 3865 section 2.2: of all keywords with their commas */

/* What MAIL said beside the reverse-path. */
struct smtp_mail_parameters {
    bool has_size;
    uint64_t size; /* SIZE=; a number too large for 64 bits is UINT64_MAX */
    bool is_prdr;
    bool has_priority;
    int64_t by_s;          /* BY=: seconds from now, with asked.by; negative ones are over */
    int64_t hold_for_s;    /* HOLDFOR=: seconds from now, 0 for none */
    struct str solicit;    /* SOLICIT=: the keywords as they stand, "" for none */
    struct envelope asked; /* without the moments and the submitter */
};

enum parameter_fault { PARAMETER_GOOD, PARAMETER_BAD, PARAMETER_UNKNOWN };

/* `text` is all that follows the path, trimmed; `offered` are EXTENSION_BITs: what belongs to another one is
 * not known. Slices of *out point into `text` or into `a`. After a fault *culprit is the keyword. */
enum parameter_fault parameters_read_mail(struct str text, unsigned offered, struct arena *a,
                                          struct smtp_mail_parameters *out, struct str *culprit);
enum parameter_fault parameters_read_rcpt(struct str text, unsigned offered, struct arena *a,
                                          struct envelope_recipient *out, struct str *culprit);

#endif
