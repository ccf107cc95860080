/* The account process: its main thread takes what keeper hands over, and deliveries; sessions have threads of
 * their own. With nothing to do for a while it asks keeper to leave. */
#include "account/host.h"

#include "account/intake.h"
#include "account/link.h"
#include "account/sessions.h"
#include "account/upkeep.h"
#include "base/log.h"
#include "base/sql_remote.h"
#include "base/sqlite_prepare.h"
#include "keeper/keeper.h"
#include "role/role.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The same when the server stops: what is on its way from smtp comes at once. */
#define ACCOUNT_LAST_MS    100
/* After the store could not be opened, the next that asks within this time gets the same answer. */
#define STORE_RETRY_MS     1000
/* Address space: the largest message mapped (SEALED_BYTES_MAX), a hundred sessions' stacks, SQLite. */
#define ACCOUNT_MEMORY_MAX ((size_t)8 << 30)
/* Sessions have two descriptors, database connections three, deliveries one and a memfd. */
#define ACCOUNT_FILES_MAX  1024
/* Heaps that threads share: each costs memory that stays, and pages that are touched anew when the account
 * wakes; sessions wait on clients, not for malloc. */
#define ACCOUNT_HEAPS      1
/* What a heap keeps of memory that was given back, and from what size on a block has pages of its own.
 * Without a word malloc changes both as it goes. */
#define HEAP_KEPT          (1 << 20)
/* What a delivery or a session takes of the heap in its first milliseconds, in pieces that fit into the holes
 * that it has. */
#define HEAP_PIECE         ((size_t)64 * 1024)
#define HEAP_PIECES        6

/* From the last thing that happened to the first look whether all sessions are quiet. */
#define PARK_LOOK_MS 1000
/* keeper reads its channels at once; one that does not is ending. */
#define CONTROL_MS   1000

struct account {
    struct host host; /* first */
    struct intake *intake;
    struct sessions *sessions;
    struct loop_channel *control;
    bool looks_around; /* the timer for it runs */
};

/* One more channel to the store role; it knows whose. */
static int connect_store(void *context, struct deadline d)
{
    struct host *h = context;
    pthread_mutex_lock(&h->store_channel);
    int channel = sql_remote_more(h->start->store, d);
    pthread_mutex_unlock(&h->store_channel);
    return channel;
}

static struct store *open_store(struct host *h, struct err *e)
{
    struct sql_source remote = {.kind = SQL_REMOTE, .connect = connect_store, .context = h};
    return h->start->store < 0 ? store_open(h->start->dir, e) : store_open_at(&remote, e);
}

/* store went down, and with it who it knew us as: keeper introduces the next process of this account. */
static void store_gone(void *context, uint32_t events)
{
    struct host *h = context;
    (void)events;
    LOG_ERROR("account.store", F_C("address", h->start->address), F_C("error", "the store role is gone"));
    loop_stop(h->loop);
}

struct store *host_store(struct host *h, struct err *e)
{
    if (h->store)
        return h->store;
    if (h->store_error.kind == ERR_NONE || clock_ms() - h->store_failed_ms >= STORE_RETRY_MS) {
        h->store_error = (struct err)ERR_INIT;
        h->store = open_store(h, &h->store_error);
        h->store_failed_ms = clock_ms();
        if (h->store) {
            store_keep_arrivals(h->store);
            store_keep_deleted(h->store, h->start->config->keeps_deleted);
            upkeep_start(h->upkeep);
        } else {
            LOG_ERROR("account.store", F_C("address", h->start->address), F_C("error", h->store_error.text));
        }
    }
    if (!h->store && e)
        *e = h->store_error;
    return h->store;
}

/* --- others --- */

/* How often a session learns of what a command did beside the server (golub undelete). */
#define LOOK_AROUND_MS 1000

static void look_around(void *context)
{
    struct account *a = context;
    a->looks_around = sessions_count(a->sessions) > 0; /* else nobody is there to learn of it */
    if (a->looks_around && a->host.store)
        store_look_around(a->host.store);
    if (a->looks_around)
        loop_timer(a->host.loop, LOOK_AROUND_MS, look_around, a);
}

static void start_looking_around(struct account *a)
{
    if (!a->looks_around)
        loop_timer(a->host.loop, LOOK_AROUND_MS, look_around, a);
    a->looks_around = true;
}

/* --- leaving --- */

void host_offer_to_leave(struct host *h)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ACCOUNT_FRAME_IDLE);
    ipc_put_u64(&f, h->received);
    ipc_send(h->control, &f, deadline_in(CONTROL_MS));
    host_touch(h); /* asks again, should the answer be no */
}

static void ask_to_leave(void *context);

static void linger(struct host *h, int64_t ms)
{
    h->linger_ms = clock_ms() + ms;
    h->linger = loop_timer(h->loop, ms, ask_to_leave, h);
}

/* Nothing to do for a while: keeper says LEAVE if it has nothing on its way to us either. */
static void ask_to_leave(void *context)
{
    struct account *a = context;
    int64_t left = a->host.linger_ms - clock_ms();
    a->host.linger = NULL;
    if (left > 0) { /* something has happened since the timer was set */
        linger(&a->host, left);
        return;
    }
    if (intake_channels(a->intake) > 0 && !a->host.stopping)
        return; /* the end of the last of them sets the timer again */
    if (sessions_count(a->sessions) > 0 && a->host.stopping)
        return; /* so does theirs */
    int64_t wait = sessions_quiet_in(a->sessions);
    if (wait != 0) {
        if (wait > 0)
            linger(&a->host, wait);
        return;
    }
    if (upkeep_before_leaving(a->host.upkeep))
        return; /* the end of that comes here again */
    if (sessions_count(a->sessions) > 0)
        sessions_park(a->sessions);
    else
        host_offer_to_leave(&a->host);
}

