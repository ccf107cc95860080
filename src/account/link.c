#include "account/link.h"

#include "base/mem.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define ASK_MS     (10 * 1000) /* the other account may have to be started first */
#define OWNERS_MAX 1000        /* more than the directory ever tells */

/* A question under way, on the stack of the thread that waits. */
struct question {
    struct question *next;
    uint32_t id;
    bool is_answered;
    struct ipc_frame answer;
};

struct link {
    struct account_link sessions; /* first */
    int control;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t answered;
    struct question *first;
    uint32_t last_id;
};

/* --- asking --- */

static struct question **find(struct link *l, uint32_t id)
{
    struct question **at = &l->first;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

bool link_take(struct link *l, struct ipc_frame *f)
{
    if (f->type != KEEPER_FRAME_DONE && f->type != KEEPER_FRAME_FAILED)
        return false;
    pthread_mutex_lock(&l->mutex);
    struct question *q = *find(l, f->id);
    if (q && !q->is_answered) { /* else it was given up */
        q->answer = *f;
        q->is_answered = true;
        *f = (struct ipc_frame){0}; /* payload and descriptors are the question's now */
        pthread_cond_broadcast(&l->answered);
    }
    pthread_mutex_unlock(&l->mutex);
    return true;
}

/* Waits for q->answer, holding the mutex. */
static void wait_for_answer(struct link *l, struct question *q, struct deadline d)
{
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    while (!q->is_answered && pthread_cond_timedwait(&l->answered, &l->mutex, &until) != ETIMEDOUT) {
    }
}

/* On true the caller frees *answer. */
static bool ask(struct link *l, struct ipc_frame *f, struct ipc_frame *answer, struct err *e)
{
    struct question q = {0};
    struct deadline d = deadline_in(ASK_MS);
    pthread_mutex_lock(&l->mutex);
    q.id = f->id = ++l->last_id;
    q.next = l->first;
    l->first = &q;
    pthread_mutex_unlock(&l->mutex);
    bool sent = ipc_send(l->control, f, d) == IPC_OK;
    pthread_mutex_lock(&l->mutex);
    if (sent)
        wait_for_answer(l, &q, d);
    *find(l, q.id) = q.next;
    pthread_mutex_unlock(&l->mutex);
    if (!q.is_answered)
        return err_set(e, ERR_TEMPORARY, "keeper does not answer");
    if (q.answer.type == KEEPER_FRAME_DONE) {
        *answer = q.answer;
        return true;
    }
    struct ipc_reader in = ipc_read(&q.answer);
    struct str why = ipc_get_str(&in);
    err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why));
    ipc_frame_free(&q.answer);
    return false;
}

/* --- what sessions ask --- */

static int open_shared(struct account_link *sessions, struct str owner, struct err *e)
{
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    ipc_frame_init(&f, ACCOUNT_FRAME_SHARED_OPEN);
    ipc_put_str(&f, owner);
    if (!ask((struct link *)sessions, &f, &answer, e))
        return -1;
    int fd = ipc_frame_take_fd(&answer, 0);
    if (fd < 0)
        err_set(e, ERR_PERMANENT, "nobody of that address shares mailboxes with you");
    return fd;
}

static bool list_shared(struct account_link *sessions, struct arena *a, struct str **owners, size_t *n,
                        struct err *e)
{
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    ipc_frame_init(&f, ACCOUNT_FRAME_SHARED_LIST);
    if (!ask((struct link *)sessions, &f, &answer, e))
        return false;
    struct ipc_reader in = ipc_read(&answer);
    uint32_t count = ipc_get_u32(&in);
    if (in.bad || count > OWNERS_MAX)
        return err_set(e, ERR_INTERNAL, "keeper's list of owners cannot be read");
    *owners = ARENA_ARRAY(a, struct str, count);
    for (*n = 0; *n < count; ++*n)
        (*owners)[*n] = arena_copy(a, ipc_get_str(&in));
    return ipc_done(&in) || err_set(e, ERR_INTERNAL, "keeper's list of owners cannot be read");
}

static bool share(struct account_link *sessions, const struct str *guests, size_t n, struct err *e)
{
    CLEAN_FRAME struct ipc_frame f, answer = {0};
    ipc_frame_init(&f, ACCOUNT_FRAME_SHARE);
    ipc_put_u32(&f, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        ipc_put_str(&f, guests[i]);
    return ask((struct link *)sessions, &f, &answer, e);
}

struct link *link_new(int control)
{
    struct link *l = MEM_NEW(struct link);
    pthread_condattr_t attributes;
    *l = (struct link){.sessions = {.open_shared = open_shared, .list_shared = list_shared, .share = share},
                       .control = control};
    pthread_mutex_init(&l->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as struct deadline */
    pthread_cond_init(&l->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return l;
}

struct account_link *link_of_sessions(struct link *l)
{
    return &l->sessions;
}
