/* Which way mail leaves: the directory is asked once a second at most for a sender and a destination, in
 * another thread, and nobody is lost when it does not answer. */
#include "check.h"

#include "base/log.h"
#include "base/mem.h"
#include "relay/ways.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define JOBS 100

struct scene {
    pthread_mutex_t lock;
    struct relay_job *jobs[JOBS];
    size_t count;
    _Atomic unsigned asked;
    pthread_t asker;
};

/* "fails.example": no answer. Else a host of the sender's name. */
static bool ask(void *context, struct str sender, struct str domain, struct arena *a,
                struct directory_route *out, struct err *e)
{
    struct scene *s = context;
    s->asked++;
    s->asker = pthread_self();
    if (str_eq(domain, STR("fails.example")))
        return err_set(e, ERR_TEMPORARY, "the directory does not answer");
    *out = (struct directory_route){.is_set = true,
                                    .host = arena_copy(a, sender),
                                    .user = STR(""),
                                    .password = STR(""),
                                    .source_ipv4 = STR(""),
                                    .source_ipv6 = STR("")};
    return true;
}

static void found(void *context, struct relay_job *j)
{
    struct scene *s = context;
    pthread_mutex_lock(&s->lock);
    s->jobs[s->count++] = j;
    pthread_mutex_unlock(&s->lock);
}

static void find(struct ways *w, const char *sender, const char *domain)
{
    struct relay_job *j = MEM_NEW(struct relay_job);
    transcript_begin(&j->log);
    j->body = (struct parcel)PARCEL_NONE;
    j->sender = str_from_c(sender);
    j->domain = str_from_c(domain);
    j->way_failure = STR("");
    ways_find(w, j);
}

static void wait_for(struct scene *s, size_t count)
{
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&s->lock);
        size_t now = s->count;
        pthread_mutex_unlock(&s->lock);
        if (now == count)
            return;
        usleep(5000);
    }
    fail_msg("%zu jobs, not %zu", s->count, count);
}

static struct scene scene = {.lock = PTHREAD_MUTEX_INITIALIZER}; /* its thread lasts as long as the program */
static struct ways *ways;

static void scene_reset(void)
{
    for (size_t i = 0; i < scene.count; i++)
        relay_job_free(scene.jobs[i]);
    scene.count = 0;
    scene.asked = 0;
}

static void it_is_asked_once_for_many(void **state)
{
    (void)state;
    find(ways, "ana@a.example", "there.example");
    wait_for(&scene, 1);
    for (int i = 0; i < 10; i++)
        find(ways, "ana@a.example", "there.example");
    wait_for(&scene, 11);
    assert_int_equal(scene.asked, 1);
    assert_false(pthread_equal(scene.asker, pthread_self()));
    find(ways, "bob@a.example", "there.example");
    find(ways, "ana@a.example", "elsewhere.example");
    wait_for(&scene, 13);
    assert_int_equal(scene.asked, 3);
    for (size_t i = 0; i < scene.count; i++)
        assert_true(str_eq(scene.jobs[i]->way.host, scene.jobs[i]->sender));
    assert_true(scene.jobs[0]->key.n > 0 && str_eq(scene.jobs[0]->key, scene.jobs[10]->key));
    assert_false(str_eq(scene.jobs[0]->key, scene.jobs[11]->key)); /* bob's leads to another host */
    scene_reset();
}

static void what_an_administrator_sets_holds_after_a_second(void **state)
{
    (void)state;
    find(ways, "eve@a.example", "there.example");
    wait_for(&scene, 1);
    usleep((WAYS_MEMORY_MS + 50) * 1000);
    find(ways, "eve@a.example", "there.example");
    wait_for(&scene, 2);
    assert_int_equal(scene.asked, 2);
    scene_reset();
}

static void without_an_answer_it_is_told(void **state)
{
    (void)state;
    find(ways, "ana@a.example", "fails.example");
    find(ways, "ana@a.example", "fails.example");
    wait_for(&scene, 2);
    assert_int_equal(scene.asked, 2); /* a failure is not remembered */
    assert_true(str_eq(scene.jobs[0]->way_failure, STR("4.3.0 the directory does not answer")));
    scene_reset();
}

int main(void)
{
    struct ways_settings s = {.ask = ask, .directory = &scene, .found = found, .context = &scene};
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    ways = ways_new(&s);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_once_for_many),
        cmocka_unit_test(what_an_administrator_sets_holds_after_a_second),
        cmocka_unit_test(without_an_answer_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
