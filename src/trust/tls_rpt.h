/* SMTP TLS Reporting (RFC 8460): what came of TLS in a session with another mail server, by the names that
 * reports use. */
#ifndef TRUST_TLS_RPT_H
#define TRUST_TLS_RPT_H
#include "base/arena.h"

/* Section 4.3. */
enum tls_rpt_result {
    TLS_RPT_SUCCESS,
    TLS_RPT_STARTTLS_NOT_SUPPORTED,
    TLS_RPT_CERTIFICATE_HOST_MISMATCH,
    TLS_RPT_CERTIFICATE_EXPIRED,
    TLS_RPT_CERTIFICATE_NOT_TRUSTED,
    TLS_RPT_VALIDATION_FAILURE, /* anything without a name of its own: a handshake that broke off */
    TLS_RPT_TLSA_INVALID,       /* no TLSA record fits the certificate */
    TLS_RPT_DNSSEC_INVALID,     /* the TLSA records could not be had */
    TLS_RPT_DANE_REQUIRED,
    TLS_RPT_STS_POLICY_FETCH_ERROR,
    TLS_RPT_STS_POLICY_INVALID,
    TLS_RPT_STS_WEBPKI_INVALID, /* the certificate of the policy's web server */
    TLS_RPT_RESULTS
};
struct str tls_rpt_result_name(enum tls_rpt_result r); /* "starttls-not-supported"; "" for success */

/* What a session was held to. Lists are lines, each with LF at its end. */
struct tls_rpt_policy {
    enum { TLS_RPT_NO_POLICY, TLS_RPT_STS, TLS_RPT_TLSA } type;
    struct str domain; /* the recipients': whose policy it is, and who gets the report */
    struct str text;   /* the policy file, or the TLSA records */
    struct str mx;     /* STS: the patterns */
};
/* So many sessions with the same result. */
struct tls_rpt_count {
    struct tls_rpt_policy policy;
    enum tls_rpt_result result;
    struct str host, address; /* of the server; "" with success */
    struct str source;        /* our address in these sessions; "" with success, or when there was none */
    struct str reason;        /* words, or "" */
    uint64_t sessions;
};

#define TLS_RPT_TEXT_MAX  4096 /* of each list of lines, of which a report shows what fits */
#define TLS_RPT_WORDS_MAX 300  /* of host, addresses and reason */

/* A day as a number: days since 1970, UTC. */
int64_t tls_rpt_day(int64_t seconds);

#endif
