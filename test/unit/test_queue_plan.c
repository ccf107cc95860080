/* Whose turn it is in the queue, and how many at once: windows, fairness, destinations that are down, and the
 * bounds of memory. The test plays relay and the clock; the table is a real one. */
#include "check.h"
#include "engine.h"
#include "folder.h"

#include "base/mem.h"
#include "queue/flow.h"
#include "queue/heap.h"
#include "queue/plan.h"
#include "queue/report.h"

#include <string.h>

/* --- numbers that look random, the same in each run --- */

static uint64_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

/* --- heap --- */

static void a_heap_gives_the_smallest_first(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct heap_entry entries[MANY] = {0};
    struct heap h = {0};
    seed = 1;
    for (int step = 0; step < 20000; step++) {
        struct heap_entry *e = &entries[any(MANY)];
        if (any(3) == 0)
            heap_remove(&h, e);
        else
            heap_set(&h, e, any(1000));
        int64_t least = INT64_MAX;
        size_t count = 0;
        for (int i = 0; i < MANY; i++)
            if (entries[i].place > 0) {
                least = entries[i].key < least ? entries[i].key : least;
                count++;
            }
        assert_int_equal(h.count, count);
        assert_int_equal(count ? heap_first(&h)->key : INT64_MAX, least);
    }
    heap_free(&h);
}

/* --- windows --- */

static const struct window_bounds BOUNDS = {.initial = 5, .most = 20, .pause_s = 300, .pause_most = 900};

static void a_window_grows_with_success_up_to_its_bound(void **state)
{
    (void)state;
    struct window w = {0};
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 5);
    for (int i = 0; i < 5; i++)
        window_note(&w, &BOUNDS, QUEUE_CONTACT_GOOD, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 6); /* one more for a full window */
    for (int i = 0; i < 1000; i++)
        window_note(&w, &BOUNDS, QUEUE_CONTACT_GOOD, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 20);
    struct window_bounds narrow = BOUNDS;
    narrow.most = 2;
    assert_int_equal(window_limit(&w, &narrow, 0), 2);
}

static void a_window_shrinks_and_grows_again(void **state)
{
    (void)state;
    struct window w = {0};
    for (int i = 0; i < 1000; i++)
        window_note(&w, &BOUNDS, QUEUE_CONTACT_GOOD, 0, 0);
    window_note(&w, &BOUNDS, QUEUE_CONTACT_BUSY, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 19);
    window_note(&w, &BOUNDS, QUEUE_CONTACT_NONE, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 19);
    window_note(&w, &BOUNDS, QUEUE_CONTACT_UNREACHABLE, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 9);
    for (int i = 0; i < 9; i++)
        window_note(&w, &BOUNDS, QUEUE_CONTACT_GOOD, 0, 0);
    assert_int_equal(window_limit(&w, &BOUNDS, 0), 10);
}

