#include "relay/sts.h"

#include "base/log.h"
#include "base/mem.h"
#include "relay/https.h"
#include "relay/name_hash.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FETCH_MS    (60 * 1000) /* RFC 8461 section 3.3 suggests a minute */
#define FRESH_S     60          /* what was found is not looked at again for so long */
#define RETRY_S     300         /* after a fetch that failed: section 3.3 asks for five minutes at least */
#define REFRESH_S   86400 /* a policy is fetched again after a day, also with the same id: section 3.3 */
#define ENTRIES_MAX 4096  /* domains in memory; then the oldest make room */
#define BUCKETS     1024
#define POLICY_PATH "/.well-known/mta-sts.txt"

/* What is known of a domain. */
struct entry {
    struct entry *next;  /* in its bucket */
    struct entry *newer; /* in the order of making */
    struct str domain;   /* owned, as the other strings */
    bool is_busy;        /* somebody is finding out */
    bool is_loaded;      /* what was kept on disk is here */
    int64_t fresh_until; /* seconds */
    int64_t retry_after; /* a fetch failed: not again before this */
    struct str id, text; /* of the policy; text "" for none */
    int64_t fetched, expires;
    enum tls_rpt_result problem;
    char words[200];
};

struct sts {
    struct route_resolver dns;
    struct queue_tls *memory;
    uint16_t port;
    pthread_mutex_t lock; /* over everything below, and over entries that are not busy */
    pthread_cond_t idle;  /* an entry is no longer busy */
    struct entry *buckets[BUCKETS];
    struct entry *oldest, **last;
    size_t count;
};

struct sts *sts_new(const struct route_resolver *dns, struct queue_tls *memory, uint16_t port)
{
    struct sts *s = MEM_NEW(struct sts);
    *s = (struct sts){.dns = *dns, .memory = memory, .port = port};
    s->last = &s->oldest;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    return s;
}

static void set(struct str *to, struct str value)
{
    free((char *)(uintptr_t)to->p);
    *to = str_from(mem_copy_c(value.p, value.n), value.n);
}

static void entry_free(struct entry *n)
{
    free((char *)(uintptr_t)n->domain.p);
    free((char *)(uintptr_t)n->id.p);
    free((char *)(uintptr_t)n->text.p);
    free(n);
}

/* --- entries; with the lock --- */

static struct entry **bucket(struct sts *s, struct str domain)
{
    return &s->buckets[name_hash(NAME_HASH_BEGIN, domain) % BUCKETS];
}

