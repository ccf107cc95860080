#include "keeper/awake.h"

#include "account/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper/keeper.h"
#include "keeper/nursery.h"
#include "keeper/parked.h"
#include "storage/source.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long something waits for an account that is leaving, restarting or not reading: less than
 * KEEPER_PATIENCE of the callers, so that they hear of it from us. */
#define ERRAND_MS      (8 * (int64_t)1000)
#define TICK_MS        25   /* between looks at what waits; runs only while something does */
#define ERRANDS_MAX    1000 /* waiting for one account; more logins than that are an attack or a mistake */
#define EARLY_DEATH_MS (5 * (int64_t)1000) /* a process that lived shorter counts as dying at once */
#define FREE_DEATHS    2 /* at once, before there are pauses: chance, not a fault that stays */
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS   (30 * (int64_t)1000)
#define STORE_MS       1000 /* for the supervisor's answer, and for room in store's channel */
/* Accounts with nothing to do stay awake for [mailbox] stay_awake where all that are awake take at most this
 * part of the machine's memory. Sessions do not keep them: those sleep here. */
#define ROOM_SHARE     16
#define ROOM_EACH      ((size_t)2 << 20) /* bytes, see AWAKE_MAX */
#define BEAR_TRIES     3                 /* that a process that dies in between does not fail */
#define BUCKETS        4096              /* with as many accounts asleep as PARKED_MAX chains stay short */

enum state { ASLEEP, AWAKE, LEAVING };

struct account {
    struct awake *all;
    struct account *next; /* in its bucket */
    int64_t id;
    char *address; /* while awake */
    enum state state;
    pid_t pid;
    struct loop_channel *control;
    uint64_t handed; /* things that its process was given */
    unsigned offers; /* to leave, since it was given something */
    struct parked *parked;
    struct errand *first, **last;
    size_t waiting;
    struct loop_timer *tick; /* set while something waits */
    int64_t since_ms;        /* it is in its state */
    int64_t not_before_ms;   /* for the next fork */
    unsigned early_deaths;   /* one after another; kept while asleep, so that the pause is */
};

struct awake {
    struct role *role;
    struct loop *loop;
    struct nursery *nursery;
    struct awake_handlers handlers;
    void *context;
    bool stopping;
    int store;      /* a channel to the role of that name, if there is one; -1: not open */
    size_t count;   /* processes */
    size_t room;    /* for so many of them: ROOM_SHARE */
    size_t errands; /* waiting, for all accounts */
    struct parking *parking;
    struct account *buckets[BUCKETS];
};

static void serve(struct account *a);
static void forget_if_asleep(struct account *a);

/* --- errands --- */

struct errand *errand_new(uint16_t account_frame, const struct loop_channel *client, uint32_t request,
                          struct str address)
{
    struct errand *e = MEM_NEW(struct errand);
    e->client = loop_channel_serial(client);
    e->request = request;
    e->until = deadline_in(ERRAND_MS);
    e->address = mem_copy_c(address.p, address.n);
    e->handed_fd = e->answer_fd = -1;
    ipc_frame_init(&e->frame, account_frame);
    return e;
}

static void errand_free(struct errand *e)
{
    if (e->frame.payload.p)
        mem_wipe(e->frame.payload.p, e->frame.payload.n); /* bytes of a session */
    ipc_frame_free(&e->frame);
    mem_clean_close(&e->handed_fd);
    mem_clean_close(&e->answer_fd);
    free(e->address);
    free(e);
}

/* Tells whoever asked, if it is still there. `why` NULL: done. */
static void answer(struct awake *all, struct errand *e, const char *why)
{
    struct loop_channel *client = loop_channel_find(all->loop, e->client);
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, why ? KEEPER_FRAME_FAILED : KEEPER_FRAME_DONE);
    f.id = e->request;
    if (why)
        ipc_put_str(&f, str_from_c(why));
    else if (e->answer_fd >= 0)
        ipc_put_fd(&f, e->answer_fd);
    /* The client waits for this one frame, so there is room; one that does not read is not waited for. */
    if (client && ipc_send(loop_channel_fd(client), &f, deadline_in(0)) != IPC_OK)
        loop_channel_close(client);
    errand_free(e);
}

static struct errand *take_first(struct account *a)
{
    struct errand *e = a->first;
    a->first = e->next;
    if (!a->first)
        a->last = &a->first;
    a->waiting--;
    a->all->errands--;
    return e;
}

static void refuse_all(struct account *a, const char *why)
{
    while (a->first)
        answer(a->all, take_first(a), why);
}