static void one_asks_whether_a_destination_is_back(void **state)
{
    (void)state;
    struct window w = {0};
    int64_t now = 1000, pauses[] = {300, 600, 900, 900};
    for (int i = 0; i < 2; i++) {
        assert_true(window_is_open(&w));
        window_note(&w, &BOUNDS, QUEUE_CONTACT_UNREACHABLE, now, 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_false(window_is_open(&w));
        assert_int_equal(w.until, now + pauses[i]);
        assert_int_equal(window_limit(&w, &BOUNDS, w.until - 1), 0);
        assert_int_equal(window_limit(&w, &BOUNDS, w.until), 1);
        /* One that was under way since before tells nothing new. */
        window_note(&w, &BOUNDS, QUEUE_CONTACT_UNREACHABLE, now + 1, 0);
        assert_int_equal(w.until, now + pauses[i]);
        now = w.until;
        window_note(&w, &BOUNDS, QUEUE_CONTACT_UNREACHABLE, now, 0);
    }
    window_note(&w, &BOUNDS, QUEUE_CONTACT_GOOD, now + 900, 0);
    assert_true(window_is_open(&w));
    assert_int_equal(window_limit(&w, &BOUNDS, now), 5);
}

static void a_window_stays_within_its_bounds(void **state)
{
    (void)state;
    struct window w = {0};
    seed = 2;
    int64_t now = 0;
    for (int i = 0; i < 100000; i++) {
        struct window_bounds b = {.initial = 1 + any(5), .most = 1 + any(30), .pause_s = 1, .pause_most = 10};
        window_note(&w, &b, (enum queue_contact)any(4), now, any(1000));
        now += any(3);
        unsigned limit = window_limit(&w, &b, now);
        assert_in_range(limit, window_is_open(&w) || now >= w.until, b.most);
        assert_true(w.until <= now + 12);
    }
}

/* --- a queue whose relay is the test --- */

struct desk {
    struct folder folder;
    struct sql *db;
    struct plan *plan;
    int64_t now;
    int64_t first; /* message */
};

#define CAPACITY 128 /* as relay's */

/* Nothing is ever committed: it is fast, and the table is gone at the end. */
static void desk_open(struct desk *d)
{
    char path[200];
    struct err e = ERR_INIT;
    *d = (struct desk){.now = 1000000};
    folder_make(&d->folder);
    snprintf(path, sizeof path, "%s/queue.db", d->folder.path);
    struct sql_source source = engine_beside(path, "n");
    d->db = sql_open_at(&source, &QUEUE_SCHEMA, false, &e);
    if (!d->db)
        fail_msg("%s", e.text);
    assert_true(sql_begin_write(d->db, &e));
    d->plan = plan_new();
    plan_configure(d->plan, &BOUNDS);
}

static void desk_close(struct desk *d)
{
    plan_free(d->plan);
    sql_rollback(d->db);
    sql_close(d->db);
    folder_remove(&d->folder);
}

static void read_all(struct desk *d)
{
    struct err e = ERR_INIT;
    for (bool more = true; more;)
        if (!plan_read(d->plan, d->db, d->now, &more, &e))
            fail_msg("%s", e.text);
}

/* A message for `count` recipients; `fresh`: the plan hears of it as from an enqueue. */
static int64_t put(struct desk *d, const char *sender, int priority, const char *domain, size_t count,
                   bool fresh)
{
    struct err e = ERR_INIT;
    struct queue_row_message m = {.delivery = STR("0123456789abcdef"),
                                  .sender = str_from_c(sender),
                                  .size = 1,
                                  .arrived = d->now,
                                  .asked = ENVELOPE_INIT};
    m.asked.priority = priority;
    assert_true(queue_db_add_message(d->db, &m, STR("x"), &e));
    d->first = d->first > 0 ? d->first : m.id;
    struct letter *l = plan_letter(d->plan, &m, NULL);
    for (size_t i = 0; i < count; i++) {
        struct queue_row_recipient r = {.id = queue_db_first_recipient(m.id) + 1 + (int64_t)i,
                                        .message = m.id,
                                        .address = STR("to@somewhere"),
                                        .original = STR(""),
                                        .detail = STR(""),
                                        .domain = str_from_c(domain),
                                        .flow = flow_of(&m.asked, m.sender),
                                        .asked = ENVELOPE_RECIPIENT_INIT,
                                        .next_attempt = d->now};
        r.at_hand = fresh && plan_admit(d->plan, d->db, &r, d->now, &e) > 0;
        assert_true(queue_db_add_recipient(d->db, &r, &e));
        if (fresh)
            plan_add_fresh(d->plan, l, &r, d->now);
    }
    plan_letter_drop(d->plan, l);
    return m.id;
}

/* What became of a job, as queue.c and record.c do it. */
static void finish(struct desk *d, struct job *j, enum queue_fate fate, enum queue_contact contact,
                   int64_t next)
{
    struct err e = ERR_INIT;
    bool there, gone;
    char domain[100];
    snprintf(domain, sizeof domain, "%.*s", STR_ARGS(plan_domain(j)));
    int64_t flow = plan_flow(j), message = j->letter->id;
    for (size_t i = 0; i < j->count; i++) {
        struct queue_row_attempt a = {
            .recipient = j->recipients[i].id, .message = message, .host = STR(""), .reply = STR("")};
        assert_true(fate == QUEUE_SENT ? queue_db_sent(d->db, &a, &there, &e)
                                       : queue_db_deferred(d->db, &a, next, 0, &there, &e));
        assert_true(there);
    }
    assert_true(queue_db_finish(d->db, message, &gone, &e));
    plan_end(d->plan, j, NULL, contact, d->now);
    if (fate == QUEUE_DEFERRED)
        plan_expect(d->plan, str_from_c(domain), flow, next);
}

static void send(struct desk *d, struct job *j)
{
    finish(d, j, QUEUE_SENT, QUEUE_CONTACT_GOOD, 0);
}

static struct job *take(struct desk *d)
{
    read_all(d);
    return plan_take(d->plan, CAPACITY);
}

static bool is_for(const struct job *j, const char *domain)
{
    return str_eq(plan_domain(j), str_from_c(domain));
}

static int64_t count_at_hand(const struct desk *d)
{
    static const struct sql_statement COUNT = {.text = "SELECT count(*) FROM recipient WHERE at_hand = 1"};
    struct err e = ERR_INIT;
    int64_t n = -1;
    assert_int_equal(sql_one_int(d->db, &COUNT, SQL_NONE, &n, &e), 1);
    return n;
}

/* What comes and goes at once is never in the index by destination. What memory lets go of is put down into
 * it, and comes from there, each once. */
static void what_is_at_hand_is_in_no_index(void **state)
{
    (void)state;
    struct desk d;
    struct job *j;
    desk_open(&d);
    put(&d, "ana@a.example", 0, "provider.example", 1, true);
    assert_int_equal(count_at_hand(&d), 0); /* nobody knows what an earlier queue had at hand */
    send(&d, take(&d));
    for (int i = 0; i < 10; i++)
        put(&d, "ana@a.example", 0, "provider.example", 1, true);
    assert_int_equal(count_at_hand(&d), 10);
    for (int64_t left = 9; left > 7; left--) {
        send(&d, take(&d));
        assert_int_equal(count_at_hand(&d), left);
    }
    finish(&d, take(&d), QUEUE_DEFERRED, QUEUE_CONTACT_GOOD, d.now + 300);
    assert_int_equal(count_at_hand(&d), 7);
    struct job *flying = take(&d);
    plan_forget(d.plan); /* but for that one */
    read_all(&d);
    assert_int_equal(count_at_hand(&d), 0);
    send(&d, flying);
    for (int left = 6; left > 0; left--)
        send(&d, take(&d));
    assert_null(take(&d));
    put(&d, "ana@a.example", 0, "provider.example", 1, true); /* beside the one that sleeps */
    assert_int_equal(count_at_hand(&d), 1);
    send(&d, take(&d));
    d.now += 300;
    put(&d, "ana@a.example", 0, "provider.example", 1, true); /* behind it, which is due */
    assert_int_equal(count_at_hand(&d), 0);
    for (int left = 2; left > 0; left--) {
        assert_non_null(j = take(&d));
        send(&d, j);
    }
    assert_null(take(&d));
    desk_close(&d);
}

/* A destination that goes down has nothing in memory, and what comes for it meanwhile goes to the table. */
static void nothing_is_at_hand_for_what_is_down(void **state)
{
    (void)state;
    struct desk d;
    struct job *j, *flying[5];
    size_t n = 0, sent = 0;
    desk_open(&d);
    read_all(&d);
    for (int i = 0; i < 20; i++)
        put(&d, "ana@a.example", 0, "down.example", 1, true);
    assert_int_equal(count_at_hand(&d), 20);
    while (n < 5 && (j = take(&d)))
        flying[n++] = j;
    for (size_t i = 0; i < n; i++)
        finish(&d, flying[i], QUEUE_DEFERRED, QUEUE_CONTACT_UNREACHABLE, d.now + 300);
    assert_null(take(&d));
    assert_int_equal(count_at_hand(&d), 0);
    put(&d, "ana@a.example", 0, "down.example", 1, true);
    assert_int_equal(count_at_hand(&d), 0);
    for (d.now += 1000; (j = take(&d)); sent++)
        send(&d, j);
    assert_int_equal(sent, 21);
    desk_close(&d);
}

/* A list of many thousand to one provider, on its way for a while; then one letter of somebody else to the
 * same provider, and one to another. Whether they come fresh or from the table. */
static void a_list_delays_nobody(void **state)
{
    (void)state;
    for (int fresh = 0; fresh < 2; fresh++) {
        struct desk d;
        struct job *flying[100], *j;
        size_t n = 0, sent = 0;
        desk_open(&d);
        put(&d, "list@bulk.example", 0, "provider.example", 3000, fresh);
        for (int i = 0; i < 2000; i++)
            put(&d, "list@bulk.example", 0, "provider.example", 1, fresh);
        while (sent < 20) {
            while ((j = take(&d)))
                flying[n++] = j;
            send(&d, flying[0]);
            memmove(flying, flying + 1, --n * sizeof *flying);
            sent++;
        }
        assert_in_range(n, 5, BOUNDS.most);
        int64_t letter = put(&d, "ana@example.org", 0, "provider.example", 1, fresh);
        int64_t other = put(&d, "list@bulk.example", 0, "small.example", 1, fresh);
        if (!fresh)
            plan_forget(d.plan);
        unsigned before_letter = 0, before_other = 0;
        bool has_letter = false, has_other = false;
        for (int turn = 0; turn < 20 && !(has_letter && has_other); turn++) {
            while ((j = take(&d))) {
                has_letter |= j->letter->id == letter;
                has_other |= j->letter->id == other;
                before_letter += !has_letter;
                before_other += !has_other;
                flying[n++] = j;
            }
            send(&d, flying[0]);
            memmove(flying, flying + 1, --n * sizeof *flying);
        }
        assert_true(has_letter && has_other);
        assert_in_range(before_letter, 0, BOUNDS.most); /* the window's own, and one turn */
        assert_in_range(before_other, 0, BOUNDS.most);
        while (n > 0)
            send(&d, flying[--n]);
        desk_close(&d);
    }
}

/* A list for thousands of destinations fills relay; somebody else's letter goes next. */
static void a_list_for_everywhere_delays_nobody(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct desk d;
    struct job *j, *flying[CAPACITY];
    size_t n = 0;
    char domain[40];
    desk_open(&d);
    for (int i = 0; i < MANY; i++) {
        snprintf(domain, sizeof domain, "d%d.example", i);
        put(&d, "list@bulk.example", 0, domain, 1, true);
    }
    read_all(&d);
    while (n < CAPACITY && (j = plan_take(d.plan, CAPACITY / 4 * 3)))
        flying[n++] = j;
    assert_int_equal(n, CAPACITY / 4 * 3); /* one flow leaves a quarter to others */
    int64_t letter = put(&d, "ana@example.org", 0, "d7.example", 1, true);
    assert_non_null(j = take(&d));
    assert_int_equal(j->letter->id, letter);
    send(&d, j);
    while (n > 0)
        send(&d, flying[--n]);
    desk_close(&d);
}

static void flows_share_a_destination_evenly(void **state)
{
    (void)state;
    enum { SENDERS = 10, EACH = 50 };
    struct desk d;
    struct job *j;
    unsigned got[SENDERS] = {0};
    char sender[40];
    desk_open(&d);
    for (int s = 0; s < SENDERS; s++) {
        snprintf(sender, sizeof sender, "%d@s%d.example", s, s);
        for (int i = 0; i < (s == 0 ? 10 * EACH : EACH); i++)
            put(&d, sender, 0, "provider.example", 1, true);
    }
    read_all(&d);
    for (int i = 0; i < SENDERS * EACH / 2; i++) {
        assert_non_null(j = take(&d));
        got[j->letter->sender.p[0] - '0']++;
        send(&d, j);
    }
    for (int s = 0; s < SENDERS; s++)
        assert_in_range(got[s], EACH / 2 - 1, EACH / 2 + 1);
    desk_close(&d);
}

static void priority_goes_first_and_starves_nobody(void **state)
{
    (void)state;
    enum { EACH = 400 };
    struct desk d;
    struct job *j;
    unsigned first_low = 0, last_high = 0;
    desk_open(&d);
    for (int i = 0; i < EACH; i++) {
        put(&d, "a@example.org", -9, "provider.example", 1, true);
        put(&d, "a@example.org", 0, "provider.example", 1, true);
        put(&d, "a@example.org", 9, "provider.example", 1, true);
    }
    unsigned seen[3] = {0}, early[3] = {0}, count = 0;
    struct job *flying[CAPACITY];
    size_t n = 0;
    do {
        for (; (j = take(&d)); count++) {
            int kind = j->letter->asked.priority < 0 ? 0 : j->letter->asked.priority > 0 ? 2 : 1;
            seen[kind]++;
            first_low =
                kind == 0 && first_low == 0 && count > 5 ? count : first_low; /* but for the first window */
            last_high = kind == 2 ? count : last_high;
            flying[n++] = j;
            if (count == 200)
                memcpy(early, seen, sizeof early);
        }
        send(&d, flying[0]);
        memmove(flying, flying + 1, --n * sizeof *flying);
    } while (n > 0);
    assert_true(early[2] > 150);
    assert_true(first_low > 70);        /* not before the urgent ones had their turns */
    assert_true(first_low < last_high); /* nor after the last of them */
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], EACH);
    desk_close(&d);
}

