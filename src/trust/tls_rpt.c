#include "trust/tls_rpt.h"

static const char *const RESULTS[TLS_RPT_RESULTS] = {
    [TLS_RPT_SUCCESS] = "",
    [TLS_RPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [TLS_RPT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [TLS_RPT_CERTIFICATE_EXPIRED] = "certificate-expired",
    [TLS_RPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [TLS_RPT_VALIDATION_FAILURE] = "validation-failure",
    [TLS_RPT_TLSA_INVALID] = "tlsa-invalid",
    [TLS_RPT_DNSSEC_INVALID] = "dnssec-invalid",
    [TLS_RPT_DANE_REQUIRED] = "dane-required",
    [TLS_RPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
    [TLS_RPT_STS_POLICY_INVALID] = "sts-policy-invalid",
    [TLS_RPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

int64_t tls_rpt_day(int64_t seconds)
{
    return seconds / 86400;
}

struct str tls_rpt_result_name(enum tls_rpt_result r)
{
    return str_from_c(RESULTS[r]);
}
