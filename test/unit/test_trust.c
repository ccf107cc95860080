/* MTA-STS records and policies (RFC 8461); TLSA records; reports about TLS (RFC 8460). */
#include "check.h"

#include "message/mime.h"
#include "trust/dane.h"
#include "trust/gzip.h"
#include "trust/mta_sts.h"
#include "trust/tls_report.h"
#include "trust/tls_summary.h"

#include <string.h>

static void id_is(const char *record, const char *id)
{
    struct str text = str_from_c(record), got;
    assert_int_equal(mta_sts_id(&text, 1, &got), id != NULL);
    if (id)
        assert_true(str_eq(got, str_from_c(id)));
}

static void records_tell_of_a_policy(void **state)
{
    (void)state;
    id_is("v=STSv1; id=20160831085700Z;", "20160831085700Z"); /* the example of section 3.1 */
    id_is("v=STSv1;id=1", "1");
    id_is("v=STSv1 ; x=y; id=abc ;", "abc");
    id_is("v=STSv1; id=", NULL);
    id_is("v=STSv1; id=a-b;", NULL);
    id_is("v=STSv1; id=012345678901234567890123456789012;", NULL);
    id_is("v=STSv1;", NULL);
    id_is("v=STSv1", NULL);
    id_is("v=STSv10; id=1;", NULL);
    id_is(" v=STSv1; id=1;", NULL);
    id_is("id=1; v=STSv1;", NULL);
    struct str got, two[] = {STR("v=STSv1; id=1;"), STR("v=STSv1; id=1;")},
                    other[] = {STR("v=spf1 -all"), STR("v=STSv1; id=2;")};
    assert_false(mta_sts_id(two, 2, &got));
    assert_true(mta_sts_id(other, 2, &got) && str_eq(got, STR("2")));
    assert_false(mta_sts_id(NULL, 0, &got));
}

static void the_policy_of_the_standard(void **state)
{
    (void)state;
    struct mta_sts_policy p;
    struct err e = ERR_INIT;
    assert_true(
        mta_sts_read(STR("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
                         "mx: backupmx.example.com\r\nmax_age: 604800\r\n"),
                     &p, &e)); /* section 3.2 */
    assert_int_equal(p.mode, MTA_STS_ENFORCE);
    assert_int_equal(p.max_age, 604800);
    assert_int_equal(p.mx_count, 3);
    assert_true(mta_sts_allows(&p, STR("mail.example.com")));
    assert_true(mta_sts_allows(&p, STR("MAIL.example.com.")));
    assert_true(mta_sts_allows(&p, STR("mx1.Example.net")));
    assert_false(mta_sts_allows(&p, STR("example.net")));
    assert_false(mta_sts_allows(&p, STR("a.b.example.net")));
    assert_false(mta_sts_allows(&p, STR(".example.net")));
    assert_false(mta_sts_allows(&p, STR("evil-example.net")));
    assert_false(mta_sts_allows(&p, STR("mail.example.com.evil.test")));
    assert_false(mta_sts_allows(&p, STR("")));
}

static void is_policy(const char *text, enum mta_sts_mode mode, uint64_t max_age)
{
    struct mta_sts_policy p;
    struct err e = ERR_INIT;
    if (!mta_sts_read(str_from_c(text), &p, &e))
        fail_msg("%s: %s", text, e.text);
    assert_int_equal(p.mode, mode);
    assert_int_equal(p.max_age, max_age);
}

