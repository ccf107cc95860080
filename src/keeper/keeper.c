/* The keeper role: takes requests from smtp, queue and login, and hands them to account processes
 * (keeper/awake.h), which are forks of a process that it keeps small for that (keeper/nursery.h). */
#include "keeper/keeper.h"

#include "account/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "directory/address.h"
#include "keeper/awake.h"
#include "keeper/shared.h"
#include "storage/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* One descriptor an account, one a session that sleeps, one a channel of smtp, queue and login, and those in
 * flight. */
#define KEEPER_FILES_MAX  65536
#define FILES_OTHER       ((size_t)AWAKE_MAX + 1024) /* those that are not for sleeping sessions */
/* When the server stops: sessions end at once, but smtp still delivers what it has been sent. Less than the
 * supervisor gives a step of stopping. */
#define KEEPER_STOP_MS    (8 * (int64_t)1000)
#define ADDRESS_BYTES_MAX 320 /* RFC 5321 section 4.5.3.1 */

struct keeper_role {
    struct role *role;
    int login; /* channel; -1: none yet, or it broke */
    struct loop *loop;
    struct awake *awake;
    struct shared *shared;
    size_t senders; /* channels of smtp: while there are any, messages may still come */
    bool stopping;
};

struct client {
    struct keeper_role *k;
    enum role_kind kind;
};

/* --- requests --- */

/* A frame that this client has no business to send: it is broken or taken over, and starts anew. */
static void reject(struct client *client, struct loop_channel *c, const char *why)
{
    LOG_ERROR("keeper.bad-request", F_C("from", role_name(client->kind)), F_C("why", why));
    loop_channel_close(c);
}

static void refuse(struct loop_channel *c, uint32_t request, const char *why)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, KEEPER_FRAME_FAILED);
    f.id = request;
    ipc_put_str(&f, str_from_c(why));
    if (ipc_send(loop_channel_fd(c), &f, deadline_in(0)) != IPC_OK)
        loop_channel_close(c);
}

/* What every request starts with. */
static bool get_account(struct ipc_reader *in, int64_t *id, struct str *address)
{
    uint64_t account = ipc_get_u64(in);
    *address = ipc_get_str(in);
    *id = (int64_t)account;
    return !in->bad && account > 0 && account <= INT64_MAX && address->n > 0 &&
           address->n <= ADDRESS_BYTES_MAX && str_find_byte(*address, '\0') == STR_NONE;
}

static void open_delivery(struct client *client, struct loop_channel *c, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    int64_t account;
    struct str address;
    int ends[2];
    if (!get_account(&in, &account, &address) || !ipc_done(&in)) {
        reject(client, c, "no well-formed delivery");
        return;
    }
    if (!ipc_pair(ends)) {
        refuse(c, f->id, "no socketpair for a delivery channel");
        return;
    }
    struct errand *e = errand_new(ACCOUNT_FRAME_DELIVERY, c, f->id, address);
    e->handed_fd = ends[0];
    e->answer_fd = ends[1];
    ipc_put_fd(&e->frame, e->handed_fd);
    awake_hand(client->k->awake, account, e);
}

static void hand_session(struct client *client, struct loop_channel *c, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    int64_t account;
    struct str address;
    struct connection connection;
    bool good = get_account(&in, &account, &address);
    uint8_t is_pop3 = ipc_get_u8(&in);
    struct str tag = ipc_get_str(&in), buffered = ipc_get_str(&in);
    if (!good || is_pop3 > 1 || buffered.n > KEEPER_BUFFERED_MAX || !connection_get(f, &in, &connection)) {
        reject(client, c, "no well-formed login");
        return;
    }
    if (!ipc_done(&in) || client->k->stopping) {
        close(connection.fd);
        refuse(c, f->id, "the server is stopping");
        return;
    }
    struct errand *e = errand_new(ACCOUNT_FRAME_SESSION, c, f->id, address);
    e->handed_fd = connection.fd;
    ipc_put_u8(&e->frame, is_pop3);
    ipc_put_str(&e->frame, tag);
    ipc_put_str(&e->frame, buffered);
    ipc_put_str(&e->frame, STR("")); /* no guest */
    connection_put(&e->frame, &connection);
    awake_hand(client->k->awake, account, e);
}

static void client_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct client *client = context;
    bool delivers = client->kind == ROLE_SMTP || client->kind == ROLE_QUEUE;
    if (f->type == KEEPER_FRAME_DELIVERY && delivers)
        open_delivery(client, c, f);
    else if (f->type == KEEPER_FRAME_LOGIN && client->kind == ROLE_LOGIN)
        hand_session(client, c, f);
    else
        reject(client, c, "not a frame for keeper from this role");
}

/* --- what accounts give back --- */

/* login answers at once that it is there; its socket has room, or it is stuck. */
#define GIVE_BACK_MS 1000

static bool send_to_login(struct keeper_role *k, const struct ipc_frame *f)
{
    if (k->login < 0)
        k->login = role_connect(k->role, ROLE_LOGIN, ROLE_ANY, deadline_in(GIVE_BACK_MS));
    if (k->login >= 0 && ipc_send(k->login, f, deadline_in(GIVE_BACK_MS)) == IPC_OK)
        return true;
    mem_clean_close(&k->login);
    k->login = -1;
    return false;
}

/* Passes a connection that is nobody's any more on to login, which knows by its voucher whether it was one of
 * its own. Where that fails the client sees the connection end. */
