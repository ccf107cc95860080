#include "store/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pgsql.h"
#include "base/sql_serve.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define POOLS_MAX       4
#define FRAMES_IN_A_ROW 32 /* of one channel, before others get their turn */

struct line;

/* Who is at the other end. It has as many lines as it asked for, and goes with the last. */
struct client {
    struct pool *pool;
    char *owner;
    unsigned lines, busy;       /* busy: threads that serve it now */
    struct line *first_waiting; /* lines with something to read, while it has all threads that it may have */
};

struct line {
    struct client *client;
    struct sql_session session;
    struct line *next_waiting;
    struct line *next, **back; /* of its pool */
};

/* The threads for one schema. Each waits for the next channel that has something to say; EPOLLONESHOT gives a
 * channel to one thread, until that says that it is done. */
struct pool {
    struct server *server;
    const struct sql_schema *schema;
    unsigned threads;
    int epoll;
    pthread_mutex_t lock; /* over what clients count, and: */
    struct line *lines;   /* all of them: the kernel alone knows the ones that are waited for */
};

struct server {
    char *conninfo;
    size_t count;
    struct pool pools[POOLS_MAX];
};

/* --- lines --- */

static void arm(struct line *l, int how)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = l};
    if (epoll_ctl(l->client->pool->epoll, how, l->session.channel, &e) < 0)
        log_die("store.epoll", "%s", strerror(errno));
}

static void add_line(struct client *c, int channel)
{
    struct line *l = MEM_NEW(struct line);
    struct pool *p = c->pool;
    *l = (struct line){.client = c, .session = {.channel = channel, .schema = p->schema->name}};
    pthread_mutex_lock(&p->lock);
    l->next = p->lines;
    l->back = &p->lines;
    if (l->next)
        l->next->back = &l->next;
    p->lines = l;
    pthread_mutex_unlock(&p->lock);
    arm(l, EPOLL_CTL_ADD);
}

static void remove_line(struct line *l)
{
    struct pool *p = l->client->pool;
    close(l->session.channel);
    pthread_mutex_lock(&p->lock);
    *l->back = l->next;
    if (l->next)
        l->next->back = l->back;
    pthread_mutex_unlock(&p->lock);
    free(l);
}

/* Whether one more thread may serve this client. If not, the line waits for one of them. */
static bool enter(struct line *l)
{
    struct client *c = l->client;
    pthread_mutex_lock(&c->pool->lock);
    bool may = c->busy < SERVER_THREADS_PER_CLIENT;
    if (may) {
        c->busy++;
    } else {
        l->next_waiting = c->first_waiting;
        c->first_waiting = l;
    }
    pthread_mutex_unlock(&c->pool->lock);
    return may;
}

/* `line`: the one that was served, to be waited for again; NULL: it is gone. Under the lock, which whoever
 * gets it next takes too. */
static void leave(struct client *c, struct line *line)
{
    struct pool *p = c->pool;
    pthread_mutex_lock(&p->lock);
    c->busy--;
    c->lines -= !line;
    if (line)
        arm(line, EPOLL_CTL_MOD);
    struct line *next = c->first_waiting;
    if (next) {
        c->first_waiting = next->next_waiting;
        arm(next, EPOLL_CTL_MOD); /* it still has what it had to say */
    }
    bool is_last = c->lines == 0 && c->busy == 0; /* a line that was armed may be gone before we are here */
    pthread_mutex_unlock(&p->lock);
    if (!is_last)
        return;
    free(c->owner);
    free(c);
}

/* SQL_FRAME_OPEN: one more line for the same client. */
static bool open_another(struct line *l, const struct ipc_frame *f)
{
    struct client *c = l->client;
    int ends[2] = {-1, -1};
    pthread_mutex_lock(&c->pool->lock);
    bool may = c->lines < SERVER_CHANNELS_PER_CLIENT;
    c->lines += may;
    pthread_mutex_unlock(&c->pool->lock);
    CLEAN_FRAME struct ipc_frame answer;
    ipc_frame_init(&answer, SQL_FRAME_ANSWER);
    answer.id = f->id;
    if (may && ipc_pair(ends)) {
        ipc_put_fd(&answer, ends[1]);
        add_line(c, ends[0]);
    } else if (may) {
        pthread_mutex_lock(&c->pool->lock);
        c->lines--; /* not the last: this one is there */
        pthread_mutex_unlock(&c->pool->lock);
    }
    bool sent = ipc_send(l->session.channel, &answer, deadline_in(SERVER_PATIENCE_MS)) == IPC_OK;
    mem_clean_close(&ends[1]);
    return sent;
}

