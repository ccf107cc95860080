/* golub check: the certificate and its key. */
#include "command/check.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define RENEW_DAYS 14 /* an ACME client renews at 30: here something is stuck */

static X509 *read_certificate(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        check_say(CHECK_ERROR, "certificate %s: %s", path, strerror(errno));
        return NULL;
    }
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    if (!x)
        check_say(CHECK_ERROR, "certificate %s is no certificate in PEM", path);
    return x;
}

static void check_key(X509 *certificate, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        check_say(CHECK_ERROR, "key %s: %s", path, strerror(errno));
        return;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    if (!key)
        check_say(CHECK_ERROR, "key %s is no private key in PEM without a passphrase", path);
    else if (X509_check_private_key(certificate, key) != 1)
        check_say(CHECK_ERROR, "key %s does not belong to the certificate", path);
    else
        check_say(CHECK_OK, "key %s belongs to the certificate", path);
    EVP_PKEY_free(key);
}

static void check_dates(X509 *x, const char *path)
{
    int days = 0, seconds = 0;
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0) {
        check_say(CHECK_ERROR, "certificate %s is not valid yet: is this machine's clock right?", path);
        return;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0 ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) != 1)
        check_say(CHECK_ERROR, "certificate %s has expired: renew it and send the server SIGHUP", path);
    else
        check_say(days < RENEW_DAYS ? CHECK_WARNING : CHECK_OK, "certificate %s is valid for %d more days",
                  path, days);
}

/* Whether a client that knows only the public CAs takes it. */
static void check_trust(X509 *x, const char *path)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    FILE *f = fopen(path, "re");
    if (!store || !context || !chain || !f || X509_STORE_set_default_paths(store) != 1 ||
        X509_STORE_CTX_init(context, store, x, chain) != 1) {
        check_say(CHECK_WARNING, "certificate %s: the system's CAs cannot be read", path);
    } else {
        for (X509 *link; (link = PEM_read_X509(f, NULL, NULL, NULL));)
            sk_X509_push(chain, link);
        if (X509_verify_cert(context) == 1)
            check_say(CHECK_OK, "certificate %s is from a public CA", path);
        else
            check_say(CHECK_WARNING,
                      "certificate %s is not from a public CA (%s): mail clients must be told to trust it",
                      path, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    }
    if (f)
        fclose(f);
    X509_STORE_CTX_free(context);
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_free(store);
}

void check_certificate(const struct config *c)
{
    CLEAN_FREE char *path = mem_copy_c(c->tls_certificate.p, c->tls_certificate.n);
    CLEAN_FREE char *key = mem_copy_c(c->tls_key.p, c->tls_key.n);
    X509 *x = read_certificate(path);
    if (!x)
        return;
    check_key(x, key);
    if (X509_check_host(x, c->hostname.p, c->hostname.n, 0, NULL) == 1)
        check_say(CHECK_OK, "certificate %s is for %.*s", path, STR_ARGS(c->hostname));
    else
        check_say(CHECK_ERROR, "certificate %s is not for %.*s: get one for that name, or change hostname",
                  path, STR_ARGS(c->hostname));
    check_dates(x, path);
    check_trust(x, path);
    X509_free(x);
}
