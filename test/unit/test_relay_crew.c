/* The threads of relay: when each gets its next job, what its connection waits for, and how they end. */
#include "check.h"
#include "smtp_peer.h"

#include "base/mem.h"
#include "relay/crew.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define BYTES "Subject: crew\r\n\r\nHello\r\n"
#define JOBS  20

struct scene {
    struct smtp_peer peer;
    struct config config;
    struct crew *crew;
    _Atomic bool refuses; /* nobody takes results */
    _Atomic size_t count, sent;
    _Atomic bool has_ended;
};

/* A crew lasts as long as its process; so that the leak checker knows. */
static struct scene scenes[8];
static size_t scene_count;

static bool take_result(void *context, struct relay_job *j)
{
    struct scene *s = context;
    if (j->count > 0 && j->recipients[0].answered && j->recipients[0].fate == QUEUE_SENT)
        s->sent++;
    s->count++;
    return !s->refuses;
}

static void ended(void *context)
{
    struct scene *s = context;
    s->has_ended = true;
}

static void look_up(void *context, const struct dns_question *questions, size_t n, struct arena *a,
                    struct dns_answer *out)
{
    (void)context, (void)questions, (void)a;
    memset(out, 0, n * sizeof *out); /* nobody asks: the host is an address */
}

static struct scene *scene_open(unsigned connections)
{
    struct scene *s = &scenes[scene_count++];
    static const struct route_resolver DNS = {.lookup = look_up};
    s->config = (struct config){.hostname = STR_INIT("mx.test"), .relay_per_destination = connections};
    struct crew_settings settings = {
        .config = &s->config,
        .dns = DNS,
        .tls = tls_policies_new(&DNS, NULL, NULL),
        .result = take_result,
        .ended = ended,
        .context = s,
    };
    smtp_peer_start(&s->peer);
    smtp_peer_run(&s->peer);
    s->crew = crew_new(&settings);
    return s;
}

static void add(struct scene *s, uint64_t id)
{
    struct relay_job *j = MEM_NEW(struct relay_job);
    transcript_begin(&j->log);
    j->id = id;
    j->body = parcel_of(str_from(mem_copy_c(BYTES, strlen(BYTES)), strlen(BYTES)));
    j->sender = STR("ana@sender.test");
    j->domain = STR("peer.test");
    j->way_failure = STR("");
    j->asked = (struct envelope)ENVELOPE_INIT;
    j->way = (struct directory_route){
        .is_set = true,
        .tls = DIRECTORY_TLS_NONE,
        .host = STR_INIT("127.0.0.1"),
        .port = s->peer.port,
        .user = STR_INIT(""),
        .password = STR_INIT(""),
        .source_ipv4 = STR_INIT(""),
        .source_ipv6 = STR_INIT(""),
    };
    j->key = route_key(&j->way, j->domain, &j->arena);
    j->count = 1;
    j->recipients = ARENA_ARRAY(&j->arena, struct relay_recipient, 1);
    j->recipients[0] = (struct relay_recipient){
        .address = STR_INIT("bob@peer.test"), .asked = ENVELOPE_RECIPIENT_INIT, .host = STR_INIT("")};
    crew_add(s->crew, j);
}

static bool becomes(_Atomic size_t *number, size_t expected)
{
    for (int i = 0; i < 2000 && *number < expected; i++)
        usleep(5000);
    return *number == expected;
}

/* It does not become more in a while in which it would. */
static void stays(_Atomic size_t *number, size_t expected)
{
    usleep(50000);
    assert_int_equal(*number, expected);
}

static size_t arrived(struct scene *s)
{
    pthread_mutex_lock(&s->peer.lock);
    size_t n = s->peer.count;
    pthread_mutex_unlock(&s->peer.lock);
    return n;
}

static void scene_close(struct scene *s)
{
    crew_stop(s->crew);
    for (int i = 0; i < 2000 && !s->has_ended; i++)
        usleep(5000);
    assert_true(s->has_ended);
    smtp_peer_stop(&s->peer);
}

/* --- tests --- */

static void nothing_goes_out_before_the_receipt(void **state)
{
    (void)state;
    struct scene *s = scene_open(1);
    for (uint64_t id = 1; id <= 3; id++)
        add(s, id);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_true(becomes(&s->count, id));
        stays(&s->count, id);
        assert_int_equal(arrived(s), id);
        crew_recorded(s->crew, 1000); /* of another job */
        stays(&s->count, id);
        crew_recorded(s->crew, id);
    }
    add(s, 4); /* to a thread that has come to rest */
    assert_true(becomes(&s->sent, 4));
    crew_recorded(s->crew, 4);
    assert_int_equal(s->peer.connections, 1);
    scene_close(s);
}

static void who_rests_goes_before_a_new_thread(void **state)
{
    (void)state;
    struct scene *s = scene_open(5);
    for (uint64_t id = 1; id <= 3; id++)
        add(s, id);
    assert_true(becomes(&s->sent, 3));
    assert_int_equal(s->peer.connections, 3);
    for (uint64_t id = 1; id <= 3; id++)
        crew_recorded(s->crew, id);
    for (uint64_t id = 4; id <= JOBS; id += 2) {
        add(s, id);
        add(s, id + 1);
        assert_true(becomes(&s->sent, id + 1));
        crew_recorded(s->crew, id + 1);
        crew_recorded(s->crew, id);
    }
    assert_int_equal(s->peer.connections, 3);
    scene_close(s);
}

static void who_gets_no_receipt_goes_on_when_there_can_be_none(void **state)
{
    (void)state;
    struct scene *s = scene_open(1);
    s->refuses = true;
    add(s, 1);
    add(s, 2);
    assert_true(becomes(&s->sent, 2));
    s->refuses = false;
    add(s, 3);
    assert_true(becomes(&s->sent, 3));
    add(s, 4); /* waits for the receipt of 3, and is dropped with the queue that gave it */
    stays(&s->count, 3);
    crew_orphan(s->crew);
    stays(&s->count, 3);
    add(s, 1); /* of the next queue */
    assert_true(becomes(&s->sent, 4));
    crew_recorded(s->crew, 1);
    assert_int_equal(s->peer.connections, 1);
    scene_close(s);
}

static void the_end_waits_for_receipts_and_gives_jobs_back(void **state)
{
    (void)state;
    struct scene *s = scene_open(1);
    add(s, 1);
    add(s, 2);
    assert_true(becomes(&s->sent, 1));
    crew_stop(s->crew);
    assert_true(becomes(&s->count, 2)); /* the second one without an answer */
    usleep(50000);
    assert_false(s->has_ended);
    add(s, 3);
    assert_int_equal(s->count, 3);
    crew_recorded(s->crew, 1);
    scene_close(s);
    assert_int_equal(s->sent, 1);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_out_before_the_receipt),
        cmocka_unit_test(who_rests_goes_before_a_new_thread),
        cmocka_unit_test(who_gets_no_receipt_goes_on_when_there_can_be_none),
        cmocka_unit_test(the_end_waits_for_receipts_and_gives_jobs_back),
    };
    return cmocka_run_group_tests_name("relay_crew", tests, NULL, NULL);
}