/* Mail for a destination that is down costs a few attempts, then one every while, and nothing else; when it
 * is back, all of it goes at once. */
static void a_destination_that_is_down_costs_nothing(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct desk d;
    struct job *j;
    unsigned attempts = 0, others = 0;
    desk_open(&d);
    for (int i = 0; i < MANY; i++) {
        char sender[40];
        snprintf(sender, sizeof sender, "x@s%d.example", i % 30);
        put(&d, sender, 0, "dead.example", 1, true);
    }
    int64_t end = d.now + 4 * 3600;
    for (; d.now < end; d.now += 10) {
        if (d.now % 600 == 0)
            put(&d, "ana@example.org", 0, "alive.example", 1, true);
        if (d.now % 1200 == 0)
            put(&d, "ana@example.org", 0, "dead.example", 1, true);
        while ((j = take(&d))) {
            if (is_for(j, "alive.example")) {
                others++;
                send(&d, j);
            } else {
                attempts++;
                finish(&d, j, QUEUE_DEFERRED, QUEUE_CONTACT_UNREACHABLE, d.now + 3600);
            }
        }
        if (attempts > 2)
            assert_in_range(plan_size(d.plan).rows, 0, 1); /* of all that waits, nothing is in memory */
    }
    assert_int_equal(others, 4 * 6);
    assert_in_range(attempts, 2 + 14,
                    5 + 4 * 4 + 4); /* after 5 minutes, 10, and then every quarter of an hour */
    unsigned sent = 0;
    for (int64_t back = d.now; d.now < back + 3 * 3600; d.now += 60)
        for (; (j = take(&d)); sent++)
            send(&d, j);
    assert_int_equal(sent, MANY + 4 * 3);
    assert_int_equal(plan_size(d.plan).lanes, 0);
    assert_int_equal(plan_size(d.plan).destinations, 0);
    assert_int_equal(plan_size(d.plan).flows, 0);
    desk_close(&d);
}

