#include "directory/checker.h"

#include "base/log.h"
#include "base/mem.h"
#include "directory/password.h"

#include <pthread.h>
#include <string.h>

/* Argon2 and yescrypt keep what is big on the heap; 256 KiB leaves their round functions ample room. The
 * sanitizers' frames are several times larger. */
#ifdef GOLUB_SANITIZED
#define STACK_BYTES ((size_t)1 << 20)
#else
#define STACK_BYTES ((size_t)256 * 1024)
#endif

struct waiter {
    struct waiter *next;
    void *request;
};

/* One password against one hash. `good` and `scram` are the worker's to write until the answer is posted; the
 * list and the waiters are the loop thread's alone. */
struct check {
    struct check *next;
    struct checker *checker;
    unsigned char tag[VERIFIED_TAG_BYTES];
    char *hash, *password;
    size_t hash_n, password_n;
    struct waiter *waiters;
    unsigned char salt[SCRAM_SALT_BYTES];
    bool wants_scram;
    bool good;
    char scram[SCRAM_VERIFIER_MAX];
};

struct checker {
    struct loop *loop;
    checker_done_fn *done;
    void *context;
    pthread_t threads[CHECKER_THREADS_MAX];
    unsigned thread_count;
    struct check *open; /* those without an answer yet */
    size_t waiting;     /* their waiters */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more;
    struct check *work[CHECKER_WAITING_MAX]; /* a ring */
    size_t work_at, work_count;
    bool stopping;
};

static void check_free(struct check *check)
{
    mem_wipe(check->password, check->password_n);
    free(check->password);
    free(check->hash);
    free(check);
}

/* In the loop's thread: tells all who wait. */
static void answer(void *context)
{
    struct check *check = context;
    struct checker *c = check->checker;
    struct check **at = &c->open;
    while (*at != check)
        at = &(*at)->next;
    *at = check->next;
    for (struct waiter *w = check->waiters, *next; w; w = next) {
        next = w->next;
        c->waiting--;
        c->done(c->context, w->request, check->good, str_from_c(check->scram));
        free(w);
    }
    check_free(check);
}

static struct check *take_work(struct checker *c)
{
    struct check *check = NULL;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping && c->work_count == 0)
        pthread_cond_wait(&c->more, &c->lock);
    if (!c->stopping) {
        check = c->work[c->work_at];
        c->work_at = (c->work_at + 1) % CHECKER_WAITING_MAX;
        c->work_count--;
    }
    pthread_mutex_unlock(&c->lock);
    return check;
}

static void check_now(struct check *check)
{
    struct scram_verifier v;
    struct str password = str_from(check->password, check->password_n);
    check->good = password_verify(password, str_from(check->hash, check->hash_n));
    if (!check->good || !check->wants_scram)
        return;
    scram_derive(password, check->salt, SCRAM_ITERATIONS, &v);
    scram_verifier_write(&v, check->scram);
}

static void *work(void *context)
{
    struct checker *c = context;
    struct check *check;
    while ((check = take_work(c))) {
        check_now(check);
        loop_post(c->loop, answer, check);
    }
    return NULL;
}

struct checker *checker_new(struct loop *l, unsigned threads, checker_done_fn *done, void *context)
{
    struct checker *c = MEM_NEW(struct checker);
    pthread_attr_t attr;
    c->loop = l;
    c->done = done;
    c->context = context;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    while (c->thread_count < threads && c->thread_count < CHECKER_THREADS_MAX) {
        int error = pthread_create(&c->threads[c->thread_count], &attr, work, c);
        if (error != 0)
            log_die("directory.no_thread", "starting a thread: %s; raise the limit of processes",
                    strerror(error));
        c->thread_count++;
    }
    pthread_attr_destroy(&attr);
    return c;
}

static struct check *find_open(struct checker *c, const unsigned char *tag)
{
    struct check *check = c->open;
    while (check && memcmp(check->tag, tag, VERIFIED_TAG_BYTES) != 0)
        check = check->next;
    return check;
}

static struct check *add_check(struct checker *c, const unsigned char *tag, struct str hash,
                               struct str password, const unsigned char *salt)
{
    struct check *check = MEM_NEW(struct check);
    check->checker = c;
    memcpy(check->tag, tag, VERIFIED_TAG_BYTES);
    check->hash = mem_copy_c(hash.p, hash.n);
    check->hash_n = hash.n;
    check->password = mem_copy_c(password.p, password.n);
    check->password_n = password.n;
    check->wants_scram = salt;
    if (salt)
        memcpy(check->salt, salt, sizeof check->salt);
    check->next = c->open;
    c->open = check;
    pthread_mutex_lock(&c->lock);
    c->work[(c->work_at + c->work_count++) % CHECKER_WAITING_MAX] = check;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
    return check;
}

bool checker_submit(struct checker *c, const unsigned char tag[VERIFIED_TAG_BYTES], struct str hash,
                    struct str password, const unsigned char *salt, void *request)
{
    if (c->waiting >= CHECKER_WAITING_MAX)
        return false;
    struct check *check = find_open(c, tag);
    if (!check)
        check = add_check(c, tag, hash, password, salt);
    struct waiter *w = MEM_NEW(struct waiter);
    w->request = request;
    w->next = check->waiters;
    check->waiters = w;
    c->waiting++;
    return true;
}

void checker_free(struct checker *c, void (*drop)(void *request))
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->thread_count; i++)
        pthread_join(c->threads[i], NULL);
    for (struct check *check = c->open, *next; check; check = next) {
        next = check->next;
        for (struct waiter *w = check->waiters, *after; w; w = after) {
            after = w->next;
            drop(w->request);
            free(w);
        }
        check_free(check);
    }
    pthread_cond_destroy(&c->more);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
