/* An MTA-STS policy, and the TXT record that tells of it: what is read is within its bounds, and written down
 * again it is read the same. */
#include "base/buf.h"
#include "trust/mta_sts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct mta_sts_policy *p)
{
    CLEAN_BUF struct buf text;
    struct mta_sts_policy q;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_addf(&text, "version: STSv1\r\nmode: %.*s\nmax_age: %llu\n", STR_ARGS(mta_sts_mode_name(p->mode)),
             (unsigned long long)p->max_age);
    for (size_t i = 0; i < p->mx_count; i++)
        buf_addf(&text, "mx: %.*s\n", STR_ARGS(p->mx[i]));
    if (!mta_sts_read(buf_str(&text), &q, NULL) || q.mode != p->mode || q.max_age != p->max_age ||
        q.mx_count != p->mx_count)
        abort();
    for (size_t i = 0; i < p->mx_count; i++)
        if (!str_eq(p->mx[i], q.mx[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from(data, size), id;
    struct mta_sts_policy p;
    if (mta_sts_id(&text, 1, &id) && (id.n == 0 || id.n > MTA_STS_ID_MAX))
        abort();
    if (!mta_sts_read(text, &p, NULL))
        return 0;
    if (p.mx_count > MTA_STS_MX_MAX || p.max_age > MTA_STS_AGE_MAX ||
        (p.mx_count == 0 && p.mode != MTA_STS_NONE))
        abort();
    for (size_t i = 0; i < p.mx_count;
         i++) /* a pattern with * is no host's name, any other one allows itself */
        if (mta_sts_allows(&p, p.mx[i]) != true && p.mx[i].p[0] != '*')
            abort();
    again(&p);
    return 0;
}