static bool has_work(const struct account *a)
{
    return a->first || parked_is_roused(a->parked);
}

/* Something has to be looked at again soon. */
static void tick(void *context)
{
    struct account *a = context;
    a->tick = NULL;
    while (a->first && deadline_passed(a->first->until)) /* the oldest stands first */
        answer(a->all, take_first(a), "the account does not start or does not answer; see its log lines");
    if (has_work(a))
        serve(a);
    forget_if_asleep(a);
}

static void wait_a_tick(struct account *a)
{
    if (!a->tick)
        a->tick = loop_timer(a->all->loop, TICK_MS, tick, a);
}

/* --- the table --- */

static struct account **find(struct awake *all, int64_t id)
{
    struct account **at = &all->buckets[(uint64_t)id % BUCKETS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct account *find_or_add(struct awake *all, int64_t id)
{
    struct account **at = find(all, id);
    if (!*at) {
        *at = MEM_NEW(struct account);
        **at = (struct account){.all = all, .id = id};
        (*at)->last = &(*at)->first;
    }
    return *at;
}

static void remove_account(struct account *a)
{
    *find(a->all, a->id) = a->next;
    if (a->tick)
        loop_timer_cancel(a->tick);
    free(a);
}

static void forget_if_asleep(struct account *a)
{
    if (a->state == ASLEEP && !a->first && !a->parked && a->early_deaths == 0)
        remove_account(a);
}

/* --- the process --- */

static void control_frame(void *context, struct loop_channel *c, struct ipc_frame *f);
static void control_closed(void *context, struct loop_channel *c);

static bool tell(struct account *a, enum keeper_account_frame what)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, (uint16_t)what);
    return ipc_send(loop_channel_fd(a->control), &f, deadline_in(0)) == IPC_OK;
}

static bool introduce(struct awake *all, int64_t account, int channel)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, STORE_FRAME_ACCOUNT);
    ipc_put_u64(&f, (uint64_t)account);
    ipc_put_fd(&f, channel);
    return all->store >= 0 && ipc_send(all->store, &f, deadline_in(STORE_MS)) == IPC_OK;
}

/* Tells store whose rows whoever has the other end may reach. *channel is that end, or -1 where the mail is
 * in files. */
static bool open_store(struct account *a, int *channel, struct err *e)
{
    struct awake *all = a->all;
    int ends[2];
    *channel = -1;
    if (!source_is_postgresql(all->role->config))
        return true;
    if (!ipc_pair(ends))
        return err_set(e, ERR_TEMPORARY, "no socketpair: %s", strerror(errno));
    bool good = introduce(all, a->id, ends[0]);
    if (!good) { /* the first, or store was restarted */
        mem_clean_close(&all->store);
        all->store = role_connect(all->role, ROLE_STORE, ROLE_ANY, deadline_in(STORE_MS));
        good = introduce(all, a->id, ends[0]);
    }
    close(ends[0]);
    if (good)
        *channel = ends[1];
    else
        close(ends[1]);
    return good || err_set(e, ERR_TEMPORARY, "store does not answer");
}

/* Its process, and our end of its control socket. Again where the process that forks accounts has died since
 * it was last asked: then there is another one. */
static bool bear(struct account *a, const char *address, int *control, struct err *e)
{
    CLEAN_CLOSE int store = -1;
    if (!open_store(a, &store, e))
        return false;
    for (int i = 0; i < BEAR_TRIES; i++) {
        int ends[2];
        if (!ipc_pair(ends))
            return err_set(e, ERR_TEMPORARY, "no socketpair: %s", strerror(errno));
        struct nursery_birth birth = {
            .account = a->id, .address = address, .control = ends[1], .store = store};
        bool is_born = nursery_bear(a->all->nursery, &birth, &a->pid, e);
        close(ends[1]);
        *control = ends[0];
        if (is_born)
            return true;
        close(ends[0]);
    }
    return false;
}

static bool wake(struct account *a, struct err *e)
{
    int control = -1;
    if (a->all->count >= AWAKE_MAX)
        return err_set(e, ERR_TEMPORARY, "%d accounts are awake already", AWAKE_MAX);
    char *address =
        a->first ? mem_copy_c(a->first->address, strlen(a->first->address)) : parked_address(a->parked);
    if (!bear(a, address, &control, e)) {
        free(address);
        return false;
    }
    a->state = AWAKE;
    a->address = address;
    a->handed = a->offers = 0;
    a->since_ms = clock_ms();
    a->all->count++;
    a->control = loop_channel(a->all->loop, control, control_frame, control_closed, a);
    if (a->all->stopping)
        tell(a, ACCOUNT_FRAME_STOP);
    return true;
}

