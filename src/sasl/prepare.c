#include "sasl/prepare.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

/* In UTF-16 units. NFKC makes at most 18 of one; whoever types such a password types a short one. */
#define PREPARED_MAX 4096

static pthread_once_t icu_once = PTHREAD_ONCE_INIT;
static UStringPrepProfile *profile;

static void icu_open(void)
{
    UErrorCode status = U_ZERO_ERROR;
    profile = usprep_openByType(USPREP_RFC4013_SASLPREP, &status);
    if (U_FAILURE(status))
        log_die("icu.broken", "ICU does not load SASLprep: %s; reinstall libicu", u_errorName(status));
}

void sasl_prepare_init(void)
{
    pthread_once(&icu_once, icu_open);
}

static bool is_plain_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~') /* bytes above 127 are negative, or above '~' */
            return false;
    return true;
}

static bool prepare(struct str in, UChar *from, UChar *to, struct buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = 0, units = 0;
    u_strFromUTF8(from, PREPARED_MAX, &units, in.p, (int32_t)in.n, &status);
    units = usprep_prepare(profile, from, units, to, PREPARED_MAX, USPREP_ALLOW_UNASSIGNED, NULL, &status);
    size_t most = U_SUCCESS(status) ? 3 * (size_t)units : 0;
    char *room = most > 0 ? buf_room(out, most) : NULL;
    if (!room)
        return false;
    u_strToUTF8(room, (int32_t)most, &n, to, units, &status);
    if (U_FAILURE(status))
        return false;
    buf_grew(out, (size_t)n);
    return true;
}

void sasl_prepare(struct str in, struct buf *out)
{
    if (is_plain_ascii(in) || in.n > PREPARED_MAX) {
        buf_add(out, in);
        return;
    }
    sasl_prepare_init();
    UChar *units = mem_new(2 * PREPARED_MAX, sizeof *units);
    if (!prepare(in, units, units + PREPARED_MAX, out))
        buf_add(out, in);
    mem_wipe(units, 2 * PREPARED_MAX * sizeof *units);
    free(units);
}
