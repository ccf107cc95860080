#include "relay/reporter.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "relay/https.h"
#include "trust/gzip.h"
#include "trust/tls_report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define FLUSH_MS   2000             /* results get to the queue so late */
#define LOOK_MS    (15 * 60 * 1000) /* whether a report is due */
#define SPREAD_S   (4 * 3600)       /* section 4.1: not all at midnight */
#define RETRY_S    3600             /* section 5.5: again for a day */
#define TRIES_MAX  24
#define POST_MS    (60 * 1000)
#define REPORT_MAX ((size_t)4 * 1024 * 1024) /* the queue gives counts of one frame: 128 KiB */

struct reporter {
    struct reporter_settings settings;
    int64_t late_s; /* of SPREAD_S, by chance */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_woken;
};

/* --- one report --- */

struct delivery {
    struct reporter *reporter;
    const struct queue_tls_due *due;
    struct tls_report report;
    struct str packed;
    struct arena arena;
};

/* The same each time that it is tried: who gets it twice sees that. */
static struct str report_id(const struct queue_tls_due *due, struct arena *a)
{
    return arena_printf(a, "%lld.%u.%.*s", (long long)due->day, due->report, STR_ARGS(due->domain));
}

static void make(struct delivery *d)
{
    CLEAN_BUF struct buf json, packed;
    struct str host = d->reporter->settings.hostname;
    buf_init(&json, REPORT_MAX);
    buf_init(&packed, REPORT_MAX);
    d->report = (struct tls_report){
        .organization = host,
        .contact = arena_printf(&d->arena, "postmaster@%.*s", STR_ARGS(host)),
        .domain = d->due->domain,
        .id = report_id(d->due, &d->arena),
        .day = d->due->day,
        .counts = d->due->counts,
        .count = d->due->count,
    };
    tls_report_json(&d->report, &json);
    gzip_pack(buf_str(&json), &packed);
    d->packed = arena_copy(&d->arena, buf_str(&packed));
}

static bool send_mail(struct delivery *d, struct str uri, struct err *e)
{
    CLEAN_BUF struct buf mail;
    struct queue_recipient to = {.address = tls_report_address(uri, &d->arena),
                                 .asked = ENVELOPE_RECIPIENT_INIT};
    int64_t id;
    if (to.address.n == 0)
        return err_set(e, ERR_PERMANENT, "not an address");
    to.original = to.address;
    to.detail = STR("");
    buf_init(&mail, REPORT_MAX);
    tls_report_mail(&d->report, d->packed, to.address, clock_wall(), &mail);
    struct queue_message m = {.body = parcel_of(buf_str(&mail)),
                              .sender = STR(""), /* nobody waits for a report about it */
                              .asked = ENVELOPE_INIT,
                              .recipients = &to,
                              .count = 1};
    return getrandom(m.id, sizeof m.id, 0) == sizeof m.id &&
           queue_enqueue(d->reporter->settings.queue, &m, &id, e);
}

/* "https://HOST[:PORT]/..." */
static bool take_host(struct str uri, struct arena *a, struct str *host, uint16_t *port)
{
    struct str rest = str_from_offset(uri, STR("https://").n);
    size_t end = 0;
    uint32_t number = 443;
    while (end < rest.n && !strchr("/?#", rest.p[end]))
        end++;
    rest = str_slice(rest, 0, end);
    size_t colon = str_rfind_byte(rest, ':');
    if (colon != STR_NONE && (!str_to_u32(str_from_offset(rest, colon + 1), &number) || number > UINT16_MAX))
        return false;
    *host = arena_copy(a, str_slice(rest, 0, colon == STR_NONE ? rest.n : colon));
    *port = (uint16_t)number;
    return host->n > 0 && str_find_byte(*host, '@') == STR_NONE && str_find_byte(*host, '[') == STR_NONE;
}