static void is_no_policy(const char *text, const char *why)
{
    struct mta_sts_policy p;
    struct err e = ERR_INIT;
    assert_false(mta_sts_read(str_from_c(text), &p, &e));
    if (!strstr(e.text, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, e.text, why);
}

static void policies_good_and_bad(void **state)
{
    (void)state;
    is_policy("version: STSv1\nmode: none\nmax_age: 1", MTA_STS_NONE, 1);
    is_policy("max_age:5\nmx:a\nversion:STSv1 \nmode:testing\n\n", MTA_STS_TESTING, 5);
    is_policy(
        "version: STSv1\nmode: testing\nmode: enforce\nmax_age: 7\nmax_age: 8\nmx: a\nnew-thing: x: y\n",
        MTA_STS_TESTING, 7); /* the first counts, the unknown does not */
    is_policy("version: STSv1\nmode: enforce\nmx: a\nmax_age: 4000000000", MTA_STS_ENFORCE, MTA_STS_AGE_MAX);
    is_no_policy("", "version");
    is_no_policy("version: STSv2\nmode: none\nmax_age: 1", "STSv1");
    is_no_policy("mode: none\nmax_age: 1", "version");
    is_no_policy("version: STSv1\nmax_age: 1", "mode");
    is_no_policy("version: STSv1\nmode: none", "max_age");
    is_no_policy("version: STSv1\nmode: maybe\nmax_age: 1", "enforce");
    is_no_policy("version: STSv1\nmode: none\nmax_age: -1", "seconds");
    is_no_policy("version: STSv1\nmode: none\nmax_age: 12345678901", "seconds");
    is_no_policy("version: STSv1\nmode: enforce\nmax_age: 1", "no mx");
    is_no_policy("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *", "*");
    is_no_policy("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a..b", "a..b");
    is_no_policy("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.b", "*");
    is_no_policy("<html>404</html>", "colon");
}

/* --- TLSA --- */

static bool usable(struct str rdata)
{
    struct dane_record r;
    return dane_read(rdata, &r) && dane_is_usable(&r);
}

static void tlsa_records_that_can_be_used(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct dane_record r;
    assert_true(usable(STR("\3\1\1"
                           "0123456789abcdef0123456789abcdef")));
    assert_true(usable(STR("\2\0\2"
                           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")));
    assert_false(usable(STR("\3\1\1"
                            "0123456789abcdef")));
    assert_false(usable(STR("\1\1\1"
                            "0123456789abcdef0123456789abcdef")));
    assert_false(usable(STR("\4\1\1"
                            "0123456789abcdef0123456789abcdef")));
    assert_false(usable(STR("\3\2\1"
                            "0123456789abcdef0123456789abcdef")));
    assert_false(usable(STR("\3\1\3"
                            "0123456789abcdef0123456789abcdef")));
    assert_false(usable(STR("\3\0\0"
                            "not a certificate")));
    assert_false(dane_read(STR("\3\1\1"), &r));
    assert_true(dane_read(STR("\3\1\1\xab\x01"), &r) && str_eq(dane_text(&r, &a), STR("3 1 1 ab01")));
}

/* --- who wants reports --- */

static void rua_is(const char *record, const char *uris)
{
    struct str text = str_from_c(record), found[TLS_REPORT_RUA_MAX];
    CLEAN_BUF struct buf all;
    buf_init(&all, 2000);
    size_t n = tls_report_rua(&text, 1, found);
    for (size_t i = 0; i < n; i++)
        buf_addf(&all, "%s%.*s", i > 0 ? " " : "", STR_ARGS(found[i]));
    if (!str_eq(buf_str(&all), str_from_c(uris)))
        fail_msg("%s: %.*s", record, STR_ARGS(buf_str(&all)));
}

static void records_tell_who_wants_reports(void **state)
{
    (void)state;
    rua_is("v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com"); /* section 3 */
    rua_is("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
           "https://reporting.example.com/v1/tlsrpt");
    rua_is("v=TLSRPTv1; x=y ; rua=mailto:a@b.c , https://d.e/f;", "mailto:a@b.c https://d.e/f");
    rua_is("v=TLSRPTv1; rua=http://d.e/,ftp://f,mailto:", "");
    rua_is("v=TLSRPTv1; rua=mailto:a b@c.d", "");
    rua_is("v=TLSRPTv1;", "");
    rua_is("v=TLSRPTv2;rua=mailto:a@b.c", "");
    rua_is("rua=mailto:a@b.c", "");
    struct str two[] = {STR("v=TLSRPTv1;rua=mailto:a@b.c"), STR("v=TLSRPTv1;rua=mailto:a@b.c")},
               uris[TLS_REPORT_RUA_MAX];
    assert_int_equal(tls_report_rua(two, 2, uris), 0);
}

static void address_is(const char *uri, const char *address)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    assert_true(str_eq(tls_report_address(str_from_c(uri), &a), str_from_c(address)));
}

static void addresses_of_uris(void **state)
{
    (void)state;
    address_is("mailto:a@b.c", "a@b.c");
    address_is("MAILTO:tls%2Drpt%40x@b.c?subject=x", "tls-rpt@x@b.c");
    address_is("mailto:a%0d%0aBcc:x@b.c", "");
    address_is("mailto:a%zz@b.c", "a%zz@b.c");
    address_is("mailto:@b.c", "");
    address_is("mailto:a@", "");
    address_is("mailto:a,b@c.d", "");
}

/* --- reports --- */

static const struct tls_rpt_count COUNTS[] = {
    {{TLS_RPT_STS, STR_INIT("b.example"), STR_INIT("version: STSv1\nmode: testing\n"),
      STR_INIT("*.b.example\nmx.c\n")},
     TLS_RPT_SUCCESS,
     STR_INIT(""),
     STR_INIT(""),
     STR_INIT(""),
     STR_INIT(""),
     5326},
    {{TLS_RPT_STS, STR_INIT("b.example"), STR_INIT("version: STSv1\nmode: testing\n"),
      STR_INIT("*.b.example\nmx.c\n")},
     TLS_RPT_CERTIFICATE_EXPIRED,
     STR_INIT("mx1.b.example"),
     STR_INIT("192.0.2.1"),
     STR_INIT("198.51.100.7"),
     STR_INIT("it \"expired\"\xff\n"),
     100},
    {{TLS_RPT_NO_POLICY, STR_INIT("b.example"), STR_INIT(""), STR_INIT("")},
     TLS_RPT_STARTTLS_NOT_SUPPORTED,
     STR_INIT("mx2.b.example"),
     STR_INIT("192.0.2.2"),
     STR_INIT(""),
     STR_INIT(""),
     3},
};

static const struct tls_report REPORT = {
    .organization = STR_INIT("mail.a.example"),
    .contact = STR_INIT("postmaster@mail.a.example"),
    .domain = STR_INIT("b.example"),
    .id = STR_INIT("20000.1.b.example"),
    .day = 20000,
    .counts = COUNTS,
    .count = 3,
};

static void row_is(const struct tls_report_row *r, bool is_detail, const char *type_or_result,
                   const char *host, uint64_t good, uint64_t failed)
{
    assert_int_equal(r->is_detail, is_detail);
    assert_true(str_eq(is_detail ? r->result : r->type, str_from_c(type_or_result)));
    assert_true(str_eq(is_detail ? r->host : r->mx, str_from_c(host)));
    assert_true(r->good == good && r->failed == failed);
}

static void ours_can_be_read(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf json;
    struct tls_report_read read;
    struct err e = ERR_INIT;
    buf_init(&json, BUF_MAX_DEFAULT);
    tls_report_json(&REPORT, &json);
    assert_true(str_find(buf_str(&json), STR("\"start-datetime\":\"2024-10-04T00:00:00Z\",\"end-datetime\":"
                                             "\"2024-10-04T23:59:59Z\"")) != STR_NONE);
    assert_true(str_find(buf_str(&json), STR("\"policy-string\":[\"version: STSv1\",\"mode: testing\"]")) !=
                STR_NONE);
    assert_true(tls_report_read(buf_str(&json), &a, &read, &e));
    assert_true(str_eq(read.organization, REPORT.organization) && str_eq(read.id, REPORT.id));
    assert_int_equal(read.count, 4);
    row_is(&read.rows[0], false, "sts", "*.b.example mx.c", 5326, 100);
    row_is(&read.rows[1], true, "certificate-expired", "mx1.b.example", 0, 100);
    assert_true(str_eq(read.rows[1].reason, STR("it \"expired\"??")));
    assert_true(str_eq(read.rows[1].address, STR("192.0.2.1")));
    assert_true(str_eq(read.rows[1].source, STR("198.51.100.7")));
    assert_true(read.rows[3].source.n == 0);
    row_is(&read.rows[2], false, "no-policy-found", "", 0, 3);
    row_is(&read.rows[3], true, "starttls-not-supported", "mx2.b.example", 0, 3);
}

/* The example of appendix B, with "mx-host" as a string. */
static void the_report_of_the_standard(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_report_read read;
    struct err e = ERR_INIT;
    struct str json = STR(
        "{\"organization-name\": \"Company-X\", \"date-range\": {\"start-datetime\": "
        "\"2016-04-01T00:00:00Z\","
        "\"end-datetime\": \"2016-04-01T23:59:59Z\"}, \"contact-info\": \"sts-reporting@company-x.example\","
        "\"report-id\": \"5065427c-23d3-47ca-b6e0-946ea0e8c4be\", \"policies\": [{\"policy\": "
        "{\"policy-type\": \"sts\","
        "\"policy-string\": [\"version: STSv1\",\"mode: testing\",\"mx: "
        "*.mail.company-y.example\",\"max_age: 86400\"],"
        "\"policy-domain\": \"company-y.example\", \"mx-host\": \"*.mail.company-y.example\"}, \"summary\": {"
        "\"total-successful-session-count\": 5326, \"total-failure-session-count\": 303}, "
        "\"failure-details\": [{"
        "\"result-type\": \"certificate-expired\", \"sending-mta-ip\": \"2001:db8:abcd:0012::1\","
        "\"receiving-mx-hostname\": \"mx1.mail.company-y.example\", \"failed-session-count\": 100}, {"
        "\"result-type\": \"starttls-not-supported\", \"sending-mta-ip\": \"2001:db8:abcd:0013::1\","
        "\"receiving-mx-hostname\": \"mx2.mail.company-y.example\", \"receiving-ip\": \"203.0.113.56\","
        "\"failed-session-count\": 200, \"additional-information\": "
        "\"https://reports.company-x.example/report_info\"}]}]}");
    if (!tls_report_read(json, &a, &read, &e))
        fail_msg("%s", e.text);
    assert_true(str_eq(read.organization, STR("Company-X")) &&
                str_eq(read.begin, STR("2016-04-01T00:00:00Z")));
    row_is(&read.rows[0], false, "sts", "*.mail.company-y.example", 5326, 303);
    row_is(&read.rows[2], true, "starttls-not-supported", "mx2.mail.company-y.example", 0, 200);
    assert_true(str_eq(read.rows[2].address, STR("203.0.113.56")));
    assert_false(tls_report_read(STR("{}"), &a, &read, &e));
    assert_false(tls_report_read(STR("[1]"), &a, &read, &e));
    assert_false(tls_report_read(STR("{\"policies\": 7}"), &a, &read, &e));
    assert_false(tls_report_read(STR(""), &a, &read, &e));
    assert_true(tls_report_read(STR("{\"policies\": [7, {\"policy\": 1, \"failure-details\": [2]}]}"), &a,
                                &read, &e));
    assert_int_equal(read.count, 3);
}

static void the_mail_around_a_report(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf mail, packed, back, decoded;
    buf_init(&mail, BUF_MAX_DEFAULT);
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&back, BUF_MAX_DEFAULT);
    buf_init(&decoded, BUF_MAX_DEFAULT);
    CLEAN_BUF struct buf json;
    buf_init(&json, BUF_MAX_DEFAULT);
    tls_report_json(&REPORT, &json);
    gzip_pack(buf_str(&json), &packed);
    tls_report_mail(&REPORT, buf_str(&packed), STR("rua@b.example"), 1728086400, &mail);
    const struct mime_part *root = mime_parse(buf_str(&mail), &a);
    assert_true(str_eq(root->subtype, STR("report")) && root->child_count == 2);
    assert_true(str_eq(mime_param(root->params, root->param_count, STR("report-type")), STR("tlsrpt")));
    const struct mime_part *part = root->children[1];
    assert_true(str_eq(part->subtype, STR("tlsrpt+gzip")));
    assert_true(str_eq(mime_param(part->disposition_params, part->disposition_param_count, STR("filename")),
                       STR("mail.a.example!b.example!1728000000!1728086399!20000.1.b.example.json.gz")));
    struct str rest = str_slice(buf_str(&mail), part->body_at, part->body_size), line;
    CLEAN_BUF struct buf base64;
    buf_init(&base64, BUF_MAX_DEFAULT);
    while (rest.n > 0) {
        str_cut(&rest, '\n', &line);
        buf_add(&base64, str_trim(line));
    }
    assert_true(buf_add_base64_decoded(&decoded, buf_str(&base64)));
    assert_true(gzip_unpack(buf_str(&decoded), &back) && str_eq(buf_str(&back), buf_str(&json)));
}

/* --- what is kept of a report that comes --- */

/* A report as a message. */
static void make_mail(struct buf *mail, struct str json)
{
    CLEAN_BUF struct buf packed;
    buf_init(&packed, BUF_MAX_DEFAULT);
    gzip_pack(json, &packed);
    tls_report_mail(&REPORT, buf_str(&packed), STR("postmaster@b.example"), 1728086400, mail);
}

static void a_message_that_brings_a_report_is_known_by_its_header(void **state)
{
    static const struct {
        const char *header;
        bool is;
    } CASES[] = {
        {"Content-Type: multipart/report; report-type=tlsrpt; boundary=x\r\n\r\n", true}, /* section 5.3 */
        {"content-type: MULTIPART/Report;\r\n boundary=x; report-type=\"TLSRPT\"\r\n\r\n", true},
        {"Content-Type: application/tlsrpt+gzip; name=x\r\n\r\n", true},
        {"Content-Type: application/tlsrpt+json\r\n\r\n", true},
        {"Content-Type: multipart/mixed; boundary=x\r\nTLS-Report-Domain: b.example\r\n\r\n", true},
        {"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n", false},
        {"Content-Type: multipart/mixed; report-type=tlsrpt; boundary=x\r\n\r\n", false},
        {"Content-Type: application/gzip\r\n\r\n", false},
        {"Subject: x\r\n\r\nContent-Type: application/tlsrpt+json\r\n", false},
        {"\r\nTLS-Report-Domain: b.example\r\n", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (tls_report_is_mail(str_from_c(CASES[i].header)) != CASES[i].is)
            fail_msg("%s", CASES[i].header);
}

static void our_own_report_is_summed_up(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf json, mail;
    CLEAN_FRAME struct ipc_frame f;
    struct tls_summary s, again;
    struct err e = ERR_INIT;
    buf_init(&json, BUF_MAX_DEFAULT);
    buf_init(&mail, BUF_MAX_DEFAULT);
    tls_report_json(&REPORT, &json);
    make_mail(&mail, buf_str(&json));
    assert_true(tls_report_is_mail(buf_str(&mail)));
    if (!tls_summary_of(buf_str(&mail), &a, &s, &e))
        fail_msg("%s", e.text);
    ipc_frame_init(&f, 1);
    tls_summary_put(&f, &s);
    struct ipc_reader in = ipc_read(&f);
    assert_true(tls_summary_get(&in, &a, &again) && ipc_done(&in));
    assert_true(str_eq(again.organization, STR("mail.a.example")));
    assert_true(str_eq(again.report, STR("20000.1.b.example")));
    assert_true(str_eq(again.begin, STR("2024-10-04T00:00:00Z")) &&
                str_eq(again.end, STR("2024-10-04T23:59:59Z")));
    assert_int_equal(again.count, 1); /* two policies of one domain */
    assert_true(str_eq(again.domains[0].domain, STR("b.example")));
    assert_int_equal(again.domains[0].good, 5326);
    assert_int_equal(again.domains[0].failed, 103);
    assert_true(str_eq(again.domains[0].failures, STR("certificate-expired 100, starttls-not-supported 3")));
}

static void nothing_of_a_report_is_without_bound(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf json;
    struct tls_summary s;
    struct err e = ERR_INIT;
    buf_init(&json, BUF_MAX_DEFAULT);
    buf_add_c(&json, "{\"organization-name\": \"");
    for (int i = 0; i < 1000; i++)
        buf_add_c(&json, "x");
    buf_add_c(&json, "\", \"policies\": [");
    for (int domain = 0; domain < 30; domain++) {
        buf_addf(&json,
                 "%s{\"policy\": {\"policy-domain\": \"d%d\\u0007\"}, \"summary\": ", domain ? "," : "",
                 domain);
        buf_add_c(&json, "{\"total-failure-session-count\": 9223372036854775807}, \"failure-details\": [");
        for (int kind = 0; kind < 100; kind++)
            buf_addf(&json, "%s{\"result-type\": \"kind-%d\", \"failed-session-count\": 9223372036854775807}",
                     kind ? "," : "", kind);
        buf_add_c(&json, "]}");
    }
    buf_add_c(&json, "]}");
    assert_true(tls_summary_of(buf_str(&json), &a, &s, &e));
    assert_int_equal(s.organization.n, TLS_SUMMARY_WORDS_MAX);
    assert_int_equal(s.count, TLS_SUMMARY_DOMAINS_MAX);
    assert_true(str_eq(s.domains[19].domain, STR("d19?")));
    assert_true(s.domains[0].failed == TLS_SUMMARY_SESSIONS_MAX);
    assert_true(str_starts(s.domains[0].failures, STR("kind-0 9007199254740992, kind-1 ")));
    assert_true(str_find(s.domains[0].failures, STR("kind-14 ")) != STR_NONE);
    assert_true(str_ends(s.domains[0].failures, STR(", other 9007199254740992")));
    assert_true(s.domains[0].failures.n <= TLS_SUMMARY_FAILURES_MAX);
}

static void what_is_no_report_is_told(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf mail, zeros;
    struct tls_summary s;
    struct err e = ERR_INIT;
    buf_init(&mail, BUF_MAX_DEFAULT);
    buf_init(&zeros, BUF_MAX_DEFAULT);
    assert_false(tls_summary_of(STR("Subject: x\r\n\r\nhello\r\n"), &a, &s, &e));
    assert_non_null(strstr(e.text, "neither a report"));
    assert_false(tls_summary_of(STR("{\"policies\": []}"), &a, &s, &e));
    assert_string_equal(e.text, "a report about no domain");
    assert_false(tls_summary_of(STR("\x1f\x8bx"), &a, &s, &e));
    assert_string_equal(e.text, "its gzip is broken");
    memset(buf_room(&zeros, TLS_SUMMARY_JSON_MAX + 1), ' ', TLS_SUMMARY_JSON_MAX + 1);
    buf_grew(&zeros, TLS_SUMMARY_JSON_MAX + 1);
    make_mail(&mail, buf_str(&zeros)); /* a few kilobytes */
    assert_true(mail.n < 20000);
    assert_false(tls_summary_of(buf_str(&mail), &a, &s, &e));
    assert_string_equal(e.text, "the report has over 4194304 bytes");
    assert_false(tls_summary_of(str_slice(buf_str(&zeros), 0, TLS_SUMMARY_MAIL_MAX + 1), &a, &s, &e));
    assert_string_equal(e.text, "over 2097152 bytes");
}

static bool frame_is_taken(const struct tls_summary *s)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame f;
    struct tls_summary out;
    ipc_frame_init(&f, 1);
    tls_summary_put(&f, s);
    struct ipc_reader in = ipc_read(&f);
    return tls_summary_get(&in, &a, &out) && ipc_done(&in);
}

static void frames_from_a_process_that_was_taken_over(void **state)
{
    (void)state;
    char words[TLS_SUMMARY_WORDS_MAX + 1];
    struct tls_summary_domain d[TLS_SUMMARY_DOMAINS_MAX + 1] = {{STR("d"), 1, 2, STR("x 2")}};
    const struct tls_summary good = {STR("o"), STR("r"), STR("b"), STR("e"), d, 1};
    struct tls_summary bad = good;
    memset(words, 'x', sizeof words);
    assert_true(frame_is_taken(&good));
    bad.organization = str_from(words, sizeof words);
    assert_false(frame_is_taken(&bad));
    bad = good;
    bad.end = STR("line\nbreak");
    assert_false(frame_is_taken(&bad));
    bad = good;
    bad.count = 0;
    assert_false(frame_is_taken(&bad));
    bad.count = TLS_SUMMARY_DOMAINS_MAX + 1;
    assert_false(frame_is_taken(&bad));
    d[0].good = TLS_SUMMARY_SESSIONS_MAX + 1;
    assert_false(frame_is_taken(&good));
    d[0] = (struct tls_summary_domain){STR("d\x1b[2J"), 1, 2, STR("")};
    assert_false(frame_is_taken(&good));
}

static void gzip_is_bounded(void **state)
{
    (void)state;
    CLEAN_BUF struct buf zeros, packed, out;
    buf_init(&zeros, BUF_MAX_DEFAULT);
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&out, 1000);
    memset(buf_room(&zeros, 1000000), 0, 1000000);
    buf_grew(&zeros, 1000000);
    gzip_pack(buf_str(&zeros), &packed);
    assert_true(packed.n < 2000);
    assert_false(gzip_unpack(buf_str(&packed), &out));
    CLEAN_BUF struct buf large;
    buf_init(&large, 1000000);
    assert_true(gzip_unpack(buf_str(&packed), &large) && large.n == 1000000);
    buf_reset(&large);
    assert_false(gzip_unpack(str_slice(buf_str(&packed), 0, packed.n / 2), &large));
    assert_false(gzip_unpack(STR("no gzip"), &large));
    assert_false(gzip_unpack(STR(""), &large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_tell_of_a_policy),
        cmocka_unit_test(the_policy_of_the_standard),
        cmocka_unit_test(policies_good_and_bad),
        cmocka_unit_test(tlsa_records_that_can_be_used),
        cmocka_unit_test(records_tell_who_wants_reports),
        cmocka_unit_test(addresses_of_uris),
        cmocka_unit_test(ours_can_be_read),
        cmocka_unit_test(the_report_of_the_standard),
        cmocka_unit_test(the_mail_around_a_report),
        cmocka_unit_test(a_message_that_brings_a_report_is_known_by_its_header),
        cmocka_unit_test(our_own_report_is_summed_up),
        cmocka_unit_test(nothing_of_a_report_is_without_bound),
        cmocka_unit_test(what_is_no_report_is_told),
        cmocka_unit_test(frames_from_a_process_that_was_taken_over),
        cmocka_unit_test(gzip_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
