/* The role: its loop, its clock, its beginning and its end. */
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "queue/server.h"
#include "queue/tls_memory.h"
#include "storage/source.h"

#include <sys/epoll.h>
#include <time.h>

#define TICK_MS 1000 /* retries and the commands of an administrator are this late at most */
#define STOP_MS 8000 /* for what is in flight when the server goes down; the supervisor waits ten seconds */

#define QUEUE_FILES_MAX 4096 /* channels, and the messages kept open */

/* Jobs at once for a destination that nobody has spoken with: as Postfix. */
#define WINDOW_FIRST 5
/* A destination that is down is asked so often, by one message, whether it is back. */
#define ASK_MOST_S   900

/* --- a round --- */

static void nothing(void *context)
{
    (void)context;
}

/* Another round, even if nothing arrives. */
static void come_again(struct server *s)
{
    s->has_work = true;
    loop_post(s->loop, nothing, NULL);
}

bool server_settle(struct server *s)
{
    struct err e = ERR_INIT;
    if (transit_settle(s->transit, &e))
        return true;
    LOG_ERROR("queue.journal", F_C("reason", e.text));
    return false;
}

/* A piece of what is to be read; the rest follows after the next round, so that nobody who wants to hand in a
 * message waits for it. */
static void read_table(struct server *s, int64_t now)
{
    struct err e = ERR_INIT;
    bool more;
    if (plan_wants_read(s->plan, now) && !server_settle(s))
        return;
    if (!plan_read(s->plan, s->db, now, &more, &e)) {
        LOG_ERROR("queue.read", F_C("reason", e.text));
        return; /* again at the next tick */
    }
    if (more)
        come_again(s);
}

static void after_round(void *context)
{
    struct server *s = context;
    if (s->enqueues || (s->outcomes && !s->is_blocked))
        round_commit(s);
    if (s->has_work) {
        s->has_work = false;
        read_table(s, clock_wall());
        dispatch_jobs(s);
        if (s->outcomes && !s->is_blocked) /* of jobs that did not go */
            loop_post(s->loop, nothing, NULL);
    }
    if (s->is_stopping && !s->outcomes && plan_in_flight_count(s->plan) == 0)
        loop_stop(s->loop);
}

static void local_done(void *context, struct outcome *o)
{
    struct server *s = context;
    s->local_in_flight--;
    round_add_outcome(s, o);
}

/* --- the clock --- */

/* An administrator changed something: what is in memory may be wrong now. What is in flight ends as it
 * would; if its row is gone, so is its outcome. */
static void notice_changes(struct server *s)
{
    int64_t version = sql_data_version(s->db);
    if (version == s->data_version)
        return;
    s->data_version = version;
    plan_forget(s->plan);
    s->overdue = (struct overdue){0};
    if (tls_memory_is_asked(s->db))
        dispatch_wake_relays(s);
}

static void take_overdue(void *context, struct outcome *o)
{
    round_add_outcome(context, o);
}

static void look_for_overdue(struct server *s)
{
    struct schedule schedule = schedule_of(s->role->config);
    struct overdue_round q = {.plan = s->plan,
                              .db = s->db,
                              .schedule = &schedule,
                              .now = clock_wall(),
                              .add = take_overdue,
                              .context = s};
    struct err e = ERR_INIT;
    if (!s->outcomes && !s->is_stopping && !overdue_look(&s->overdue, &q, &e))
        LOG_ERROR("queue.read", F_C("reason", e.text));
}

/* Of the file, when a backlog has gone. */
static void give_back(struct server *s)
{
    struct err e = ERR_INIT;
    if (!sql_give_back(s->db, &s->gives_back, &e))
        LOG_ERROR("queue.room", F_C("reason", e.text));
}

static void tick(void *context)
{
    struct server *s = context;
    server_settle(s);
    give_back(s);
    notice_changes(s);
    s->is_blocked = false;
    look_for_overdue(s);
    s->has_work |= plan_wants_read(s->plan, clock_wall());
    loop_timer(s->loop, TICK_MS, tick, s);
}

/* Somebody looks at the tables. */
static void bell_rang(void *context, uint32_t events)
{
    struct server *s = context;
    (void)events;
    transit_listen(s->transit);
    server_settle(s);
}

/* --- the role --- */

static void take_channel(void *context, int channel, enum role_kind client, uint32_t index)
{
    (void)index;
    if (client == ROLE_RELAY)
        frames_from_relay(context, channel);
    else
        frames_from_sender(context, channel);
}

static void give_up_waiting(void *context)
{
    struct server *s = context;
    LOG_WARNING("queue.stop", F_INT("in_flight", plan_in_flight_count(s->plan)));
    loop_stop(s->loop);
}

/* What relay has under way ends, and is recorded: else it would be sent again. */
static void stop(void *context)
{
    struct server *s = context;
    if (!s->is_stopping)
        loop_timer(s->loop, STOP_MS, give_up_waiting, s);
    s->is_stopping = true;
}

/* In files, or kept by the store role, which does the rest. */
static struct sql *open_db(struct server *s, struct err *e)
{
    if (!source_is_postgresql(s->role->config))
        return queue_db_open(s->role->config, true, e);
    struct sql_source source = source_of_role(s->role, NULL, &s->store);
    return sql_open_at(&source, &QUEUE_SCHEMA, true, e);
}

static void start(struct server *s)
{
    struct err e = ERR_INIT;
    struct role *r = s->role;
    tzset(); /* reads its file while it can: reports carry local time */
    if (!role_drop_user(r, &e) || !(s->db = open_db(s, &e)))
        log_die("queue.start", "%s", e.text);
    CLEAN_FREE char *folder = queue_db_folder(r->config);
    bool has_files = !source_is_postgresql(r->config);
    if (has_files && !(s->transit = transit_open(folder, s->db, &e)))
        log_die("queue.start", "%s", e.text);
    struct sandbox_profile profile = {
        .name = "queue",
        .rights = has_files ? SANDBOX_FILES : 0u,
        .write_dirs = {has_files ? folder : NULL},
        .files_max = QUEUE_FILES_MAX,
        .landlock_required = r->config->sandbox_required,
    };
    if (!sandbox_enter(&profile, NULL, &e))
        log_die("queue.start", "%s", e.text);
}

static void configure(void *context)
{
    struct server *s = context;
    const struct config *c = s->role->config;
    struct window_bounds b = {
        .initial = WINDOW_FIRST,
        .most = c->relay_per_destination > 0 ? c->relay_per_destination : 1,
        .pause_s = schedule_of(c).first_s,
        .pause_most = c->queue_retry_most_s < ASK_MOST_S ? c->queue_retry_most_s : ASK_MOST_S,
    };
    plan_configure(s->plan, &b);
}

int queue_main(struct role *r)
{
    struct server s = {.role = r, .has_work = true};
    round_init(&s);
    start(&s);
    s.plan = plan_new();
    s.loop = loop_new();
    s.local = local_new(r, s.loop, local_done, &s);
    s.data_version = sql_data_version(s.db);
    configure(&s);
    loop_after_round(s.loop, after_round, &s);
    if (s.transit && transit_bell(s.transit) >= 0)
        loop_watch(s.loop, transit_bell(s.transit), EPOLLIN, bell_rang, &s);
    loop_timer(s.loop, TICK_MS, tick, &s);
    struct role_handlers handlers = {.channel = take_channel, .config = configure, .stop = stop};
    role_attach(r, s.loop, &handlers, &s);
    loop_run(s.loop);
    transit_close(s.transit);
    sql_close(s.db);
    return 0;
}
