#include "command/records.h"

#include "base/arena.h"
#include "base/buf.h"
#include "trust/tls_report.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define TXT_STRING_MAX    255          /* RFC 1035 section 3.3.14: a longer text is cut into strings */
#define STS_AGE_S         (28 * 86400) /* RFC 8461 section 3.2 speaks of weeks; a mistake must be outlived too */
#define STS_TESTING_AGE_S 86400
#define BACKUP_PREFERENCE 100 /* of a backup's MX record: the domain's own servers have less */
#define STS_ID_BYTES      8   /* of a hash */

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

/* --- the records --- */

struct list {
    struct arena *arena;
    struct record *records;
    size_t n;
};

static void add(struct list *l, const char *remark, struct str name, enum dns_type type, struct str data,
                enum record_match match)
{
    if (l->n < RECORDS_MAX)
        l->records[l->n++] = (struct record){remark, name, type, data, match};
}

static struct str below(struct list *l, const char *label, struct str domain)
{
    return arena_printf(l->arena, "%s.%.*s", label, STR_ARGS(domain));
}

/* RFC 6186, RFC 8314: TLS from the first byte is better than STARTTLS, IMAP better than POP3. */
static const struct {
    enum service service;
    const char *label;
    unsigned priority;
} CLIENTS[] = {
    {SERVICE_SUBMISSIONS, "_submissions._tcp", 0},
    {SERVICE_SUBMISSION, "_submission._tcp", 10},
    {SERVICE_IMAPS, "_imaps._tcp", 0},
    {SERVICE_IMAP, "_imap._tcp", 10},
    {SERVICE_POP3S, "_pop3s._tcp", 20},
    {SERVICE_POP3, "_pop3._tcp", 30},
};

static bool is_served(const struct config *c, enum service service)
{
    for (size_t i = 0; i < c->listener_count; i++)
        if (c->listeners[i].service == service)
            return true;
    return false;
}

static void add_clients(struct list *l, const struct config *c, struct str domain)
{
    const char *remark = "where mail clients find the server by themselves";
    for (size_t i = 0; i < sizeof CLIENTS / sizeof *CLIENTS; i++) {
        if (!is_served(c, CLIENTS[i].service))
            continue;
        add(l, remark, below(l, CLIENTS[i].label, domain), DNS_SRV,
            arena_printf(l->arena, "%u 1 %u %.*s", CLIENTS[i].priority, service_port(CLIENTS[i].service),
                         STR_ARGS(c->hostname)),
            RECORD_EXACT);
        remark = NULL;
    }
}

struct str records_sts_policy(const struct config *c, bool is_enforced, struct arena *a)
{
    return arena_printf(a, "version: STSv1\r\nmode: %s\r\nmx: %.*s\r\nmax_age: %d\r\n",
                        is_enforced ? "enforce" : "testing", STR_ARGS(c->hostname),
                        is_enforced ? STS_AGE_S : STS_TESTING_AGE_S);
}

/* An id that changes with the policy, as RFC 8461 section 3.1 asks. */
static struct str sts_record(const struct config *c, bool is_enforced, struct arena *a)
{
    struct str policy = records_sts_policy(c, is_enforced, a);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char hex[2 * STS_ID_BYTES + 1];
    SHA256((const unsigned char *)policy.p, policy.n, hash);
    str_write_hex(hash, STS_ID_BYTES, hex);
    return arena_printf(a, "v=STSv1; id=%s;", hex);
}

static void add_host(struct list *l, struct str host)
{
    add(l, "the server's own name: its addresses here, and the same name in the reverse zone of each", host,
        DNS_A, STR("the IPv4 address of this machine"), RECORD_ANY);
    add(l, NULL, host, DNS_AAAA, STR("the IPv6 address of this machine, if it has one"), RECORD_OPTIONAL);
}

static void add_tlsa(struct list *l, struct str host, struct str tlsa)
{
    add(l, "only in a zone signed with DNSSEC: other servers insist on this certificate's key",
        below(l, "_25._tcp", host), DNS_TLSA, arena_printf(l->arena, "3 1 1 %.*s", STR_ARGS(tlsa)),
        RECORD_EXACT);
}

/* All but the MX record is about the server's own name. */
static void make_backup(struct list *l, struct str domain, struct str host, struct str tlsa)
{
    add(l,
        "the domain's mail waits here when its own servers are down: beside their MX records, whose numbers "
        "are lower",
        domain, DNS_MX, arena_printf(l->arena, "%d %.*s", BACKUP_PREFERENCE, STR_ARGS(host)), RECORD_EXACT);
    add_host(l, host);
    add_tlsa(l, host, tlsa);
}

