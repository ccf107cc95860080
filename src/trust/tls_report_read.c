/* Reports that others send: the message around them, and their JSON. */
#include "message/decode.h"
#include "message/header.h"
#include "message/mime.h"
#include "trust/gzip.h"
#include "trust/tls_report.h"

#include <jansson.h>
#include <pthread.h>
#include <sys/random.h>

/* --- the message around it --- */

bool tls_report_is_mail(struct str message)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct header_field f;
    struct mime_part type = {0};
    struct str header = str_slice(message, 0, header_size(message));
    if (header_find(header, STR("TLS-Report-Domain"), &f))
        return true;
    if (!header_find(header, STR("Content-Type"), &f))
        return false;
    mime_parse_content_type(f.value, &a, &type);
    bool is_report = str_eq(type.type, STR("multipart")) && str_eq(type.subtype, STR("report"));
    return is_report
               ? str_eq_nocase(mime_param(type.params, type.param_count, STR("report-type")), STR("tlsrpt"))
               : str_eq(type.type, STR("application")) && str_starts(type.subtype, STR("tlsrpt+"));
}

static const struct mime_part *find_part(const struct mime_part *p)
{
    if (str_eq(p->type, STR("application")) &&
        (str_starts(p->subtype, STR("tlsrpt+")) || str_eq(p->subtype, STR("gzip")) ||
         str_eq(p->subtype, STR("json"))))
        return p;
    for (size_t i = 0; i < p->child_count; i++) {
        const struct mime_part *found = find_part(p->children[i]);
        if (found)
            return found;
    }
    return NULL;
}

static bool is_gzip(struct str s)
{
    return str_starts(s, STR("\x1f\x8b"));
}

static bool unpack(struct str packed, struct buf *json, struct err *e)
{
    bool is_good = is_gzip(packed) ? gzip_unpack(packed, json) : buf_add(json, packed);
    if (json->overflow)
        return err_set(e, ERR_PERMANENT, "the report has over %zu bytes", json->max);
    return is_good || err_set(e, ERR_PERMANENT, "its gzip is broken");
}

bool tls_report_unpack(struct str file, struct arena *a, struct buf *json, struct err *e)
{
    CLEAN_BUF struct buf bytes;
    struct str start = str_trim(str_slice(file, 0, 100));
    buf_init(&bytes, BUF_MAX_DEFAULT); /* no longer than the file */
    if (is_gzip(file) || str_starts(start, STR("{")))
        return unpack(file, json, e);
    const struct mime_part *part = find_part(mime_parse(file, a));
    if (!part)
        return err_set(e, ERR_PERMANENT,
                       "neither a report about TLS (RFC 8460) nor a message that holds one");
    decode_transfer(str_slice(file, part->body_at, part->body_size), part->encoding, &bytes);
    return unpack(buf_str(&bytes), json, e);
}

/* --- JSON in --- */

static struct str get_text(const json_t *object, const char *key, struct arena *a)
{
    const json_t *j = json_object_get(object, key);
    if (!json_is_string(j))
        return STR("");
    size_t n = json_string_length(j);
    char *copy = arena_new(a, n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)json_string_value(j)[i];
        copy[i] = c < ' ' || c == 127 ? '?' : (char)c;
    }
    return str_from(copy, n);
}

static uint64_t get_count(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key)); /* 0 for anything else */
    return n > 0 ? (uint64_t)n : 0;
}

/* mx-host is an array by the text of section 4.2, and one string in what some senders make of it. */
static struct str get_hosts(const json_t *policy, struct arena *a)
{
    const json_t *list = json_object_get(policy, "mx-host");
    CLEAN_BUF struct buf out;
    buf_init(&out, TLS_REPORT_BYTES_MAX);
    if (json_is_string(list))
        return get_text(policy, "mx-host", a);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *host = json_array_get(list, i);
        if (json_is_string(host))
            buf_addf(&out, "%s%s", out.n > 0 ? " " : "", json_string_value(host));
    }
    for (size_t i = 0; i < out.n; i++)
        out.p[i] = (unsigned char)out.p[i] < ' ' || out.p[i] == 127 ? '?' : out.p[i];
    return arena_copy(a, buf_str(&out));
}

static size_t count_rows(const json_t *policies)
{
    size_t n = json_array_size(policies);
    for (size_t i = 0, all = n; i < all; i++)
        n += json_array_size(json_object_get(json_array_get(policies, i), "failure-details"));
    return n;
}

static void read_policy(const json_t *j, struct arena *a, struct tls_report_read *out)
{
    const json_t *policy = json_object_get(j, "policy"), *summary = json_object_get(j, "summary");
    const json_t *details = json_object_get(j, "failure-details");
    out->rows[out->count++] = (struct tls_report_row){
        .type = get_text(policy, "policy-type", a),
        .domain = get_text(policy, "policy-domain", a),
        .mx = get_hosts(policy, a),
        .good = get_count(summary, "total-successful-session-count"),
        .failed = get_count(summary, "total-failure-session-count"),
    };
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *d = json_array_get(details, i);
        out->rows[out->count++] = (struct tls_report_row){
            .is_detail = true,
            .failed = get_count(d, "failed-session-count"),
            .result = get_text(d, "result-type", a),
            .host = get_text(d, "receiving-mx-hostname", a),
            .address = get_text(d, "receiving-ip", a),
            .source = get_text(d, "sending-mta-ip", a),
            .reason = get_text(d, "failure-reason-code", a),
        };
    }
}

static bool read_report(const json_t *j, struct arena *a, struct tls_report_read *out, struct err *e)
{
    const json_t *range = json_object_get(j, "date-range"), *policies = json_object_get(j, "policies");
    if (!json_is_object(j) || !json_is_array(policies))
        return err_set(e, ERR_PERMANENT, "the JSON is no report about TLS: it has no \"policies\"");
    size_t rows = count_rows(policies);
    if (rows > TLS_REPORT_ROWS_MAX)
        return err_set(e, ERR_PERMANENT, "a report of over %d lines", TLS_REPORT_ROWS_MAX);
    *out = (struct tls_report_read){
        .organization = get_text(j, "organization-name", a),
        .contact = get_text(j, "contact-info", a),
        .id = get_text(j, "report-id", a),
        .begin = get_text(range, "start-datetime", a),
        .end = get_text(range, "end-datetime", a),
        .rows = ARENA_ARRAY(a, struct tls_report_row, rows),
    };
    for (size_t i = 0; i < json_array_size(policies); i++)
        read_policy(json_array_get(policies, i), a, out);
    return true;
}

/* By itself jansson would open /dev/urandom for this, which a sandbox does not have, and then take the time.
 */
static void seed_objects(void)
{
    size_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        json_object_seed(seed);
}

bool tls_report_read(struct str json, struct arena *a, struct tls_report_read *out, struct err *e)
{
    static pthread_once_t seeded = PTHREAD_ONCE_INIT;
    json_error_t why;
    pthread_once(&seeded, seed_objects);
    if (json.n > TLS_REPORT_BYTES_MAX)
        return err_set(e, ERR_PERMANENT, "over %zu bytes", TLS_REPORT_BYTES_MAX);
    json_t *j = json_loadb(json.n > 0 ? json.p : "", json.n, 0, &why);
    if (!j)
        return err_set(e, ERR_PERMANENT, "not JSON: line %d: %s", why.line, why.text);
    bool good = read_report(j, a, out, e);
    json_decref(j);
    return good;
}
