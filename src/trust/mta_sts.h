/* MTA-STS (RFC 8461): the TXT record that tells of a policy, and the policy that the domain's web server
 * gives out. Pure. */
#ifndef TRUST_MTA_STS_H
#define TRUST_MTA_STS_H
#include "base/err.h"

#define MTA_STS_POLICY_MAX ((size_t)64 * 1024)  /* bytes: RFC 8461 section 3.3 */
#define MTA_STS_MX_MAX     100                  /* patterns; the largest providers have ten */
#define MTA_STS_ID_MAX     32                   /* section 3.1 */
#define MTA_STS_AGE_MAX    ((uint64_t)31557600) /* seconds, about a year: section 3.2 */

/* The id among all TXT records at _mta-sts.DOMAIN. False: there is no policy, which two records mean too
 * (section 3.1). */
bool mta_sts_id(const struct str *records, size_t count, struct str *id);

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };
struct mta_sts_policy {
    enum mta_sts_mode mode;
    uint64_t max_age;              /* seconds, at most MTA_STS_AGE_MAX */
    struct str mx[MTA_STS_MX_MAX]; /* slices of the text: a name, or "*." and a name */
    size_t mx_count;               /* at least one, but with mode none */
};
/* The policy file's text (section 3.2). False: it is none, and *e says what is wrong with it. */
bool mta_sts_read(struct str text, struct mta_sts_policy *out, struct err *e);

/* Whether the policy allows this MX host (section 4.1). */
bool mta_sts_allows(const struct mta_sts_policy *p, struct str host);

struct str mta_sts_mode_name(enum mta_sts_mode mode); /* "enforce" */

#endif
