#include "relay/relay.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "directory/address.h"
#include "relay/crew.h"
#include "relay/https.h"
#include "relay/reporter.h"
#include "relay/ways.h"
#include "role/role.h"
#include "sasl/prepare.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* The main thread holds the channel to queue; the crew does the sending. */

#define SEND_MS         5000        /* a queue that does not take a result for so long is stuck */
#define CONNECT_MS      (10 * 1000) /* to queue, through the supervisor */
#define RECONNECT_MS    500         /* after the queue went away: it is being started again */
#define STOP_MS         8000 /* for what is under way when the server goes down; the supervisor waits ten seconds */
#define RELAY_FILES_MAX 4096 /* a socket a thread, a message a job, channels to dns and directory */

struct relay {
    struct role *role;
    struct loop *loop;
    struct crew *crew;
    struct ways *ways;
    struct loop_channel *queue;
    /* How many queues there have been: a job of an earlier one is nobody's any more, and may not go to the
     * crew. `door` is held while one goes, and while the number changes. */
    _Atomic uint64_t queues;
    pthread_mutex_t door;
    struct tls_results *results;
    struct reporter *reporter;
    /* Over send_fd, the channel once more (-1: there is none): threads send results, each in one packet, at
     * the same time, and it is not closed under them. */
    pthread_rwlock_t lock;
    int send_fd;
    bool is_stopping;
};

/* --- from the crew's threads --- */

static bool send_result(void *context, struct relay_job *j)
{
    struct relay *r = context;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_RESULT);
    relay_job_result(j, &f);
    pthread_rwlock_rdlock(&r->lock);
    /* An orphan's number means nothing to the queue that is there now. */
    bool sent = r->send_fd >= 0 && !atomic_load(&j->is_orphan) && j->queue == r->queues &&
                ipc_send(r->send_fd, &f, deadline_in(SEND_MS)) == IPC_OK;
    pthread_rwlock_unlock(&r->lock);
    return sent;
}

/* From the thread that asks the directory, or from the main one. */
static void way_found(void *context, struct relay_job *j)
{
    struct relay *r = context;
    if (j->way_failure.n > 0) {
        relay_job_decline(j, j->way_failure);
        send_result(r, j);
        relay_job_free(j);
        return;
    }
    pthread_mutex_lock(&r->door);
    if (j->queue == r->queues)
        crew_add(r->crew, j);
    else
        relay_job_free(j);
    pthread_mutex_unlock(&r->door);
}

static bool ask_directory(void *directory, struct str sender, struct str domain, struct arena *a,
                          struct directory_route *out, struct err *e)
{
    return directory_route(directory, sender, domain, a, out, e);
}

static int connect_socket(void *role, struct str path, struct err *e)
{
    return role_connect_socket(role, path, deadline_in(CONNECT_MS), e);
}

static void leave(void *context)
{
    struct relay *r = context;
    loop_stop(r->loop);
}

static void crew_ended(void *context)
{
    struct relay *r = context;
    loop_post(r->loop, leave, r);
}

static void look_up(void *dns, const struct dns_question *questions, size_t n, struct arena *a,
                    struct dns_answer *out)
{
    dns_lookup(dns, questions, n, a, out);
}

/* --- the queue --- */

static void take_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct relay *r = context;
    struct err e = ERR_INIT;
    if (f->type == QUEUE_FRAME_RECORDED) {
        struct ipc_reader in = ipc_read(f);
        while (in.rest.n > 0 && !in.bad)
            crew_recorded(r->crew, ipc_get_u64(&in));
        if (!in.bad)
            return;
        err_set(&e, ERR_INTERNAL, "a receipt that is not valid");
    } else if (f->type == QUEUE_FRAME_WAKE) {
        reporter_wake(r->reporter);
        return;
    } else if (f->type == QUEUE_FRAME_JOB) {
        struct relay_job *j = relay_job_read(f, &e);
        if (j) {
            j->queue = r->queues;
            ways_find(r->ways, j);
            return;
        }
    } else {
        err_set(&e, ERR_INTERNAL, "a frame that queue does not send");
    }
    LOG_ERROR("relay.bad_frame", F_C("reason", e.text));
    loop_channel_close(c);
}

static void connect_queue(void *context);

static void queue_closed(void *context, struct loop_channel *c)
{
    struct relay *r = context;
    (void)c;
    pthread_mutex_lock(&r->door);
    r->queues++;
    pthread_mutex_unlock(&r->door);
    pthread_rwlock_wrlock(&r->lock);
    close(r->send_fd);
    r->send_fd = -1;
    pthread_rwlock_unlock(&r->lock);
    r->queue = NULL;
    crew_orphan(r->crew);
    if (!r->is_stopping)
        loop_timer(r->loop, RECONNECT_MS, connect_queue, r);
}

