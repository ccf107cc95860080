#include "trust/tls_report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

/* --- who wants them --- */

static bool is_record(struct str record, struct str *fields)
{
    struct str version;
    *fields = record;
    return str_cut(fields, ';', &version) && str_eq(str_trim(version), STR("v=TLSRPTv1")) &&
           str_starts(record, STR("v"));
}

static bool is_wanted(struct str uri)
{
    for (size_t i = 0; i < uri.n; i++)
        if (uri.p[i] <= ' ' || uri.p[i] >= 127 || strchr("\"<>\\^`{|}", uri.p[i]))
            return false;
    return (str_starts_nocase(uri, STR("mailto:")) && uri.n > 7) ||
           (str_starts_nocase(uri, STR("https://")) && uri.n > 8);
}

static size_t take_uris(struct str list, struct str uris[TLS_REPORT_RUA_MAX])
{
    size_t n = 0;
    for (bool more = true; more && n < TLS_REPORT_RUA_MAX;) {
        struct str uri;
        more = str_cut(&list, ',', &uri);
        uri = str_trim(uri);
        if (is_wanted(uri))
            uris[n++] = uri;
    }
    return n;
}

size_t tls_report_rua(const struct str *records, size_t count, struct str uris[TLS_REPORT_RUA_MAX])
{
    struct str fields, found = STR("");
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (is_record(records[i], &fields)) {
            found = fields;
            n++;
        }
    if (n != 1) /* section 3: more than one is as none */
        return 0;
    for (bool more = true; more;) {
        struct str field, key;
        more = str_cut(&found, ';', &field);
        field = str_trim(field);
        if (str_cut(&field, '=', &key) && str_eq(str_trim(key), STR("rua")))
            return take_uris(field, uris);
    }
    return 0;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str tls_report_address(struct str uri, struct arena *a)
{
    struct str rest = str_from_offset(uri, STR("mailto:").n), in;
    str_cut(&rest, '?', &in); /* header fields that a URI asks for (RFC 6068) have no place here */
    char *out = arena_new(a, in.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++, n++) {
        int high = i + 2 < in.n && in.p[i] == '%' ? hex_digit(in.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
        out[n] = low >= 0 ? (char)((unsigned)high << 4 | (unsigned)low) : in.p[i];
        i += low >= 0 ? 2 : 0;
        if ((unsigned char)out[n] <= ' ' || (unsigned char)out[n] >= 127 || strchr("<>(),;:\\\"[]", out[n]))
            return STR("");
    }
    struct str address = str_from(out, n);
    size_t at = str_rfind_byte(address, '@');
    return at == STR_NONE || at == 0 || at + 1 == n ? STR("") : address;
}

/* --- JSON out --- */

/* Text from outside: JSON wants UTF-8, and readers want no controls. */
static json_t *text(struct str s)
{
    char *clean = malloc(s.n + 1);
    if (!clean)
        abort();
    for (size_t i = 0; i < s.n; i++)
        clean[i] = s.p[i] >= ' ' && s.p[i] < 127 ? s.p[i] : '?';
    json_t *j = json_stringn(clean, s.n);
    free(clean);
    if (!j)
        abort(); /* out of memory */
    return j;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort();
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        abort();
}

static json_t *lines(struct str list)
{
    json_t *array = json_array();
    while (list.n > 0) {
        struct str line;
        str_cut(&list, '\n', &line);
        if (line.n > 0)
            append(array, text(line));
    }
    return array;
}

static void add_time(json_t *object, const char *key, int64_t at)
{
    char out[32];
    time_t t = (time_t)at;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        abort();
    set(object, key, text(str_from_c(out)));
}

static json_t *policy_json(const struct tls_rpt_policy *p)
{
    static const char *const TYPES[] = {
        [TLS_RPT_NO_POLICY] = "no-policy-found", [TLS_RPT_STS] = "sts", [TLS_RPT_TLSA] = "tlsa"};
    json_t *j = json_object();
    set(j, "policy-type", text(str_from_c(TYPES[p->type])));
    if (p->text.n > 0)
        set(j, "policy-string", lines(p->text));
    set(j, "policy-domain", text(p->domain));
    if (p->mx.n > 0)
        set(j, "mx-host", lines(p->mx));
    return j;
}

static json_t *detail_json(const struct tls_rpt_count *c)
{
    json_t *j = json_object();
    set(j, "result-type", text(tls_rpt_result_name(c->result)));
    if (c->source.n > 0)
        set(j, "sending-mta-ip", text(c->source));
    if (c->address.n > 0)
        set(j, "receiving-ip", text(c->address));
    if (c->host.n > 0)
        set(j, "receiving-mx-hostname", text(c->host));
    set(j, "failed-session-count", json_integer((json_int_t)c->sessions));
    if (c->reason.n > 0)
        set(j, "failure-reason-code", text(c->reason));
    return j;
}

static bool is_same_policy(const struct tls_rpt_policy *a, const struct tls_rpt_policy *b)
{
    return a->type == b->type && str_eq(a->domain, b->domain) && str_eq(a->text, b->text) &&
           str_eq(a->mx, b->mx);
}

/* The counts of one policy from `from` on. *end is where the next one's begin. */
static json_t *policy_counts(const struct tls_report *r, size_t from, size_t *end)
{
    json_t *j = json_object(), *summary = json_object(), *details = json_array();
    uint64_t good = 0, failed = 0;
    size_t i = from;
    for (; i < r->count && is_same_policy(&r->counts[from].policy, &r->counts[i].policy); i++) {
        const struct tls_rpt_count *c = &r->counts[i];
        *(c->result == TLS_RPT_SUCCESS ? &good : &failed) += c->sessions;
        if (c->result != TLS_RPT_SUCCESS)
            append(details, detail_json(c));
    }
    *end = i;
    set(summary, "total-successful-session-count", json_integer((json_int_t)good));
    set(summary, "total-failure-session-count", json_integer((json_int_t)failed));
    set(j, "policy", policy_json(&r->counts[from].policy));
    set(j, "summary", summary);
    if (json_array_size(details) > 0)
        set(j, "failure-details", details);
    else
        json_decref(details);
    return j;
}

static int add_piece(const char *bytes, size_t n, void *out)
{
    return buf_add(out, str_from(bytes, n)) ? 0 : -1;
}

void tls_report_json(const struct tls_report *r, struct buf *out)
{
    json_t *j = json_object(), *range = json_object(), *policies = json_array();
    add_time(range, "start-datetime", r->day * DAY_S);
    add_time(range, "end-datetime", r->day * DAY_S + DAY_S - 1);
    for (size_t at = 0; at < r->count;)
        append(policies, policy_counts(r, at, &at));
    set(j, "organization-name", text(r->organization));
    set(j, "date-range", range);
    set(j, "contact-info", text(r->contact));
    set(j, "report-id", text(r->id));
    set(j, "policies", policies);
    json_dump_callback(j, add_piece, out, JSON_COMPACT);
    json_decref(j);
}