/* --- threads --- */

/* Serves one line as long as something is under way on it. False: it is of no use any more. */
static bool serve(struct line *l, struct sql *db)
{
    enum sql_served state = SQL_SERVED;
    struct sql_session *s = &l->session;
    for (int i = 0; state == SQL_UNDER_WAY || i < FRAMES_IN_A_ROW; i++) {
        struct ipc_frame f;
        enum ipc_result got = state == SQL_UNDER_WAY
                                  ? ipc_receive(s->channel, &f, deadline_in(SERVER_PATIENCE_MS))
                                  : ipc_receive_now(s->channel, &f);
        if (got == IPC_AGAIN)
            return true;
        if (got == IPC_TIMEOUT)
            LOG_WARNING("store.silent", F_C("schema", s->schema), F_C("owner", l->client->owner));
        if (got != IPC_OK)
            return false;
        state = sql_serve(s, db, &f);
        if (state == SQL_OPEN_WANTED && open_another(l, &f))
            state = SQL_SERVED;
        ipc_frame_free(&f);
        if (state == SQL_SERVED)
            sql_rollback(db); /* forgets a transaction that was lost with its connection */
        if (state == SQL_BROKEN)
            LOG_ERROR("store.bad-frame", F_C("schema", s->schema), F_C("owner", l->client->owner));
        if (state == SQL_BROKEN || state == SQL_OPEN_WANTED)
            return false;
    }
    return true;
}

static void serve_next(struct pool *p, struct sql *db)
{
    struct epoll_event e;
    if (epoll_wait(p->epoll, &e, 1, -1) != 1)
        return; /* a signal */
    struct line *l = e.data.ptr;
    struct client *c = l->client;
    if (!enter(l))
        return;
    pgsql_set_owner(db, c->owner);
    bool goes_on = serve(l, db);
    if (!goes_on) {
        sql_session_end(&l->session, db);
        remove_line(l);
    }
    leave(c, goes_on ? l : NULL);
}

static void work(void *context)
{
    struct pool *p = context;
    struct sql_source source = {.kind = SQL_PGSQL, .where = p->server->conninfo};
    struct sql *db = sql_open_at(&source, p->schema, true, NULL); /* connects when it is used */
    while (db)
        serve_next(p, db);
}

/* --- the whole --- */

struct server *server_new(const char *conninfo, const struct sql_schema *const *schemas, size_t count,
                          unsigned connections)
{
    struct server *s = MEM_NEW(struct server);
    s->conninfo = mem_copy_c(conninfo, strlen(conninfo));
    s->count = count < POOLS_MAX ? count : POOLS_MAX;
    for (size_t i = 0; i < s->count; i++) {
        struct pool *p = &s->pools[i];
        /* The directory and the queue have one client, which asks one thing at a time. */
        *p = (struct pool){.server = s, .schema = schemas[i], .threads = schemas[i]->owner ? connections : 1};
        pthread_mutex_init(&p->lock, NULL);
        p->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (p->epoll < 0)
            log_die("store.epoll", "%s", strerror(errno));
    }
    return s;
}

bool server_start(struct server *s, struct err *e)
{
    for (size_t i = 0; i < s->count; i++)
        for (unsigned n = 0; n < s->pools[i].threads; n++)
            if (!thread_start(work, &s->pools[i]))
                return err_set(e, ERR_TEMPORARY, "no room for another thread");
    return true;
}

void server_add(struct server *s, const struct sql_schema *schema, const char *owner, int channel)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->pools[i].schema != schema)
            continue;
        struct client *c = MEM_NEW(struct client);
        *c = (struct client){.pool = &s->pools[i], .owner = mem_copy_c(owner, strlen(owner)), .lines = 1};
        add_line(c, channel);
        return;
    }
    close(channel);
}
