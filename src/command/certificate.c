#include "command/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#define CA_DAYS     3650
#define LEAF_DAYS   825 /* the longest that Apple's systems take from a CA that the user added */
#define SERIAL_BITS 127 /* 16 octets with a leading zero bit; RFC 5280 section 4.1.2.2 allows 20 */
#define NAME_MAX_CN 64  /* ub-common-name of RFC 5280 appendix A */
#define DKIM_BITS   2048

struct keypair {
    X509 *certificate;
    EVP_PKEY *key;
};

static void keypair_free(struct keypair *p)
{
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
}
#define CLEAN_KEYPAIR __attribute__((cleanup(keypair_free)))

static bool openssl_failed(struct err *e, const char *what)
{
    char text[200];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return err_set(e, ERR_TEMPORARY, "%s: %s", what, text);
}

/* --- files --- */

static FILE *make_file(const char *path, mode_t mode, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        err_set(e, errno == EEXIST ? ERR_PERMANENT : ERR_TEMPORARY, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return f;
}

static bool finish_file(FILE *f, bool good, const char *path, struct err *e)
{
    good = good && fflush(f) == 0 && fsync(fileno(f)) == 0;
    int why = errno;
    good = fclose(f) == 0 && good;
    return good || err_set(e, ERR_TEMPORARY, "writing %s: %s", path, strerror(why));
}

static bool write_key(const char *path, EVP_PKEY *key, struct err *e)
{
    FILE *f = make_file(path, 0600, e);
    return f && finish_file(f, PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, path, e);
}

static bool write_certificate(const char *path, X509 *certificate, struct err *e)
{
    FILE *f = make_file(path, 0644, e);
    return f && finish_file(f, PEM_write_X509(f, certificate) == 1, path, e);
}

static bool read_ca(const char *dir, struct keypair *ca, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const char *paths[] = {arena_printf(&a, "%s/ca.pem", dir).p, arena_printf(&a, "%s/ca.key", dir).p};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(paths[i], "re");
        if (!f)
            return err_set(e, ERR_PERMANENT, "%s: %s", paths[i], strerror(errno));
        if (i == 0)
            ca->certificate = PEM_read_X509(f, NULL, NULL, NULL);
        else
            ca->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        fclose(f);
    }
    if (!ca->certificate || !ca->key || X509_check_private_key(ca->certificate, ca->key) != 1)
        return err_set(e, ERR_PERMANENT, "%s and ca.key are no CA", paths[0]);
    return true;
}

/* --- certificates --- */

static bool set_serial(X509 *x)
{
    BIGNUM *serial = BN_new();
    bool good = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));
    BN_free(serial);
    return good;
}

static bool add_name(X509_NAME *name, const char *field, struct str value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value.p,
                                      (int)value.n, -1, 0) == 1;
}

static bool add_extension(X509 *x, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool good = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* A certificate without names and extensions, with a new P-256 key. Its time begins an hour ago: a client's
 * clock may be behind. */
static bool begin(struct keypair *p, int days)
{
    p->certificate = X509_new();
    p->key = EVP_EC_gen("P-256");
    return p->certificate && p->key && X509_set_version(p->certificate, X509_VERSION_3) == 1 &&
           set_serial(p->certificate) && X509_set_pubkey(p->certificate, p->key) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(p->certificate), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(p->certificate), days, -3600, NULL);
}

static bool make_ca(struct keypair *ca, struct str hostname, struct arena *a)
{
    struct str name = arena_printf(a, "golub CA of %.*s", STR_ARGS(hostname));
    if (name.n > NAME_MAX_CN)
        name = STR("golub CA");
    X509 *x;
    return begin(ca, CA_DAYS) && (x = ca->certificate) && add_name(X509_get_subject_name(x), "CN", name) &&
           X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
           add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, ca->key, EVP_sha256()) > 0;
}

bool certificate_make_ca(const char *dir, struct str hostname, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_KEYPAIR struct keypair ca = {0};
    if (!make_ca(&ca, hostname, &a))
        return openssl_failed(e, "making a CA");
    return write_certificate(arena_printf(&a, "%s/ca.pem", dir).p, ca.certificate, e) &&
           write_key(arena_printf(&a, "%s/ca.key", dir).p, ca.key, e);
}

static bool make_leaf(struct keypair *leaf, const struct keypair *ca, struct str hostname, struct arena *a)
{
    const char *names = arena_printf(a, "DNS:%.*s,DNS:localhost,IP:127.0.0.1,IP:::1", STR_ARGS(hostname)).p;
    X509 *x;
    return begin(leaf, LEAF_DAYS) && (x = leaf->certificate) &&
           add_name(X509_get_subject_name(x), "CN", hostname.n > NAME_MAX_CN ? STR("golub") : hostname) &&
           X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 &&
           add_extension(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(x, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(x, ca->certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(x, ca->certificate, NID_subject_alt_name, names) &&
           add_extension(x, ca->certificate, NID_subject_key_identifier, "hash") &&
           add_extension(x, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(x, ca->key, EVP_sha256()) > 0;
}

bool certificate_issue(const char *dir, struct str hostname, const char *certificate, const char *key,
                       struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_KEYPAIR struct keypair ca = {0}, leaf = {0};
    if (!read_ca(dir, &ca, e))
        return false;
    if (!make_leaf(&leaf, &ca, hostname, &a))
        return openssl_failed(e, "making a certificate");
    return write_key(key, leaf.key, e) && write_certificate(certificate, leaf.certificate, e);
}

bool certificate_make_dkim_key(const char *path, struct err *e)
{
    CLEAN_KEYPAIR struct keypair p = {.key = EVP_RSA_gen(DKIM_BITS)};
    return p.key ? write_key(path, p.key, e) : openssl_failed(e, "making a DKIM key");
}