/* Each job holds a descriptor; with a low limit there are fewer of them. */
static uint32_t jobs_at_once(void)
{
    struct rlimit l;
    uint32_t other = 2 * CREW_THREADS_MAX; /* connections, and channels to those whom threads ask */
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= other + CREW_JOBS_MAX)
        return CREW_JOBS_MAX;
    return l.rlim_cur > 2u * other ? (uint32_t)l.rlim_cur - other : (uint32_t)l.rlim_cur / 2;
}

/* One sender's mail to a thousand slow servers leaves a quarter of the threads to all others. */
static uint32_t jobs_of_one_flow(uint32_t jobs)
{
    uint32_t most = jobs < CREW_THREADS_MAX ? jobs : CREW_THREADS_MAX;
    return most - most / 4;
}

static bool open_channel(struct relay *r)
{
    uint32_t jobs = jobs_at_once();
    CLEAN_FRAME struct ipc_frame ready;
    ipc_frame_init(&ready, QUEUE_FRAME_READY);
    ipc_put_u32(&ready, jobs);
    ipc_put_u32(&ready, jobs_of_one_flow(jobs));
    CLEAN_CLOSE int channel = role_connect(r->role, ROLE_QUEUE, ROLE_ANY, deadline_in(CONNECT_MS));
    CLEAN_CLOSE int again = channel < 0 ? -1 : fcntl(channel, F_DUPFD_CLOEXEC, 0);
    if (again < 0 || ipc_send(channel, &ready, deadline_in(SEND_MS)) != IPC_OK)
        return false;
    r->queue = loop_channel(r->loop, channel, take_frame, queue_closed, r);
    channel = -1;
    pthread_rwlock_wrlock(&r->lock);
    r->send_fd = again;
    again = -1;
    pthread_rwlock_unlock(&r->lock);
    return true;
}

static void connect_queue(void *context)
{
    struct relay *r = context;
    if (!r->is_stopping && !open_channel(r))
        loop_timer(r->loop, RECONNECT_MS, connect_queue, r);
}

/* --- the role --- */

static void reconfigure(void *context)
{
    struct relay *r = context;
    crew_reconfigure(r->crew, r->role->config);
}

static void give_up_waiting(void *context)
{
    struct relay *r = context;
    LOG_WARNING("relay.stop", F_C("reason", "some messages are still under way; they will be sent again"));
    loop_stop(r->loop);
}

static void stop(void *context)
{
    struct relay *r = context;
    if (r->is_stopping)
        return;
    r->is_stopping = true;
    loop_timer(r->loop, STOP_MS, give_up_waiting, r);
    tls_results_flush(r->results);
    crew_stop(r->crew);
}

static void no_clients(void *context, int channel, enum role_kind client, uint32_t index)
{
    (void)context, (void)client, (void)index;
    close(channel); /* nobody connects to relay */
}

int relay_main(struct role *role)
{
    struct err e = ERR_INIT;
    struct relay r = {.role = role, .send_fd = -1};
    struct sandbox_profile profile = {
        .name = "relay",
        .rights = SANDBOX_CONNECT,
        .files_max = RELAY_FILES_MAX,
        .landlock_required = role->config->sandbox_required,
    };
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets whose peer may be gone */
    directory_address_init(); /* ICU reads its files now */
    sasl_prepare_init();
    if (!tls_start(role->config, &e) || !https_start(&e) || !role_drop_user(role, &e) ||
        !sandbox_enter(&profile, NULL, &e))
        log_die("relay.start", "%s", e.text);
    pthread_rwlock_init(&r.lock, NULL);
    pthread_mutex_init(&r.door, NULL);
    r.loop = loop_new();
    struct route_resolver dns = {.lookup = look_up, .context = dns_client(role)};
    struct queue_tls *memory = queue_tls_client(role);
    r.results = tls_results_new(memory);
    struct tls_policies *policies =
        tls_policies_new(&dns, sts_new(&dns, memory, (uint16_t)role->config->sts_port), r.results);
    struct reporter_settings reports = {
        .dns = dns,
        .memory = memory,
        .queue = queue_client(role),
        .results = r.results,
        .hostname = role->config->hostname,
        .sends = role->config->sends_tls_reports,
    };
    r.reporter = reporter_start(&reports);
    struct crew_settings settings = {
        .config = role->config,
        .dns = dns,
        .sockets = {.connect = connect_socket, .context = role},
        .tls = policies,
        .result = send_result,
        .ended = crew_ended,
        .context = &r,
    };
    r.crew = crew_new(&settings);
    struct ways_settings ways = {
        .ask = ask_directory, .directory = directory_client(role), .found = way_found, .context = &r};
    r.ways = ways_new(&ways);
    connect_queue(&r);
    struct role_handlers handlers = {.channel = no_clients, .config = reconfigure, .stop = stop};
    role_attach(role, r.loop, &handlers, &r);
    loop_run(r.loop);
    /* Not exit: threads that are still sending, or ending, use OpenSSL, whose cleanup at exit would take it
     * away from under them. */
    _exit(0);
}
