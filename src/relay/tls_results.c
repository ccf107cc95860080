#include "relay/tls_results.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>

#define KINDS_MAX 1000 /* that are told apart between two flushes */

struct batch {
    struct arena arena;
    struct tls_rpt_count *counts; /* room for KINDS_MAX */
    size_t n;
    int64_t day;
};

struct tls_results {
    struct queue_tls *memory;
    pthread_mutex_t lock; /* over now */
    struct batch now;
    pthread_mutex_t flushing; /* over late */
    struct batch late;        /* on its way */
};

struct tls_results *tls_results_new(struct queue_tls *memory)
{
    struct tls_results *r = MEM_NEW(struct tls_results);
    r->memory = memory;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->flushing, NULL);
    return r;
}

static bool is_like(const struct tls_rpt_count *a, const struct tls_rpt_count *b)
{
    return a->result == b->result && a->policy.type == b->policy.type &&
           str_eq(a->policy.domain, b->policy.domain) && str_eq(a->policy.text, b->policy.text) &&
           str_eq(a->policy.mx, b->policy.mx) && str_eq(a->host, b->host) && str_eq(a->address, b->address) &&
           str_eq(a->source, b->source) && str_eq(a->reason, b->reason);
}

static struct tls_rpt_count *find(struct batch *b, const struct tls_rpt_count *c)
{
    for (size_t i = 0; i < b->n; i++)
        if (is_like(&b->counts[i], c))
            return &b->counts[i];
    return NULL;
}

/* Whole lines of a list, as many as are kept. */
static struct str cut_lines(struct str lines)
{
    if (lines.n <= TLS_RPT_TEXT_MAX)
        return lines;
    lines = str_slice(lines, 0, TLS_RPT_TEXT_MAX);
    size_t end = str_rfind_byte(lines, '\n');
    return str_slice(lines, 0, end == STR_NONE ? 0 : end + 1);
}

static struct tls_rpt_count cut(const struct tls_rpt_count *c)
{
    struct tls_rpt_count s = *c;
    s.policy.text = cut_lines(c->policy.text);
    s.policy.mx = cut_lines(c->policy.mx);
    s.host = str_slice(c->host, 0, TLS_RPT_WORDS_MAX);
    s.address = str_slice(c->address, 0, TLS_RPT_WORDS_MAX);
    s.source = str_slice(c->source, 0, TLS_RPT_WORDS_MAX);
    s.reason = str_slice(c->reason, 0, TLS_RPT_WORDS_MAX);
    return s;
}

static void insert(struct batch *b, const struct tls_rpt_count *c)
{
    struct arena *a = &b->arena;
    if (!b->counts)
        b->counts = ARENA_ARRAY(a, struct tls_rpt_count, KINDS_MAX);
    struct tls_rpt_count *to = &b->counts[b->n++];
    *to = *c;
    to->policy.domain = arena_copy(a, c->policy.domain);
    to->policy.text = arena_copy(a, c->policy.text);
    to->policy.mx = arena_copy(a, c->policy.mx);
    to->host = arena_copy(a, c->host);
    to->address = arena_copy(a, c->address);
    to->source = arena_copy(a, c->source);
    to->reason = arena_copy(a, c->reason);
}

/* Past the bound it is dropped: a thousand kinds within seconds are no statistics any more. */
static void add(struct tls_results *r, const struct tls_rpt_count *c)
{
    struct tls_rpt_count *same = find(&r->now, c);
    if (same)
        same->sessions += c->sessions;
    else if (r->now.n < KINDS_MAX)
        insert(&r->now, c);
}

void tls_results_add(struct tls_results *r, const struct tls_rpt_count *c)
{
    struct tls_rpt_count s = cut(c);
    if (s.policy.domain.n == 0 || s.policy.domain.n > TLS_RPT_WORDS_MAX)
        return;
    pthread_mutex_lock(&r->lock);
    add(r, &s);
    pthread_mutex_unlock(&r->lock);
}

static void forget(struct batch *b)
{
    arena_free(&b->arena);
    *b = (struct batch){0};
}

void tls_results_flush(struct tls_results *r)
{
    struct err e = ERR_INIT;
    pthread_mutex_lock(&r->flushing);
    if (r->late.n == 0) {
        pthread_mutex_lock(&r->lock);
        r->late = r->now;
        r->now = (struct batch){0};
        pthread_mutex_unlock(&r->lock);
        r->late.day = tls_rpt_day(clock_wall());
    }
    if (r->late.n > 0) {
        if (queue_tls_count(r->memory, r->late.day, r->late.counts, r->late.n, &e))
            forget(&r->late);
        else
            LOG_WARNING("relay.tls_results", F_C("reason", e.text));
    }
    pthread_mutex_unlock(&r->flushing);
}
