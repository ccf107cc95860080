#include "command/records.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define TXT_STRING_MAX 255 /* RFC 1035 section 3.3.14: a longer text is cut into strings */

/* The SubjectPublicKeyInfo of a key, in DER. */
static bool add_public_key(struct buf *out, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    bool good = n > 0 && buf_add(out, str_from(der, (size_t)n));
    OPENSSL_free(der);
    return good;
}

static FILE *open_pem(const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        err_set(e, ERR_PERMANENT, "%s: %s", path, strerror(errno));
    return f;
}

/* "v=DKIM1; k=rsa; p=..." of the private key in PEM at `path` (RFC 6376 section 3.6.1). */
static bool dkim_record(const char *path, struct arena *a, struct str *out, struct err *e)
{
    CLEAN_BUF struct buf der, base64;
    buf_init(&der, BUF_MAX_DEFAULT);
    buf_init(&base64, BUF_MAX_DEFAULT);
    FILE *f = open_pem(path, e);
    if (!f)
        return false;
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    bool good = key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA && add_public_key(&der, key) &&
                buf_add_base64(&base64, buf_str(&der));
    EVP_PKEY_free(key);
    if (!good)
        return err_set(e, ERR_PERMANENT, "%s is no RSA key in PEM", path);
    *out = arena_printf(a, "v=DKIM1; k=rsa; p=%.*s", STR_ARGS(buf_str(&base64)));
    return true;
}

/* TLSA 3 1 1 rdata in hex: SHA-256 of the public key of the certificate at `path` (RFC 6698, RFC 7672). */
static bool tlsa_record(const char *path, struct arena *a, struct str *out, struct err *e)
{
    CLEAN_BUF struct buf der;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    buf_init(&der, BUF_MAX_DEFAULT);
    FILE *f = open_pem(path, e);
    if (!f)
        return false;
    X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    bool good = certificate && add_public_key(&der, X509_get0_pubkey(certificate));
    X509_free(certificate);
    if (!good)
        return err_set(e, ERR_PERMANENT, "%s is no certificate in PEM", path);
    SHA256((const unsigned char *)der.p, der.n, hash);
    char hex[2 * sizeof hash + 1];
    str_write_hex(hash, sizeof hash, hex);
    *out = arena_copy(a, str_from_c(hex));
    return true;
}

static void print_name(const char *prefix, struct str domain, const char *type)
{
    int n = printf("%s%.*s.", prefix, STR_ARGS(domain));
    printf("%*s %-5s ", n < 40 ? 40 - n : 0, "", type);
}

static void print_txt(struct str text)
{
    for (size_t at = 0; at < text.n; at += TXT_STRING_MAX)
        printf("%s\"%.*s\"", at ? " " : "", STR_ARGS(str_slice(text, at, TXT_STRING_MAX)));
    putchar('\n');
}

bool records_print(struct str domain, struct str hostname, struct str data, const char *certificate,
                   struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str dkim, tlsa;
    if (!dkim_record(arena_printf(&a, "%.*s/dkim/" DKIM_SELECTOR ".key", STR_ARGS(data)).p, &a, &dkim, e) ||
        !tlsa_record(certificate, &a, &tlsa, e))
        return false;
    printf("; the domain's mail comes to this server\n");
    print_name("", domain, "MX");
    printf("10 %.*s.\n", STR_ARGS(hostname));
    printf("; the server's own name: its addresses here, and the same name in the reverse zone of each\n");
    print_name("", hostname, "A");
    printf("the IPv4 address of this machine\n");
    print_name("", hostname, "AAAA");
    printf("the IPv6 address of this machine, if it has one\n");
    printf("; who may send as the domain: only the servers of its MX records\n");
    print_name("", domain, "TXT");
    print_txt(STR("v=spf1 mx -all"));
    printf("; the key for signatures\n");
    print_name(DKIM_SELECTOR "._domainkey.", domain, "TXT");
    print_txt(dkim);
    printf("; reports about mail that claims to be from the domain; later p=quarantine or p=reject\n");
    print_name("_dmarc.", domain, "TXT");
    print_txt(arena_printf(&a, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", STR_ARGS(domain)));
    printf("; where mail clients find the server by themselves\n");
    print_name("_imaps._tcp.", domain, "SRV");
    printf("0 1 993 %.*s.\n", STR_ARGS(hostname));
    print_name("_submissions._tcp.", domain, "SRV");
    printf("0 1 465 %.*s.\n", STR_ARGS(hostname));
    printf("; only in a zone signed with DNSSEC: other servers insist on this certificate's key\n");
    print_name("_25._tcp.", hostname, "TLSA");
    printf("3 1 1 %.*s\n", STR_ARGS(tlsa));
    return true;
}