/* --- what it says --- */

static bool may_stay(const struct account *a)
{
    return a->offers < ACCOUNT_OFFERS && !a->parked && !a->all->stopping && a->all->count <= a->all->room;
}

/* An idle account may go if it has seen all that was handed to it. If not, it will, and ask again; until then
 * the sessions that it has parked go on there. */
static void let_go(struct account *a, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t seen = ipc_get_u64(&in);
    if (a->state != AWAKE)
        return;
    bool is_idle = ipc_done(&in) && seen == a->handed && !has_work(a);
    a->offers++;
    if (is_idle && may_stay(a))
        return;
    if (is_idle && tell(a, ACCOUNT_FRAME_LEAVE)) {
        a->state = LEAVING;
        a->since_ms = clock_ms();
    } else if (a->parked) {
        serve(a);
    }
}

/* One that cannot be held goes on where it was. */
static void give_back(struct account *a, const struct parked_request *r)
{
    CLEAN_CLOSE int fd = r->fd;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ACCOUNT_FRAME_THAW);
    ipc_put_u64(&f, PARKED_NO_NUMBER);
    ipc_put_str(&f, r->state);
    ipc_put_fd(&f, fd);
    if (ipc_send(loop_channel_fd(a->control), &f, deadline_in(0)) == IPC_OK)
        a->handed++;
    else
        LOG_ERROR("account.session-lost", F_INT("account", a->id), F_C("why", "it does not take it back"));
}

static void park(struct account *a, struct ipc_frame *f)
{
    struct parked_request r;
    if (a->state != AWAKE || !parked_request_get(f, &r)) {
        LOG_ERROR("account.bad-frame", F_INT("account", a->id), F_INT("type", f->type));
        return;
    }
    if (!parked_add(a->all->parking, &a->parked, a, &r))
        give_back(a, &r);
    if (a->all->stopping)
        parked_end(&a->parked);
}

static void note_taken(struct account *a, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t number = ipc_get_u64(&in);
    if (!ipc_done(&in) || (number != PARKED_NO_NUMBER && !parked_taken(&a->parked, number)))
        LOG_ERROR("account.bad-frame", F_INT("account", a->id), F_INT("type", f->type));
}

static void control_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct account *a = context;
    if (f->type == ACCOUNT_FRAME_TAKEN)
        note_taken(a, f);
    else if (f->type == ACCOUNT_FRAME_PARK)
        park(a, f);
    else if (f->type == ACCOUNT_FRAME_IDLE)
        let_go(a, f);
    else
        a->all->handlers.asks(a->all->context, a->id, a->address, c, f);
}