static void upkeep_is_over(void *context)
{
    struct account *a = context;
    if (!a->host.linger) /* nothing has begun meanwhile */
        ask_to_leave(a);
}

void host_touch(struct host *h)
{
    struct account *a = (struct account *)h;
    /* With sessions it is they who say how long to wait. */
    int64_t wait = h->stopping ? ACCOUNT_LAST_MS
                   : sessions_count(a->sessions) > 0
                       ? PARK_LOOK_MS
                       : 1000 * (int64_t)h->start->config->stay_awake_s / ACCOUNT_OFFERS;
    int64_t at = clock_ms() + wait;
    if (h->linger && h->linger_ms <= at) {
        h->linger_ms = at; /* seen when it rings: a message needs no timer of its own */
        return;
    }
    if (h->linger)
        loop_timer_cancel(h->linger);
    linger(h, wait);
}

static void control_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct account *a = context;
    int fd;
    (void)c;
    switch (f->type) {
    case ACCOUNT_FRAME_DELIVERY:
        a->host.received++;
        sessions_stay(a->sessions);
        if ((fd = ipc_frame_take_fd(f, 0)) >= 0)
            intake_add_channel(a->intake, fd);
        break;
    case ACCOUNT_FRAME_SESSION:
        a->host.received++;
        if (!sessions_start(a->sessions, f))
            LOG_ERROR("account.bad-frame", F_C("address", a->host.start->address));
        break;
    case ACCOUNT_FRAME_THAW:
        a->host.received++;
        if (!sessions_thaw(a->sessions, f))
            LOG_ERROR("account.bad-frame", F_C("address", a->host.start->address));
        break;
    case ACCOUNT_FRAME_STOP:
        a->host.stopping = true;
        sessions_stop(a->sessions);
        break;
    case KEEPER_FRAME_DONE:
    case KEEPER_FRAME_FAILED: link_take(a->host.link, f); return;
    case ACCOUNT_FRAME_LEAVE: loop_stop(a->host.loop); return;
    default: LOG_ERROR("account.bad-frame", F_INT("type", f->type));
    }
    if (sessions_count(a->sessions) > 0)
        start_looking_around(a);
    host_touch(&a->host);
}

static void control_closed(void *context, struct loop_channel *c)
{
    struct account *a = context;
    (void)c;
    loop_stop(a->host.loop); /* keeper is gone: sessions end with us, and clients come again */
}

static bool enter(const struct account_start *start, struct err *e)
{
    bool has_folder = start->store < 0;
    if (has_folder && mkdir(start->dir, 0700) < 0 &&
        errno != EEXIST) /* Landlock is about a folder that is there */
        return err_set(e, ERR_TEMPORARY, "cannot make %s: %s", start->dir, strerror(errno));
    struct sandbox_profile profile = {.name = "account",
                                      .rights = has_folder ? ACCOUNT_RIGHTS : ACCOUNT_RIGHTS_WITH_STORE,
                                      .write_dirs = {has_folder ? start->dir : NULL},
                                      .memory_max = ACCOUNT_MEMORY_MAX,
                                      .files_max = ACCOUNT_FILES_MAX,
                                      .landlock_required = start->config->sandbox_required};
    return sandbox_enter(&profile, start->filter, e);
}

void account_prepare(void)
{
    mallopt(M_ARENA_MAX, ACCOUNT_HEAPS);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    sqlite_prepare();
    malloc_trim(0);
}

/* Pages that will be needed: made together they take the kernel little more than half of what they take when
 * they are touched one by one. */
static void make_heap_ready(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *pieces[HEAP_PIECES];
    for (size_t i = 0; i < HEAP_PIECES; i++) {
        pieces[i] = malloc(HEAP_PIECE);
        uintptr_t from = ((uintptr_t)pieces[i] + page - 1) & ~(page - 1);
        if (pieces[i]) /* a kernel before 5.14 refuses, and they are made one by one */
            madvise((void *)from, HEAP_PIECE - page, MADV_POPULATE_WRITE);
    }
    for (size_t i = 0; i < HEAP_PIECES; i++)
        free(pieces[i]);
}

int account_main(const struct account_start *start)
{
    struct err e = ERR_INIT;
    log_identify("account");
    role_title(ROLE_ACCOUNT, start->address);
    make_heap_ready();
    if (!enter(start, &e))
        log_die("account.start", "%s", e.text);
    role_try_escape(ROLE_ACCOUNT);
    struct account a = {.host = {.start = start, .control = start->control, .loop = loop_new()}};
    pthread_mutex_init(&a.host.store_channel, NULL);
    if (start->store >= 0)
        loop_watch(a.host.loop, start->store, 0, store_gone, &a.host); /* answers are read by who asked */
    a.host.link = link_new(start->control);
    a.host.upkeep = upkeep_new(&a.host, upkeep_is_over, &a);
    a.intake = intake_new(&a.host);
    a.sessions = sessions_new(&a.host);
    a.control = loop_channel(a.host.loop, start->control, control_frame, control_closed, &a);
    host_touch(&a.host);
    loop_run(a.host.loop);
    /* The process ends with its control channel still open: once that closes, keeper takes it for dead. Its
     * memory goes with it; the threads of sessions may use it to the last moment. */
    if (a.host.store && sessions_count(a.sessions) == 0 && !upkeep_is_busy(a.host.upkeep))
        store_close(a.host.store);
    return 0;
}