static bool send_post(struct delivery *d, struct str uri, struct err *e)
{
    struct arena *a = &d->arena;
    struct str host;
    struct https_request r = {.url = arena_copy_c(a, uri),
                              .media_type = "application/tlsrpt+gzip",
                              .body = d->packed,
                              .timeout_ms = POST_MS};
    struct buf none;
    buf_init(&none, 0);
    if (!take_host(uri, a, &host, &r.port))
        return err_set(e, ERR_PERMANENT, "not a URL that reports can go to");
    r.host = arena_copy_c(a, host);
    r.addresses = https_addresses(&d->reporter->settings.dns, host, a);
    if (!r.addresses)
        return err_set(e, ERR_TEMPORARY, "the web server has no address");
    return https_send(&r, &none, e) == HTTPS_GOOD;
}

/* True: one of the addresses has it, which is enough (section 3). */
static bool send_to_one(struct delivery *d, const struct str *uris, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        bool is_mail = str_starts_nocase(uris[i], STR("mailto:"));
        bool sent = is_mail ? send_mail(d, uris[i], &e) : send_post(d, uris[i], &e);
        if (sent) {
            LOG_INFO("relay.tls_report", F_STR("domain", d->due->domain), F_STR("report", d->report.id),
                     F_STR("to", uris[i]));
            return true;
        }
        LOG_WARNING("relay.tls_report_failed", F_STR("domain", d->due->domain), F_STR("to", uris[i]),
                    F_C("reason", e.text));
    }
    return false;
}

static enum tls_day_state report(struct reporter *r, const struct queue_tls_due *due)
{
    struct delivery d = {.reporter = r, .due = due};
    struct str uris[TLS_REPORT_RUA_MAX];
    enum tls_day_state state = due->attempts + 1 < TRIES_MAX ? TLS_DAY_SENDING : TLS_DAY_GIVEN_UP;
    struct dns_answer txt =
        route_ask(&r->settings.dns, DNS_TXT, arena_printf(&d.arena, "_smtp._tls.%.*s", STR_ARGS(due->domain)),
                  &d.arena);
    struct str *records = ARENA_ARRAY(&d.arena, struct str, txt.count + 1);
    for (size_t i = 0; i < txt.count; i++)
        records[i] = txt.records[i].data;
    if (txt.status != DNS_TEMPORARY) {
        size_t n = tls_report_rua(records, txt.count, uris);
        if (n == 0) {
            state = TLS_DAY_NOBODY;
        } else {
            make(&d);
            state = send_to_one(&d, uris, n) ? TLS_DAY_SENT : state;
        }
    }
    arena_free(&d.arena);
    return state;
}

static void send_due(struct reporter *r)
{
    for (;;) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct queue_tls_due due;
        struct err e = ERR_INIT;
        int64_t now = clock_wall();
        int found = queue_tls_due(r->settings.memory, tls_rpt_day(now - r->late_s), &a, &due, &e);
        if (found == 0)
            return;
        enum tls_day_state state = found > 0 ? report(r, &due) : TLS_DAY_SENDING;
        if (found < 0 || !queue_tls_reported(r->settings.memory, &due, state, now + RETRY_S, &e)) {
            LOG_WARNING("relay.tls_reports", F_C("reason", e.text));
            return; /* again when it is looked next */
        }
    }
}

/* --- the thread --- */

/* True: woken. */
static bool rest(struct reporter *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FLUSH_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!r->is_woken && pthread_cond_timedwait(&r->woken, &r->lock, &until) == 0)
        ;
    bool woken = r->is_woken;
    r->is_woken = false;
    pthread_mutex_unlock(&r->lock);
    return woken;
}

static void serve(void *context)
{
    struct reporter *r = context;
    struct deadline look = deadline_in(LOOK_MS);
    for (;;) {
        bool woken = rest(r);
        tls_results_flush(r->settings.results);
        if (!r->settings.sends || (!woken && !deadline_passed(look)))
            continue;
        send_due(r);
        look = deadline_in(LOOK_MS);
    }
}

struct reporter *reporter_start(const struct reporter_settings *s)
{
    struct reporter *r = MEM_NEW(struct reporter);
    uint32_t chance = 0;
    r->settings = *s;
    if (getrandom(&chance, sizeof chance, 0) == sizeof chance)
        r->late_s = chance % SPREAD_S;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->woken, NULL);
    if (!thread_start(serve, r))
        log_die("relay.thread", "cannot start the thread of reports");
    return r;
}

void reporter_wake(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_woken = true;
    pthread_cond_signal(&r->woken);
    pthread_mutex_unlock(&r->lock);
}