static void give_back(struct keeper_role *k, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str tag = ipc_get_str(&in), buffered = ipc_get_str(&in);
    struct connection c;
    if (buffered.n > KEEPER_BUFFERED_MAX || !connection_get(f, &in, &c)) {
        LOG_ERROR("account.bad-frame", F_INT("type", f->type));
        return;
    }
    CLEAN_FRAME struct ipc_frame out;
    ipc_frame_init(&out, KEEPER_FRAME_UNAUTHENTICATED);
    ipc_put_str(&out, tag);
    ipc_put_str(&out, buffered);
    connection_put(&out, &c);
    /* Twice: login may have been restarted since. */
    if (!k->stopping && !send_to_login(k, &out) && !send_to_login(k, &out))
        LOG_ERROR("keeper.no-login", F_C("peer", c.peer),
                  F_C("why", "login does not take a connection back"));
    close(c.fd);
}

/* --- coming and going --- */

/* Messages that smtp has been sent are still delivered while the server stops. Logins are not; and queue,
 * which is stopped after us, tries again later. */
static bool may_still_send(enum role_kind kind)
{
    return kind == ROLE_SMTP;
}

static void reconfigure(void *context)
{
    struct keeper_role *k = context;
    awake_reconfigure(k->awake);
}

static void stop_if_done(void *context)
{
    struct keeper_role *k = context;
    if (k->stopping && k->senders == 0 && awake_count(k->awake) == 0)
        loop_stop(k->loop);
}

static void client_closed(void *context, struct loop_channel *c)
{
    struct client *client = context;
    struct keeper_role *k = client->k;
    (void)c;
    k->senders -= may_still_send(client->kind);
    free(client);
    stop_if_done(k);
}

static void new_client(void *context, int channel, enum role_kind kind, uint32_t index)
{
    struct keeper_role *k = context;
    struct client *client = MEM_NEW(struct client);
    (void)index;
    *client = (struct client){.k = k, .kind = kind};
    k->senders += may_still_send(kind);
    loop_channel(k->loop, channel, client_frame, client_closed, client);
}

static void stop_now(void *context)
{
    struct keeper_role *k = context;
    awake_kill(k->awake);
    k->senders = 0;
    loop_stop(k->loop);
}

static void stop(void *context)
{
    struct keeper_role *k = context;
    if (k->stopping)
        return;
    k->stopping = true;
    awake_stop(k->awake);
    loop_timer(k->loop, KEEPER_STOP_MS, stop_now, k);
    stop_if_done(k);
}

/* --- the role --- */

/* DATA/account: every account's folder lies there. Lives as long as the process. */
static const char *accounts_dir(const struct role *r, struct err *e)
{
    char path[4096];
    struct str data = r->config->data;
    int n = snprintf(path, sizeof path, "%.*s/account", STR_ARGS(data));
    if (n < 0 || (size_t)n >= sizeof path) {
        err_set(e, ERR_PERMANENT, "the path of the data directory is too long");
        return NULL;
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        err_set(e, ERR_PERMANENT, "cannot make %s: %s", path, strerror(errno));
        return NULL;
    }
    return mem_copy_c(path, (size_t)n);
}

static struct sandbox_filter *prepare(struct role *r, const char **dir, struct err *e)
{
    bool has_files = !source_is_postgresql(r->config);
    if (!role_drop_user(r, e) || !(*dir = accounts_dir(r, e)))
        return NULL;
    struct sandbox_filter *filter =
        sandbox_compile(has_files ? ACCOUNT_RIGHTS : ACCOUNT_RIGHTS_WITH_STORE, e);
    struct sandbox_profile profile = {.name = "keeper",
                                      .rights = SANDBOX_FORK | (has_files ? SANDBOX_FILES : 0u),
                                      .write_dirs = {has_files ? *dir : NULL},
                                      .files_max = KEEPER_FILES_MAX,
                                      .landlock_required = r->config->sandbox_required};
    return filter && sandbox_enter(&profile, NULL, e) ? filter : NULL;
}

static void account_asks(void *context, int64_t account, const char *address, struct loop_channel *c,
                         struct ipc_frame *f)
{
    struct keeper_role *k = context;
    if (f->type == ACCOUNT_FRAME_UNAUTHENTICATED)
        give_back(k, f);
    else
        shared_frame(k->shared, account, address, c, f);
}

/* As many as there is room for beside the accounts that are awake. */
static size_t room_for_parked(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 0;
    return files.rlim_cur > 2 * FILES_OTHER ? files.rlim_cur - FILES_OTHER : files.rlim_cur / 2;
}

int keeper_main(struct role *r)
{
    struct err e = ERR_INIT;
    const char *dir = NULL;
    directory_address_init(); /* accounts read addresses too, in their sandboxes */
    struct sandbox_filter *filter = prepare(r, &dir, &e);
    if (!filter)
        log_die("keeper.start", "%s", e.text);
    struct keeper_role k = {.role = r, .login = -1, .loop = loop_new()};
    k.awake = awake_new(r, k.loop, dir, filter, room_for_parked(),
                        &(struct awake_handlers){.gone = stop_if_done, .asks = account_asks}, &k);
    k.shared = shared_new(r, k.loop, k.awake);
    role_attach(r, k.loop,
                &(struct role_handlers){.channel = new_client, .config = reconfigure, .stop = stop}, &k);
    loop_run(k.loop);
    loop_free(k.loop);
    sandbox_filter_free(filter);
    return 0;
}