/* One that somebody is at stays: it gets another turn. */
static void drop_oldest(struct sts *s)
{
    struct entry *n = s->oldest;
    s->oldest = n->newer;
    if (!s->oldest)
        s->last = &s->oldest;
    if (n->is_busy) {
        n->newer = NULL;
        *s->last = n;
        s->last = &n->newer;
        return;
    }
    for (struct entry **at = bucket(s, n->domain); *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    entry_free(n);
    s->count--;
}

static struct entry *find(struct sts *s, struct str domain)
{
    struct entry **at = bucket(s, domain);
    for (struct entry *n = *at; n; n = n->next)
        if (str_eq_nocase(n->domain, domain))
            return n;
    return NULL;
}

static struct entry *add(struct sts *s, struct str domain)
{
    if (s->count >= ENTRIES_MAX)
        drop_oldest(s);
    struct entry *n = MEM_NEW(struct entry), **at = bucket(s, domain);
    set(&n->domain, domain);
    n->next = *at;
    *at = n;
    *s->last = n;
    s->last = &n->newer;
    s->count++;
    return n;
}

/* --- finding out; the entry is busy, the lock is not held --- */

static void fails(struct entry *n, enum tls_rpt_result problem, const char *words)
{
    n->problem = problem;
    snprintf(n->words, sizeof n->words, "%s", words);
    LOG_WARNING("relay.sts_problem", F_STR("domain", n->domain),
                F_STR("result", tls_rpt_result_name(problem)), F_C("reason", words));
}

static void load(struct sts *s, struct entry *n, struct arena *a)
{
    struct queue_tls_policy kept;
    struct err e = ERR_INIT;
    int found = s->memory ? queue_tls_policy(s->memory, n->domain, a, &kept, &e) : 0;
    if (found < 0)
        LOG_WARNING("relay.sts_memory", F_STR("domain", n->domain), F_C("reason", e.text));
    n->is_loaded = found >= 0;
    if (found <= 0)
        return;
    set(&n->id, kept.id);
    set(&n->text, kept.text);
    n->fetched = kept.fetched;
    n->expires = kept.expires;
}

static void keep(struct sts *s, struct entry *n)
{
    struct queue_tls_policy p = {n->id, n->text, n->fetched, n->expires};
    struct err e = ERR_INIT;
    if (s->memory && !queue_tls_keep_policy(s->memory, n->domain, &p, &e))
        LOG_WARNING("relay.sts_memory", F_STR("domain", n->domain), F_C("reason", e.text));
}

/* The policy file from its web server (section 3.3). False: *e says why, and n->problem what that is called.
 */
static bool fetch(struct sts *s, struct entry *n, struct arena *a, struct buf *text)
{
    struct err e = ERR_INIT;
    struct str host = arena_printf(a, "mta-sts.%.*s", STR_ARGS(n->domain));
    struct https_request r = {
        .host = arena_copy_c(a, host),
        .port = s->port,
        .addresses = https_addresses(&s->dns, host, a),
        .media_type = "text/plain",
        .timeout_ms = FETCH_MS,
    };
    if (!r.addresses) {
        fails(n, TLS_RPT_STS_POLICY_FETCH_ERROR, "the web server has no address");
        return false;
    }
    r.url = s->port == 443 ? arena_printf(a, "https://%s" POLICY_PATH, r.host).p
                           : arena_printf(a, "https://%s:%u" POLICY_PATH, r.host, s->port).p;
    enum https_result result = https_send(&r, text, &e);
    if (result != HTTPS_GOOD)
        fails(n, result == HTTPS_NOT_TRUSTED ? TLS_RPT_STS_WEBPKI_INVALID : TLS_RPT_STS_POLICY_FETCH_ERROR,
              e.text);
    return result == HTTPS_GOOD;
}

/* A new policy in place of what was known. What is wrong with it leaves that as it is. */
static void renew(struct sts *s, struct entry *n, struct str id, int64_t now, struct arena *a)
{
    CLEAN_BUF struct buf text;
    struct mta_sts_policy policy;
    struct err e = ERR_INIT;
    buf_init(&text, MTA_STS_POLICY_MAX);
    if (!fetch(s, n, a, &text)) {
        n->retry_after = now + RETRY_S;
        return;
    }
    if (!mta_sts_read(buf_str(&text), &policy, &e)) {
        fails(n, TLS_RPT_STS_POLICY_INVALID, e.text);
        n->retry_after = now + RETRY_S;
        return;
    }
    set(&n->id, id);
    set(&n->text, buf_str(&text));
    n->fetched = now;
    n->expires = now + (int64_t)policy.max_age;
    n->problem = TLS_RPT_SUCCESS;
    n->retry_after = 0;
    LOG_INFO("relay.sts_policy", F_STR("domain", n->domain), F_STR("id", id),
             F_STR("mode", mta_sts_mode_name(policy.mode)), F_INT("max_age", policy.max_age));
    keep(s, n);
}

/* Without a record in DNS a policy that is known goes on until it runs out: section 3.1, and 10.2, where an
 * attacker takes the record away. */
static void find_out(struct sts *s, struct entry *n, int64_t now)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str id;
    if (!n->is_loaded)
        load(s, n, &a);
    struct dns_answer txt =
        route_ask(&s->dns, DNS_TXT, arena_printf(&a, "_mta-sts.%.*s", STR_ARGS(n->domain)), &a);
    struct str *records = ARENA_ARRAY(&a, struct str, txt.count + 1);
    for (size_t i = 0; i < txt.count; i++)
        records[i] = txt.records[i].data;
    bool has_record = txt.status == DNS_FOUND && mta_sts_id(records, txt.count, &id);
    bool is_known = n->text.n > 0 && now < n->expires;
    if (!has_record && !is_known) {
        n->problem = TLS_RPT_SUCCESS;
    } else if (has_record && now >= n->retry_after &&
               (!is_known || !str_eq(id, n->id) || now - n->fetched >= REFRESH_S)) {
        renew(s, n, id, now, &a);
    }
}

void sts_find(struct sts *s, struct str domain, struct arena *a, struct sts_answer *out)
{
    int64_t now = clock_wall();
    *out = (struct sts_answer){.text = STR(""), .words = STR("")};
    pthread_mutex_lock(&s->lock);
    struct entry *n;
    while ((n = find(s, domain)) && n->is_busy)
        pthread_cond_wait(&s->idle, &s->lock);
    if (!n)
        n = add(s, domain);
    if (now >= n->fresh_until || (n->text.n > 0 && now >= n->expires)) {
        n->is_busy = true;
        pthread_mutex_unlock(&s->lock);
        find_out(s, n, now);
        pthread_mutex_lock(&s->lock);
        n->fresh_until = now + FRESH_S;
        n->is_busy = false;
        pthread_cond_broadcast(&s->idle);
    }
    out->problem = n->problem;
    out->words = arena_copy(a, str_from_c(n->words));
    out->text = arena_copy(a, n->text);
    out->has_policy = n->text.n > 0 && now < n->expires && mta_sts_read(out->text, &out->policy, NULL);
    pthread_mutex_unlock(&s->lock);
}
