#include "queue/local.h"

#include "account/delivery.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "role/role.h"

#include <pthread.h>
#include <string.h>

struct local {
    struct loop *loop;
    struct delivery_client *delivery;
    struct directory *directory;
    void (*done)(void *context, struct outcome *o);
    void *context;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t wake;
    struct job *waiting[LOCAL_JOBS_MAX];
    unsigned waiting_count, threads, idle_threads;
};

struct finished {
    struct local *local;
    struct outcome *outcome;
};

struct local *local_new(struct role *r, struct loop *loop, void (*done)(void *context, struct outcome *o),
                        void *context)
{
    struct local *l = MEM_NEW(struct local);
    *l = (struct local){
        .loop = loop,
        .delivery = delivery_client(r),
        .directory = directory_client(r),
        .done = done,
        .context = context,
    };
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    return l;
}

/* --- in a thread --- */

/* Targets that are accounts here, to the front. */
static size_t keep_ours(struct directory_answer *answer)
{
    size_t n = 0;
    for (size_t i = 0; i < answer->count; i++)
        if (answer->targets[i].is_local)
            answer->targets[n++] = answer->targets[i];
    return n;
}

static void resolve(struct local *l, const struct job_recipient *r, struct outcome *o, struct verdict *v)
{
    struct directory_answer answer = {0};
    struct err e = ERR_INIT;
    v->answered = true;
    if (!directory_resolve(l->directory, r->address, &o->arena, &answer, &e)) {
        v->fate = QUEUE_DEFERRED;
        v->reply = arena_printf(&o->arena, "4.3.0 %s", e.text);
    } else if (answer.fate == DIRECTORY_LOCAL || answer.fate == DIRECTORY_REMOTE) {
        v->targets = answer.targets;
        v->target_count = r->account == QUEUE_RESOLVE_OURS ? keep_ours(&answer) : answer.count;
        v->fate = QUEUE_FAILED; /* an alias that leads to nobody */
        v->reply = STR("5.1.1 the address leads to nobody");
    } else {
        v->fate = QUEUE_FAILED;
        v->reply =
            answer.fate == DIRECTORY_LOOP ? STR("5.4.6 the address leads round in circles") : answer.reply;
    }
}

static enum queue_fate fate_of(enum delivery_fate fate)
{
    switch (fate) {
    case DELIVERY_STORED: return QUEUE_SENT;
    case DELIVERY_PERMANENT: return QUEUE_FAILED;
    case DELIVERY_TEMPORARY: break;
    }
    return QUEUE_DEFERRED;
}

_Static_assert(PARCEL_INLINE_MAX <= DELIVERY_INLINE_MAX, "what is small here is small there");

static void deliver(struct local *l, struct job *j, struct outcome *o)
{
    struct delivery_message m = {.memfd = j->letter->body.fd,
                                 .bytes = j->letter->body.bytes,
                                 .size = j->letter->size,
                                 .sender = j->letter->sender,
                                 .again = true}; /* smtp tried, or we did before a crash: it may be there */
    memcpy(m.id, j->letter->delivery, sizeof m.id);
    struct delivery_recipient *to = ARENA_ARRAY(&o->arena, struct delivery_recipient, j->count);
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->recipients[i].account > 0)
            to[n++] = (struct delivery_recipient){
                .account = j->recipients[i].account,
                .address = j->recipients[i].address,
                .original = j->recipients[i].original,
                .detail = j->recipients[i].detail,
                .fate = DELIVERY_TEMPORARY,
            };
    if (n > 0)
        delivery_deliver(l->delivery, &m, to, n);
    for (size_t i = 0, k = 0; i < j->count; i++) {
        if (j->recipients[i].account <= 0)
            continue;
        o->verdicts[i] = (struct verdict){
            .answered = true,
            .fate = fate_of(to[k].fate),
            .passing = QUEUE_PASSED_FINAL,
            .reply = arena_copy(&o->arena, str_from(to[k].reply, strnlen(to[k].reply, sizeof to[k].reply))),
        };
        LOG_INFO(to[k].fate == DELIVERY_STORED ? "queue.delivered" : "queue.not_delivered",
                 F_C("id", j->letter->name), F_INT("queue", j->letter->id),
                 F_STR("to", j->recipients[i].address), F_STR("reply", o->verdicts[i].reply));
        k++;
    }
}

static struct outcome *work(struct local *l, struct job *j)
{
    struct outcome *o = outcome_new(j);
    for (size_t i = 0; i < j->count; i++)
        if (j->recipients[i].account == QUEUE_RESOLVE || j->recipients[i].account == QUEUE_RESOLVE_OURS)
            resolve(l, &j->recipients[i], o, &o->verdicts[i]);
    deliver(l, j, o);
    return o;
}

static void tell(void *context)
{
    struct finished *f = context;
    f->local->done(f->local->context, f->outcome);
    free(f);
}

static void serve(void *context)
{
    struct local *l = context;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (l->waiting_count == 0) {
            l->idle_threads++;
            pthread_cond_wait(&l->wake, &l->lock);
            l->idle_threads--;
        }
        struct job *j = l->waiting[--l->waiting_count];
        pthread_mutex_unlock(&l->lock);
        struct finished *f = MEM_NEW(struct finished);
        *f = (struct finished){l, work(l, j)};
        loop_post(l->loop, tell, f);
        pthread_mutex_lock(&l->lock);
    }
}

/* --- in the loop's thread --- */

void local_start(struct local *l, struct job *j)
{
    pthread_mutex_lock(&l->lock);
    /* One that has just finished is not idle yet, but will find the job by itself. */
    bool needs_thread = l->idle_threads <= l->waiting_count && l->threads < LOCAL_JOBS_MAX;
    l->threads += needs_thread;
    l->waiting[l->waiting_count++] = j;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (needs_thread && !thread_start(serve, l))
        log_die("queue.thread", "cannot start a thread for local deliveries");
}