enum { MESSAGES = 300, RUNS = 8 };

static size_t air(const struct desk *d, const struct job *j, size_t i)
{
    assert_in_range(j->letter->id, d->first, d->first + MESSAGES - 1);
    return (size_t)(j->letter->id - d->first) * 256 +
           (size_t)(j->recipients[i].id - queue_db_first_recipient(j->letter->id));
}

/* Anything may happen, in any order: nobody is in flight twice, everybody goes exactly once, and memory keeps
 * its bounds. */
static void whatever_happens_everybody_goes_once(void **state)
{
    (void)state;
    unsigned char *in_air = mem_new((MESSAGES + 1) * 256, 1);
    static const struct plan_limits LIMITS[] = {
        PLAN_LIMITS_USUAL,
        {.rows_per_lane = 200, .rows = 500, .lanes = 20},
        {.rows_per_lane = 3, .rows = 20, .lanes = 500},
        {.rows_per_lane = 100, .rows = 50, .lanes = 10},
    };
    for (uint64_t run = 0; run < RUNS; run++) {
        const struct plan_limits *limits = &LIMITS[run % 4];
        struct desk d;
        struct job *flying[CAPACITY], *j;
        size_t n = 0, put_count = 0, recipients = 0, sent = 0;
        seed = run;
        desk_open(&d);
        plan_limit(d.plan, limits);
        while (put_count < MESSAGES || sent < recipients) {
            char sender[40], domain[40];
            uint32_t what = any(100);
            if (what < 45 && put_count < MESSAGES) {
                snprintf(sender, sizeof sender, "x@s%d.example", any(20));
                snprintf(domain, sizeof domain, "d%d.example", any(8) ? any(4) : any(30));
                size_t count = any(20) ? 1 : 1 + any(250);
                bool fresh = any(4) > 0;
                put(&d, sender, (int)any(3) - 1, domain, count, fresh);
                recipients += count;
                put_count++;
                if (!fresh && any(2))
                    plan_forget(d.plan); /* else the next one tells */
            } else if (what < 75 && n < CAPACITY) {
                if (any(2))
                    read_all(&d);
                if (!(j = plan_take(d.plan, CAPACITY)))
                    continue;
                for (size_t i = 0; i < j->count; i++)
                    assert_int_equal(in_air[air(&d, j, i)]++, 0);
                flying[n++] = j;
            } else if (what < 98 && n > 0) {
                size_t i = any((uint32_t)n);
                j = flying[i];
                flying[i] = flying[--n];
                for (size_t a = 0; a < j->count; a++)
                    in_air[air(&d, j, a)] = 0;
                if (any(8) == 0) {
                    bool again[QUEUE_JOB_RECIPIENTS];
                    memset(again, 1, sizeof again);
                    plan_end(d.plan, j, again, (enum queue_contact)any(4), d.now);
                } else if (any(3) == 0) {
                    finish(&d, j, QUEUE_DEFERRED, (enum queue_contact)any(4), d.now + 1 + any(30));
                } else {
                    sent += j->count;
                    send(&d, j);
                }
            } else if (what == 98) {
                if (any(10) == 0)
                    plan_forget(d.plan);
            } else {
                d.now += any(40);
            }
            if (put_count == MESSAGES && any(3) == 0)
                d.now += 1;
            struct plan_size size = plan_size(d.plan);
            assert_in_range(size.rows, 0, limits->rows + QUEUE_JOB_RECIPIENTS * CAPACITY);
            assert_in_range(size.lanes, 0, limits->lanes + CAPACITY);
            assert_int_equal(plan_in_flight_count(d.plan), n);
        }
        assert_int_equal(sent, recipients);
        assert_int_equal(n, 0);
        read_all(&d);
        assert_int_equal(plan_size(d.plan).rows, 0);
        assert_int_equal(plan_size(d.plan).lanes, 0);
        desk_close(&d);
    }
    free(in_air);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_gives_the_smallest_first),
        cmocka_unit_test(a_window_grows_with_success_up_to_its_bound),
        cmocka_unit_test(a_window_shrinks_and_grows_again),
        cmocka_unit_test(one_asks_whether_a_destination_is_back),
        cmocka_unit_test(a_window_stays_within_its_bounds),
        cmocka_unit_test(what_is_at_hand_is_in_no_index),
        cmocka_unit_test(nothing_is_at_hand_for_what_is_down),
        cmocka_unit_test(a_list_delays_nobody),
        cmocka_unit_test(a_list_for_everywhere_delays_nobody),
        cmocka_unit_test(flows_share_a_destination_evenly),
        cmocka_unit_test(priority_goes_first_and_starves_nobody),
        cmocka_unit_test(a_destination_that_is_down_costs_nothing),
        cmocka_unit_test(whatever_happens_everybody_goes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
