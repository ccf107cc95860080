#include "trust/tls_summary.h"

#include "trust/tls_report.h"

/* What is added up: sessions of a domain, and of each kind of failure. */
struct kind {
    struct str result;
    uint64_t sessions;
};
struct sums {
    struct str domain;
    uint64_t good, failed;
    struct kind kinds[TLS_SUMMARY_KINDS_MAX];
    size_t count;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > TLS_SUMMARY_SESSIONS_MAX - b ? TLS_SUMMARY_SESSIONS_MAX : a + b;
}

static uint64_t bounded(uint64_t n)
{
    return n < TLS_SUMMARY_SESSIONS_MAX ? n : TLS_SUMMARY_SESSIONS_MAX;
}

static struct str cut(struct str words)
{
    return str_slice(words, 0, TLS_SUMMARY_WORDS_MAX);
}

/* The place of the last one is for all that have none of their own. */
static void add_failures(struct sums *d, const struct tls_report_row *r)
{
    struct str result = r->result.n > 0 ? cut(r->result) : STR("other");
    size_t i = 0;
    while (i < d->count && !str_eq_nocase(d->kinds[i].result, result))
        i++;
    if (i == d->count && d->count < TLS_SUMMARY_KINDS_MAX)
        d->kinds[d->count++] =
            (struct kind){.result = d->count == TLS_SUMMARY_KINDS_MAX ? STR("other") : result};
    if (i == TLS_SUMMARY_KINDS_MAX)
        i--;
    d->kinds[i].sessions = sum(d->kinds[i].sessions, bounded(r->failed));
}

static struct str failures_text(const struct sums *d, struct arena *a)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < d->count && out.n < TLS_SUMMARY_FAILURES_MAX; i++)
        buf_addf(&out, "%s%.*s %llu", i > 0 ? ", " : "", STR_ARGS(d->kinds[i].result),
                 (unsigned long long)d->kinds[i].sessions);
    return arena_copy(a, str_slice(buf_str(&out), 0, TLS_SUMMARY_FAILURES_MAX));
}

/* The sums of a domain; NULL: there is no room for another. */
static struct sums *sums_of(struct sums *all, size_t *n, struct str domain)
{
    for (size_t i = 0; i < *n; i++)
        if (str_eq_nocase(all[i].domain, domain))
            return &all[i];
    if (*n == TLS_SUMMARY_DOMAINS_MAX)
        return NULL;
    all[*n].domain = domain;
    return &all[(*n)++];
}

/* A domain may have several policies in one report: their numbers are added. */
static size_t add_up(const struct tls_report_read *r, struct sums *all)
{
    size_t n = 0;
    struct sums *d = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct tls_report_row *row = &r->rows[i];
        if (!row->is_detail) {
            d = sums_of(all, &n, cut(row->domain));
            if (d) {
                d->good = sum(d->good, bounded(row->good));
                d->failed = sum(d->failed, bounded(row->failed));
            }
        } else if (d) {
            add_failures(d, row);
        }
    }
    return n;
}

bool tls_summary_of(struct str file, struct arena *a, struct tls_summary *out, struct err *e)
{
    CLEAN_BUF struct buf json;
    struct tls_report_read r;
    buf_init(&json, TLS_SUMMARY_JSON_MAX);
    if (file.n > TLS_SUMMARY_MAIL_MAX)
        return err_set(e, ERR_PERMANENT, "over %zu bytes", TLS_SUMMARY_MAIL_MAX);
    if (!tls_report_unpack(file, a, &json, e) || !tls_report_read(buf_str(&json), a, &r, e))
        return false;
    struct sums *all = ARENA_ARRAY(a, struct sums, TLS_SUMMARY_DOMAINS_MAX);
    size_t n = add_up(&r, all);
    if (n == 0)
        return err_set(e, ERR_PERMANENT, "a report about no domain");
    *out = (struct tls_summary){
        .organization = cut(r.organization),
        .report = cut(r.id),
        .begin = cut(r.begin),
        .end = cut(r.end),
        .domains = ARENA_ARRAY(a, struct tls_summary_domain, n),
        .count = n,
    };
    for (size_t i = 0; i < n; i++)
        out->domains[i] =
            (struct tls_summary_domain){all[i].domain, all[i].good, all[i].failed, failures_text(&all[i], a)};
    return true;
}

/* --- in frames --- */

void tls_summary_put(struct ipc_frame *f, const struct tls_summary *s)
{
    ipc_put_str(f, s->organization);
    ipc_put_str(f, s->report);
    ipc_put_str(f, s->begin);
    ipc_put_str(f, s->end);
    ipc_put_u32(f, (uint32_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        ipc_put_str(f, s->domains[i].domain);
        ipc_put_u64(f, s->domains[i].good);
        ipc_put_u64(f, s->domains[i].failed);
        ipc_put_str(f, s->domains[i].failures);
    }
}

/* Whoever made the frame has read what a stranger wrote. */
static bool get_words(struct ipc_reader *in, size_t most, struct str *out)
{
    *out = ipc_get_str(in);
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ' || out->p[i] == 127)
            return false;
    return !in->bad && out->n <= most;
}

static bool get_domain(struct ipc_reader *in, struct tls_summary_domain *d)
{
    bool is_name = get_words(in, TLS_SUMMARY_WORDS_MAX, &d->domain);
    d->good = ipc_get_u64(in);
    d->failed = ipc_get_u64(in);
    return is_name && get_words(in, TLS_SUMMARY_FAILURES_MAX, &d->failures) &&
           d->good <= TLS_SUMMARY_SESSIONS_MAX && d->failed <= TLS_SUMMARY_SESSIONS_MAX;
}

bool tls_summary_get(struct ipc_reader *in, struct arena *a, struct tls_summary *out)
{
    struct str *const WORDS[] = {&out->organization, &out->report, &out->begin, &out->end};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (!get_words(in, TLS_SUMMARY_WORDS_MAX, WORDS[i]))
            return false;
    uint32_t n = ipc_get_u32(in);
    if (in->bad || n == 0 || n > TLS_SUMMARY_DOMAINS_MAX)
        return false;
    out->domains = ARENA_ARRAY(a, struct tls_summary_domain, n);
    for (out->count = 0; out->count < n; out->count++)
        if (!get_domain(in, &out->domains[out->count]))
            return false;
    return true;
}
