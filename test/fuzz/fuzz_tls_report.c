/* A report about TLS from anybody, packed or not; a record that tells who wants ours. What is read holds no
 * controls, and the numbers of a report of our own are the same when it is read again. */
#include "trust/gzip.h"
#include "trust/tls_report.h"
#include "trust/tls_summary.h"

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

/* As the message that brings it: what is kept passes through a frame unchanged. */
static void sum_up(struct str file)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame f = {0};
    struct tls_summary s, again;
    (void)tls_report_is_mail(file);
    if (!tls_summary_of(file, &a, &s, NULL))
        return;
    ipc_frame_init(&f, 1);
    tls_summary_put(&f, &s);
    struct ipc_reader in = ipc_read(&f);
    if (!tls_summary_get(&in, &a, &again) || !ipc_done(&in) || again.count != s.count ||
        !str_eq(again.domains[0].failures, s.domains[0].failures))
        abort();
}

/* A frame from a process that such a report has taken over. */
static void read_frame(struct str bytes)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct ipc_reader in = {.rest = bytes};
    struct tls_summary s;
    if (!tls_summary_get(&in, &a, &s))
        return;
    is_clean(s.organization);
    for (size_t i = 0; i < s.count; i++)
        is_clean(s.domains[i].failures);
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
    sum_up(text);
    read_frame(text);
    size_t n = tls_report_rua(&text, 1, uris);
    for (size_t i = 0; i < n; i++) {
        is_clean(uris[i]);
        if (str_starts_nocase(uris[i], STR("mailto:")))
            is_clean(tls_report_address(uris[i], &a));
    }
    return 0;
}
