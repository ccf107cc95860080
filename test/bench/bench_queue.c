/* What the queue takes when it is long, without relay and without processes:
 *
 *   bench_queue FOLDER [MESSAGES [DESTINATIONS]]
 *
 * fills a queue's database with messages of 4 KiB (1,000,000 to 100,000 destinations) and says how long the
 * start takes until the first job is at hand and until every lane is known, how fast messages are taken in
 * and done with beside that, compared with an empty queue, and how much memory that took. A message that
 * comes behind others of its sender's that are due at its destination goes through the table; others do not.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/flow.h"
#include "queue/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FILL_BATCH  5000 /* messages in a transaction while filling */
#define ROUND_BATCH 8    /* as many as come together with 8 sessions */
#define ROUNDS      2000
#define BODY_BYTES  4096

static void die(const struct err *e)
{
    fprintf(stderr, "bench_queue: %s\n", e->text);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

struct bench {
    struct sql *db;
    struct plan *plan;
    char body[BODY_BYTES];
    uint64_t senders, domains;
};

struct names { /* what the rows of one message point to */
    char sender[60], domain[60], address[100];
};

static void add(struct bench *b, uint64_t number, const char *where, int64_t now, struct queue_row_message *m,
                struct queue_row_recipient *r, struct names *n)
{
    struct err e = ERR_INIT;
    snprintf(n->sender, sizeof n->sender, "ana@sender%llu.example",
             (unsigned long long)(number % b->senders));
    snprintf(n->domain, sizeof n->domain, "%s%llu.example", where, (unsigned long long)(number % b->domains));
    snprintf(n->address, sizeof n->address, "bob%llu@%s", (unsigned long long)number, n->domain);
    *m = (struct queue_row_message){.delivery = STR("0123456789abcdef"),
                                    .sender = str_from_c(n->sender),
                                    .size = sizeof b->body,
                                    .arrived = now,
                                    .asked = ENVELOPE_INIT};
    if (!queue_db_add_message(b->db, m, str_from(b->body, sizeof b->body), &e))
        die(&e);
    *r = (struct queue_row_recipient){.id = queue_db_first_recipient(m->id) + 1,
                                      .message = m->id,
                                      .address = str_from_c(n->address),
                                      .original = STR(""),
                                      .detail = STR(""),
                                      .domain = str_from_c(n->domain),
                                      .flow = flow_of(&m->asked, m->sender),
                                      .asked = ENVELOPE_RECIPIENT_INIT,
                                      .next_attempt = now};
    int admitted = b->plan ? plan_admit(b->plan, b->db, r, now, &e) : 0;
    r->at_hand = admitted > 0;
    if (admitted < 0 || !queue_db_add_recipient(b->db, r, &e))
        die(&e);
}

static void fill(struct bench *b, uint64_t messages)
{
    struct err e = ERR_INIT;
    struct queue_row_message m;
    struct queue_row_recipient r;
    struct names n;
    for (uint64_t i = 0; i < messages;) {
        if (!sql_begin_write(b->db, &e))
            die(&e);
        for (int k = 0; k < FILL_BATCH && i < messages; k++, i++)
            add(b, i * 7919, "d", clock_wall(), &m, &r, &n);
        if (!sql_commit(b->db, &e))
            die(&e);
    }
}

static void start(struct bench *b)
{
    struct err e = ERR_INIT;
    bool more = true;
    double begin = seconds(CLOCK_MONOTONIC), first = 0;
    b->plan = plan_new();
    plan_configure(b->plan,
                   &(struct window_bounds){.initial = 5, .most = 20, .pause_s = 300, .pause_most = 900});
    while (more) {
        if (!plan_read(b->plan, b->db, clock_wall(), &more, &e))
            die(&e);
        if (first == 0 && plan_size(b->plan).rows > 0)
            first = seconds(CLOCK_MONOTONIC) - begin;
    }
    struct plan_size size = plan_size(b->plan);
    printf("start: first job after %.1f ms, all that fits in memory after %.2f s: %zu recipients, %zu lanes; "
           "%ld MiB\n",
           first * 1e3, seconds(CLOCK_MONOTONIC) - begin, size.rows, size.lanes, resident_kib() / 1024);
}

/* Messages come and go, as with a relay that keeps up. */
static void rounds(struct bench *b, const char *what, const char *where)
{
    struct err e = ERR_INIT;
    struct queue_row_message m[ROUND_BATCH];
    struct queue_row_recipient r[ROUND_BATCH];
    struct names n[ROUND_BATCH];
    uint64_t at_hand = 0;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        if (!sql_begin_write(b->db, &e))
            die(&e);
        for (uint64_t k = 0; k < ROUND_BATCH; k++)
            add(b, (i * ROUND_BATCH + k) * 104729, where, clock_wall(), &m[k], &r[k], &n[k]);
        if (!sql_commit(b->db, &e) || !sql_begin_write(b->db, &e))
            die(&e);
        for (uint64_t k = 0; k < ROUND_BATCH; k++) {
            if (!queue_db_remove_sent(b->db, m[k].id, 1, m[k].size, &e))
                die(&e);
            if (r[k].at_hand)
                plan_retract(b->plan, r[k].domain, r[k].flow); /* nothing of the lane is left */
            else
                plan_expect(b->plan, r[k].domain, r[k].flow, r[k].next_attempt);
            at_hand += r[k].at_hand;
        }
        if (!sql_commit(b->db, &e))
            die(&e);
    }
    double all = ROUNDS * ROUND_BATCH;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%s: %.0f messages/s in and out, %.1f us of CPU each; %.0f %% never in the index by destination\n",
           what, all / wall, cpu / all * 1e6, 100 * (double)at_hand / all);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct bench b = {.senders = 1000};
    char path[300];
    if (argc < 2) {
        fprintf(stderr, "usage: bench_queue FOLDER [MESSAGES [DESTINATIONS]]\n");
        return 2;
    }
    uint64_t messages = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    b.domains = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000;
    memset(b.body, 'x', sizeof b.body);
    snprintf(path, sizeof path, "%s/queue.db", argv[1]);
    if (!(b.db = sql_open(path, &QUEUE_SCHEMA, &e)))
        die(&e);
    start(&b);
    rounds(&b, "empty", "d");
    plan_free(b.plan);
    b.plan = NULL;
    double begin = seconds(CLOCK_MONOTONIC);
    fill(&b, messages);
    printf("filled with %llu messages in %.0f s\n", (unsigned long long)messages,
           seconds(CLOCK_MONOTONIC) - begin);
    sql_close(b.db);
    begin = seconds(CLOCK_MONOTONIC);
    if (!(b.db = sql_open(path, &QUEUE_SCHEMA, &e)))
        die(&e);
    printf("opened in %.0f ms\n", (seconds(CLOCK_MONOTONIC) - begin) * 1e3);
    start(&b);
    rounds(&b, "beside them", "e");
    rounds(&b, "behind them", "d");
    printf("memory: %ld MiB at most\n", resident_kib() / 1024);
    plan_free(b.plan);
    sql_close(b.db);
    return 0;
}
