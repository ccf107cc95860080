#include "message/date.h"
#include "trust/tls_report.h"

#define DAY_S       86400
#define LINE_BASE64 76 /* RFC 2045 section 6.8 */

struct str tls_report_file_name(const struct tls_report *r, struct arena *a)
{
    long long begin = (long long)r->day * DAY_S;
    return arena_printf(a, "%.*s!%.*s!%lld!%lld!%.*s.json.gz", STR_ARGS(r->organization), STR_ARGS(r->domain),
                        begin, begin + DAY_S - 1, STR_ARGS(r->id));
}

static void add_header(struct buf *out, const struct tls_report *r, struct str to, int64_t now)
{
    buf_add_c(out, "Date: ");
    date_add_rfc5322(out, now, 0);
    buf_addf(out,
             "\r\nFrom: TLS reports <%.*s>\r\nTo: <%.*s>\r\n"
             "Subject: Report Domain: %.*s\r\n Submitter: %.*s\r\n Report-ID: <%.*s@%.*s>\r\n",
             STR_ARGS(r->contact), STR_ARGS(to), STR_ARGS(r->domain), STR_ARGS(r->organization),
             STR_ARGS(r->id), STR_ARGS(r->organization));
    buf_addf(out,
             "Message-ID: <%.*s@%.*s>\r\nTLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\n"
             "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: multipart/report; report-type=tlsrpt;\r\n boundary=\"=_%.*s\"\r\n",
             STR_ARGS(r->id), STR_ARGS(r->organization), STR_ARGS(r->domain), STR_ARGS(r->organization),
             STR_ARGS(r->id));
}

static void add_base64(struct buf *out, struct str bytes)
{
    enum { BYTES = LINE_BASE64 / 4 * 3 };
    for (; bytes.n > 0; bytes = str_from_offset(bytes, BYTES)) {
        buf_add_base64(out, str_slice(bytes, 0, BYTES));
        buf_add_c(out, "\r\n");
    }
}

void tls_report_mail(const struct tls_report *r, struct str packed, struct str to, int64_t now,
                     struct buf *out)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    uint64_t good = 0, failed = 0;
    for (size_t i = 0; i < r->count; i++)
        *(r->counts[i].result == TLS_RPT_SUCCESS ? &good : &failed) += r->counts[i].sessions;
    add_header(out, r, to, now);
    buf_addf(
        out,
        "\r\n--=_%.*s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is an aggregate report (RFC 8460) about TLS in SMTP sessions from\r\n%.*s to the servers of "
        "%.*s:\r\n%llu sessions succeeded, %llu failed.\r\n",
        STR_ARGS(r->id), STR_ARGS(r->organization), STR_ARGS(r->domain), (unsigned long long)good,
        (unsigned long long)failed);
    buf_addf(out,
             "\r\n--=_%.*s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
             "Content-Disposition: attachment;\r\n filename=\"%.*s\"\r\n\r\n",
             STR_ARGS(r->id), STR_ARGS(tls_report_file_name(r, &a)));
    add_base64(out, packed);
    buf_addf(out, "\r\n--=_%.*s--\r\n", STR_ARGS(r->id));
}