static void make_own(struct list *l, const struct config *c, const struct records_of *of, struct str dkim,
                     struct str tlsa)
{
    struct str domain = of->domain, host = c->hostname;
    add(l, "the domain's mail comes to this server", domain, DNS_MX,
        arena_printf(l->arena, "10 %.*s", STR_ARGS(host)), RECORD_EXACT);
    add_host(l, host);
    add(l, "who may send as the domain: only the servers of its MX records", domain, DNS_TXT,
        STR("v=spf1 mx -all"), RECORD_VERSION);
    add(l, "the key for signatures", below(l, DKIM_SELECTOR "._domainkey", domain), DNS_TXT, dkim,
        RECORD_EXACT);
    add(l, "reports about mail that claims to be from the domain; later p=quarantine or p=reject",
        below(l, "_dmarc", domain), DNS_TXT,
        arena_printf(l->arena, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", STR_ARGS(domain)),
        RECORD_VERSION);
    add(l, "other servers demand TLS (MTA-STS): the policy's file is shown below",
        below(l, "_mta-sts", domain), DNS_TXT, sts_record(c, of->is_enforced, l->arena), RECORD_VERSION);
    add(l, NULL, below(l, "mta-sts", domain), DNS_A,
        STR("the address of the web server that has the policy's file"), RECORD_ANY);
    add(l, "other servers report whether TLS worked: golub tls-report reads that",
        below(l, "_smtp._tls", domain), DNS_TXT,
        arena_printf(l->arena, "v=TLSRPTv1; rua=mailto:" TLS_REPORT_MAILBOX "@%.*s", STR_ARGS(domain)),
        RECORD_VERSION);
    add_clients(l, c, domain);
    add_tlsa(l, host, tlsa);
}

bool records_make(const struct config *c, const struct records_of *of, struct arena *a,
                  struct record *records, size_t *n, struct err *e)
{
    struct list l = {.arena = a, .records = records};
    struct str dkim, tlsa;
    if (!dkim_record(arena_printf(a, "%.*s/dkim/" DKIM_SELECTOR ".key", STR_ARGS(c->data)).p, a, &dkim, e) ||
        !tlsa_record(arena_copy_c(a, c->tls_certificate), a, &tlsa, e))
        return false;
    if (of->is_backup)
        make_backup(&l, of->domain, c->hostname, tlsa);
    else
        make_own(&l, c, of, dkim, tlsa);
    *n = l.n;
    return true;
}

/* --- printing --- */

const char *records_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A: return "A";
    case DNS_AAAA: return "AAAA";
    case DNS_MX: return "MX";
    case DNS_SRV: return "SRV";
    case DNS_TLSA: return "TLSA";
    default: return "TXT";
    }
}

static void print_txt(struct str text)
{
    for (size_t at = 0; at < text.n; at += TXT_STRING_MAX)
        printf("%s\"%.*s\"", at ? " " : "", STR_ARGS(str_slice(text, at, TXT_STRING_MAX)));
    putchar('\n');
}

static void print_record(const struct record *r)
{
    if (r->remark)
        printf("; %s\n", r->remark);
    int n = printf("%.*s.", STR_ARGS(r->name));
    printf("%*s %-5s ", n < 40 ? 40 - n : 0, "", records_type_name(r->type));
    if (r->type == DNS_TXT)
        print_txt(r->data);
    else
        printf("%.*s%s\n", STR_ARGS(r->data), r->type == DNS_MX || r->type == DNS_SRV ? "." : "");
}

/* RFC 8461 section 3.2 */
static void print_policy(const struct config *c, const struct records_of *of, struct arena *a)
{
    struct str rest = records_sts_policy(c, of->is_enforced, a), line;
    printf(
        "; the file https://mta-sts.%.*s/.well-known/mta-sts.txt (text/plain, by a public certificate)%s:\n",
        STR_ARGS(of->domain),
        of->is_enforced ? "" : ";\n; once reports show no failures: golub dns --enforce");
    while (rest.n > 0) {
        str_cut(&rest, '\n', &line);
        printf(";   %.*s\n", STR_ARGS(str_trim(line)));
    }
}

bool records_print(const struct config *c, const struct records_of *of, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct record *records = ARENA_ARRAY(&a, struct record, RECORDS_MAX);
    size_t n;
    if (!records_make(c, of, &a, records, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        print_record(&records[i]);
    if (of->is_backup)
        printf("; if the domain has a policy of MTA-STS, its file needs this line too:\n;   mx: %.*s\n",
               STR_ARGS(c->hostname));
    else
        print_policy(c, of, &a);
    return true;
}
