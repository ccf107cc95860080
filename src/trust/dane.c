#include "trust/dane.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

enum selector { WHOLE_CERTIFICATE, PUBLIC_KEY };   /* RFC 6698 section 2.1.2 */
enum matching { EXACT, HASH_SHA256, HASH_SHA512 }; /* RFC 6698 section 2.1.3 */

#define TLSA_FIXED 3 /* bytes before the data */

bool dane_read(struct str rdata, struct dane_record *out)
{
    if (rdata.n <= TLSA_FIXED)
        return false;
    *out = (struct dane_record){
        .usage = (uint8_t)rdata.p[0],
        .selector = (uint8_t)rdata.p[1],
        .matching = (uint8_t)rdata.p[2],
        .data = str_from_offset(rdata, TLSA_FIXED),
    };
    return true;
}

static bool is_certificate(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    bool good = x && p == end && X509_get0_pubkey(x);
    X509_free(x);
    return good;
}

static bool is_public_key(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
    bool good = key && p == end;
    EVP_PKEY_free(key);
    return good;
}

bool dane_is_usable(const struct dane_record *r)
{
    if ((r->usage != DANE_TA && r->usage != DANE_EE) || r->selector > PUBLIC_KEY)
        return false;
    switch (r->matching) {
    case EXACT: return r->selector == PUBLIC_KEY ? is_public_key(r->data) : is_certificate(r->data);
    case HASH_SHA256: return r->data.n == SHA256_DIGEST_LENGTH;
    case HASH_SHA512: return r->data.n == SHA512_DIGEST_LENGTH;
    default: return false;
    }
}

struct str dane_text(const struct dane_record *r, struct arena *a)
{
    char hex[DANE_TEXT_MAX + 1];
    struct str shown = str_slice(r->data, 0, DANE_TEXT_MAX / 2);
    str_write_hex((const unsigned char *)shown.p, shown.n, hex);
    return arena_printf(a, "%u %u %u %s%s", r->usage, r->selector, r->matching, hex,
                        shown.n < r->data.n ? "..." : "");
}
