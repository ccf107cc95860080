/* The Sender Rewriting Scheme. A message that we forward to another server would fail SPF there under its
 * sender's own address, so it travels under one of ours that tells where it came from, and a bounce to that
 * address goes back there:
 *
 *   ana@first.example, forwarded by us        SRS0=HASH=TT=first.example=ana@ours.example
 *   SRS0=...@second.example, forwarded again  SRS1=HASH=second.example==...@ours.example
 *   SRS1=HASH=second.example==...@third.example, and again: the same with a hash of ours
 *
 * TT is the day, and HASH an HMAC over the rest under a key of ours: nobody else can make such an address,
 * and after a while it is of no use. There is no RFC; the forms are those of the SRS paper (Meng Weng Wong,
 * 2003) and libsrs2, which postsrsd and Exim share. Pure. */
#ifndef DIRECTORY_SRS_H
#define DIRECTORY_SRS_H
#include "base/arena.h"

#define SRS_KEY_BYTES  32
/* Base64 characters, compared without case, since some servers lower it: a guess is one in 2^31. libsrs2
 * writes 4, which somebody with many connections could find. */
#define SRS_HASH_CHARS 6
#define SRS_DAYS       21 /* that an address is good for: four times what a message waits in a queue */

struct srs {
    struct str key;
    unsigned hash_chars;
    int64_t now; /* seconds since 1970 */
};

/* `sender` is local-part@domain without quotes, `domain` ours. False: it cannot be rewritten, for it is no
 * address or would become longer than ADDRESS_MAX; it must go as it is then. */
bool srs_forward(const struct srs *s, struct str sender, struct str domain, struct arena *a, struct str *out);

enum srs_result {
    SRS_NONE,   /* no such address: the local part does not begin as one */
    SRS_GOOD,   /* *out is where it came from */
    SRS_FORGED, /* not made by us, or damaged */
    SRS_EXPIRED,
};
/* `local` without quotes, in the case in which it came. */
enum srs_result srs_reverse(const struct srs *s, struct str local, struct arena *a, struct str *out);

#endif
