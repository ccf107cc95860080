/* Self-signed certificates for tests. */
#ifndef TEST_UNIT_CERTIFICATES_H
#define TEST_UNIT_CERTIFICATES_H
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct test_certificate {
    char *certificate, *key; /* PEM */
};

/* A certificate of `key` for `name`; `issuer` NULL: signs itself. Valid for an hour. */
static inline X509 *test_issue(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), rand());
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509_set_pubkey(x, key);
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    X509_add_ext(x, ca, -1);
    X509_EXTENSION_free(ca);
    if (X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()) <= 0)
        abort();
    return x;
}

/* The text in a memory BIO, which is freed. */
static inline char *test_pem(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    char *copy = malloc((size_t)n + 1);
    memcpy(copy, p, (size_t)n);
    copy[n] = '\0';
    BIO_free(bio);
    return copy;
}

static inline char *test_key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return test_pem(bio);
}

static inline struct test_certificate test_certificate_make(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = test_issue(name, key, NULL, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    struct test_certificate made = {test_pem(bio), test_key_pem(key)};
    X509_free(x);
    EVP_PKEY_free(key);
    return made;
}

static inline void test_certificate_free(struct test_certificate *c)
{
    free(c->certificate);
    free(c->key);
}

#endif
