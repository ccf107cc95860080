/* A report about TLS from anybody, packed or not; a record that tells who wants ours. What is read holds no
 * controls, and the numbers of a report of our own are the same when it is read again. */
#include "trust/gzip.h"
#include "trust/tls_report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            abort();
}

static void read_theirs(struct str json)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_report_read r;
    if (!tls_report_read(json, &a, &r, NULL))
        return;
    is_clean(r.organization);
    is_clean(r.id);
    for (size_t i = 0; i < r.count; i++) {
        is_clean(r.rows[i].type);
        is_clean(r.rows[i].mx);
        is_clean(r.rows[i].reason);
    }
}

/* The text as whatever a report of ours may hold. */
static void write_ours(struct str text)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf json;
    struct tls_report_read read;
    struct tls_rpt_count counts[] = {
        {.policy = {.type = TLS_RPT_STS, .domain = STR("d"), .text = text, .mx = text}, .sessions = 7},
        {.policy = {.type = TLS_RPT_STS, .domain = STR("d"), .text = text, .mx = text},
         .result = TLS_RPT_CERTIFICATE_EXPIRED,
         .host = text,
         .reason = text,
         .sessions = 3},
    };
    struct tls_report r = {
        .organization = text, .contact = text, .domain = text, .id = text, .counts = counts, .count = 2};
    buf_init(&json, BUF_MAX_DEFAULT);
    tls_report_json(&r, &json);
    if (!tls_report_read(buf_str(&json), &a, &read, NULL) || read.count != 2 || read.rows[0].good != 7 ||
        read.rows[0].failed != 3 || read.rows[1].failed != 3)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf json;
    struct str text = str_from(data, size), uris[TLS_REPORT_RUA_MAX];
    buf_init(&json, (size_t)1 << 20);
    read_theirs(gzip_unpack(text, &json) ? buf_str(&json) : text);
    write_ours(text);
    size_t n = tls_report_rua(&text, 1, uris);
    for (size_t i = 0; i < n; i++) {
        is_clean(uris[i]);
        if (str_starts_nocase(uris[i], STR("mailto:")))
            is_clean(tls_report_address(uris[i], &a));
    }
    return 0;
}