static void note_death(struct account *a, int status)
{
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (clean || a->all->stopping) {
        a->early_deaths = 0;
        a->not_before_ms = 0;
        return;
    }
    LOG_ERROR("account.died", F_INT("account", a->id), F_INT("pid", a->pid),
              F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
              F_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
    a->early_deaths = clock_ms() - a->since_ms < EARLY_DEATH_MS ? a->early_deaths + 1 : 0;
    unsigned paused = a->early_deaths > FREE_DEATHS ? a->early_deaths - FREE_DEATHS : 0;
    int64_t pause = paused ? (int64_t)PAUSE_FIRST_MS << (paused < 10 ? paused - 1 : 9) : 0;
    a->not_before_ms = clock_ms() + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

/* Its end of the control channel is closed: the process is gone, all its descriptors with it, or it is up to
 * something. The kill decides, so that waiting is short; it does not change the status of one that ended. */
static void control_closed(void *context, struct loop_channel *c)
{
    struct account *a = context;
    struct awake *all = a->all;
    (void)c;
    note_death(a, nursery_bury(all->nursery, a->pid));
    a->state = ASLEEP;
    free(a->address);
    a->address = NULL;
    a->control = NULL;
    all->count--;
    parked_return(&a->parked);
    if (all->stopping)
        parked_end(&a->parked);
    if (has_work(a))
        serve(a);
    forget_if_asleep(a);
    all->handlers.gone(all->context);
}

/* Its process was given something: it has to have seen that before it goes. */
static void note_handed(struct account *a)
{
    a->handed++;
    a->offers = 0;
}

/* --- handing over --- */

/* Gives the account's process what waits for it, in order. False: it cannot take more now. */
static bool hand_all(struct account *a)
{
    while (a->first) {
        enum ipc_result r = ipc_send(loop_channel_fd(a->control), &a->first->frame, deadline_in(0));
        if (r == IPC_BAD) {
            answer(a->all, take_first(a), "the request cannot be handed over");
        } else if (r != IPC_OK) { /* full, or gone, which control_closed will notice */
            return false;
        } else {
            note_handed(a);
            answer(a->all, take_first(a), NULL);
        }
    }
    return true;
}

/* The sessions that sleep: all of them, for whatever this process does they have to be told. False: it cannot
 * take more now. */
static bool thaw_all(struct account *a)
{
    for (struct parked *s; (s = parked_next(a->parked));) {
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ACCOUNT_FRAME_THAW);
        parked_put(s, &f);
        if (ipc_send(loop_channel_fd(a->control), &f, deadline_in(0)) != IPC_OK)
            return false;
        parked_given(s);
        note_handed(a);
    }
    return true;
}

static void serve(struct account *a)
{
    struct err e = ERR_INIT;
    if (a->state == LEAVING && clock_ms() - a->since_ms > ERRAND_MS / 2)
        kill(a->pid, SIGKILL); /* it said that it would go */
    if (a->state == ASLEEP && clock_ms() >= a->not_before_ms && !wake(a, &e)) {
        LOG_ERROR("account.start", F_INT("account", a->id), F_C("error", e.text));
        refuse_all(a, "the account's process cannot be started");
        a->not_before_ms = clock_ms() + PAUSE_FIRST_MS; /* sessions that sleep wait for better times */
    }
    /* What woke it first: a message is on its way to the disk while the sessions come that are told of it. */
    bool has_all = a->state == AWAKE && hand_all(a) && thaw_all(a);
    if (!has_all && (has_work(a) || a->state == AWAKE))
        wait_a_tick(a);
}

static void roused(void *owner)
{
    struct account *a = owner;
    if (has_work(a))
        serve(a);
    forget_if_asleep(a);
}

void awake_hand(struct awake *all, int64_t id, struct errand *e)
{
    struct account *a = find_or_add(all, id);
    if (a->waiting >= ERRANDS_MAX) {
        answer(all, e, "too much waits for this account");
        return;
    }
    e->next = NULL;
    *a->last = e;
    a->last = &e->next;
    a->waiting++;
    all->errands++;
    if (a->waiting == 1) /* else a tick or the end of the old process will serve all */
        serve(a);
    forget_if_asleep(a);
}

/* --- the whole --- */

/* In a fork: bytes of people's sessions. */
static void forget_errands(void *context)
{
    struct awake *all = context;
    for (size_t i = 0; i < BUCKETS && all->errands > 0; i++)
        for (struct account *a = all->buckets[i]; a; a = a->next)
            while (a->first)
                errand_free(take_first(a));
}

void awake_reconfigure(struct awake *all)
{
    nursery_reconfigure(all->nursery);
}

static size_t room_for_idle(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t room = pages > 0 && page > 0 ? (size_t)pages / ROOM_SHARE * (size_t)page / ROOM_EACH : 0;
    return room < AWAKE_MAX / 2 ? room : AWAKE_MAX / 2; /* the rest is for those who have something to do */
}

struct awake *awake_new(struct role *r, struct loop *l, const char *dir, const struct sandbox_filter *filter,
                        size_t parked_max, const struct awake_handlers *handlers, void *context)
{
    struct awake *all = MEM_NEW(struct awake);
    *all = (struct awake){.role = r,
                          .loop = l,
                          .handlers = *handlers,
                          .context = context,
                          .store = -1,
                          .room = room_for_idle()};
    all->nursery = nursery_new(r, dir, filter, forget_errands, all);
    all->parking = parking_new(l, parked_max, roused);
    return all;
}

size_t awake_count(const struct awake *all)
{
    return all->count;
}

void awake_stop(struct awake *all)
{
    all->stopping = true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct account *a = all->buckets[i], *next; a; a = next) {
            next = a->next;
            if (a->state == AWAKE)
                tell(a, ACCOUNT_FRAME_STOP);
            parked_end(&a->parked);
            forget_if_asleep(a);
        }
}

void awake_kill(struct awake *all)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct account *a = all->buckets[i]; a; a = a->next)
            if (a->state != ASLEEP) {
                LOG_WARNING("account.killed", F_INT("account", a->id), F_C("why", "did not stop in time"));
                kill(a->pid, SIGKILL);
            }
}
