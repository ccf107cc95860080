/* The directory's process: answers whose address and whose password, for smtp, login and the queue. It alone
 * sees password hashes; it has no network. Questions about addresses are answered on the spot, passwords by
 * the checker's threads. */
#include "directory/directory_role.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/config.h"
#include "directory/address.h"
#include "directory/checker.h"
#include "directory/db.h"
#include "directory/frames.h"
#include "directory/password.h"
#include "directory/throttle.h"
#include "role/role.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Room for eight Argon2 checks, of foreign hashes with 64 MiB too, and the allocator's arena of each thread.
 */
#define MEMORY_MAX ((size_t)2 << 30)
#define FILES_MAX  4096 /* channels: every smtp, login and queue process has at most 72 */
#define REPLY_MS   1000 /* a client reads one reply before it asks again, so there is always room */

struct directory_service;
/* Who is on the other end of a channel. */
struct client {
    struct directory_service *service;
    enum role_kind kind;
};

struct directory_service {
    struct role *role;
    struct loop *loop;
    struct directory_db *db;
    struct throttle *throttle;
    struct verified *verified;
    struct checker *checker;
    struct client clients[ROLE_COUNT];    /* one a kind serves all channels of its kind */
    char nobodys_hash[PASSWORD_HASH_MAX]; /* checked when there is no account, so that this takes as long */
};

/* A password on its way through the checker. */
struct attempt {
    uint64_t channel; /* serial */
    uint32_t id;      /* of the frame */
    unsigned char who[THROTTLE_KEY_BYTES];
    unsigned char tag[VERIFIED_TAG_BYTES];
    bool can_log_in; /* there is such an account, enabled and with a password */
    struct directory_login login;
};

static void send_reply(struct loop_channel *c, struct ipc_frame *reply, uint32_t id)
{
    reply->id = id;
    if (ipc_send(loop_channel_fd(c), reply, deadline_in(REPLY_MS)) != IPC_OK)
        loop_channel_close(c);
}

static void send_failed(struct loop_channel *c, uint32_t id, const char *why)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_FAILED);
    ipc_put_str(&reply, str_from_c(why));
    send_reply(c, &reply, id);
}

static void send_failed_and_log(struct loop_channel *c, uint32_t id, const struct err *e)
{
    LOG_ERROR("directory.failed", F_C("error", e->text));
    send_failed(c, id, "the directory cannot be read");
}

/* --- addresses --- */

static void serve_resolve(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame reply;
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    struct str address = ipc_get_str(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_ANSWER);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (!directory_db_resolve(s->db, address, &a, &answer, &e)) {
        send_failed_and_log(c, f->id, &e);
        return;
    }
    directory_answer_put(&reply, &answer, answer.fate == DIRECTORY_LOOP ? str_from_c(e.text) : STR(""));
    if (reply.payload.overflow) /* hundreds of the longest addresses: more than a frame holds */
        send_failed(c, f->id, "the alias leads to more than one answer can hold");
    else
        send_reply(c, &reply, f->id);
}

static void serve_may_send(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame reply;
    struct err e = ERR_INIT;
    bool may;
    struct ipc_reader r = ipc_read(f);
    int64_t account = (int64_t)ipc_get_u64(&r);
    struct str address = ipc_get_str(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_MAY);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (!directory_db_may_send_as(s->db, account, address, &may, &e)) {
        send_failed_and_log(c, f->id, &e);
        return;
    }
    ipc_put_u8(&reply, may);
    send_reply(c, &reply, f->id);
}

/* --- passwords --- */

static void send_verdict(struct loop_channel *c, uint32_t id, enum directory_verdict verdict,
                         const struct directory_login *login)
{
    CLEAN_FRAME struct ipc_frame reply;
    bool good = verdict == DIRECTORY_GOOD;
    ipc_frame_init(&reply, DIRECTORY_FRAME_VERDICT);
    ipc_put_u8(&reply, (uint8_t)verdict);
    ipc_put_u64(&reply, good ? (uint64_t)login->account : 0);
    ipc_put_str(&reply, good ? str_from_c(login->address) : STR(""));
    ipc_put_u32(&reply, login->wait_s);
    send_reply(c, &reply, id);
}

static uint64_t short_tag(const unsigned char tag[VERIFIED_TAG_BYTES])
{
    uint64_t v;
    memcpy(&v, tag, sizeof v);
    return v;
}

/* The checker's answer, in the loop's thread. */
static void checked(void *context, void *request, bool good)
{
    struct directory_service *s = context;
    struct attempt *at = request;
    int64_t now = clock_ms();
    if (good && at->can_log_in) {
        verified_add(s->verified, at->tag, now);
    } else {
        good = false;
        at->login.wait_s = throttle_failed(s->throttle, at->who, short_tag(at->tag),
                                           s->role->config->failures_before_wait, now);
    }
    throttle_leave(s->throttle, at->who, now);
    struct loop_channel *c = loop_channel_find(s->loop, at->channel);
    if (c)
        send_verdict(c, at->id, good ? DIRECTORY_GOOD : DIRECTORY_WRONG, &at->login);
    free(at);
}

/* Fills in who it is and what the password is checked against. */
static bool identify(struct directory_service *s, struct attempt *at, struct str user, struct str password,
                     struct str *hash, struct arena *a, struct err *e)
{
    struct directory_account account = {.hash = STR(""), .address = user};
    bool found;
    if (!directory_db_login(s->db, user, a, &found, &account, e))
        return false;
    at->can_log_in = found && account.enabled && account.hash.n > 0;
    *hash = at->can_log_in ? account.hash : str_from_c(s->nobodys_hash);
    if (at->can_log_in) {
        at->login.account = account.id;
        snprintf(at->login.address, sizeof at->login.address, "%.*s", STR_ARGS(account.address));
    }
    verified_tag(s->verified, at->can_log_in ? account.address : user, *hash, password, at->tag);
    return true;
}

static void verify(struct directory_service *s, struct loop_channel *c, struct attempt *at, struct str user,
                   struct str password)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct str hash;
    struct attempt *request = NULL;
    if (!identify(s, at, user, password, &hash, &a, &e)) {
        throttle_leave(s->throttle, at->who, clock_ms());
        send_failed_and_log(c, at->id, &e);
        return;
    }
    if (at->can_log_in && verified_has(s->verified, at->tag, clock_ms())) {
        throttle_leave(s->throttle, at->who, clock_ms());
        send_verdict(c, at->id, DIRECTORY_GOOD, &at->login);
        return;
    }
    request = MEM_NEW(struct attempt);
    *request = *at;
    if (!checker_submit(s->checker, at->tag, hash, password, request)) {
        free(request);
        throttle_leave(s->throttle, at->who, clock_ms());
        LOG_WARNING("directory.busy", F_INT("waiting", CHECKER_WAITING_MAX));
        send_failed(c, at->id, "too many passwords wait to be checked");
    }
}

static void serve_verify(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    char peer_text[64] = "";
    struct attempt at = {.channel = loop_channel_serial(c), .id = f->id};
    struct ipc_reader r = ipc_read(f);
    struct str user = ipc_get_str(&r), password = ipc_get_str(&r), peer = ipc_get_str(&r);
    if (!ipc_done(&r) || peer.n >= sizeof peer_text) {
        loop_channel_close(c);
        return;
    }
    memcpy(peer_text, peer.p, peer.n);
    throttle_key(s->throttle, peer_text, user, at.who);
    at.login.wait_s = throttle_enter(s->throttle, at.who, clock_ms());
    if (at.login.wait_s > 0)
        send_verdict(c, f->id, DIRECTORY_WAIT, &at.login);
    else
        verify(s, c, &at, user, password);
    mem_wipe(f->payload.p, f->payload.n);
}

/* --- the process --- */

static void on_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct client *client = context;
    struct directory_service *s = client->service;
    bool may_verify = client->kind == ROLE_SMTP || client->kind == ROLE_LOGIN;
    if (f->type == DIRECTORY_FRAME_RESOLVE) {
        serve_resolve(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_MAY_SEND) {
        serve_may_send(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_VERIFY && may_verify) {
        serve_verify(s, c, f);
    } else {
        LOG_WARNING("directory.refused", F_C("client", role_name(client->kind)), F_INT("frame", f->type));
        loop_channel_close(c);
    }
}

static void on_channel(void *context, int channel, enum role_kind kind, uint32_t index)
{
    struct directory_service *s = context;
    (void)index;
    s->clients[kind] = (struct client){s, kind};
    loop_channel(s->loop, channel, on_frame, NULL, &s->clients[kind]);
}

static void on_config(void *context)
{
    struct directory_service *s = context;
    s->db->separator = s->role->config->tag_separator;
}

static bool enter_sandbox(struct role *r, const char *folder, struct err *e)
{
    const struct sandbox_profile profile = {
        .name = "directory",
        .rights = SANDBOX_FILES,
        .write_dirs = {folder},
        .memory_max = MEMORY_MAX,
        .files_max = FILES_MAX,
        .landlock_required = r->config->sandbox_required,
    };
    return sandbox_enter(&profile, NULL, e);
}

static bool start(struct directory_service *s, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const struct config *config = s->role->config;
    char nobodys[PASSWORD_GENERATED + 1];
    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, "libsodium does not start");
    directory_address_init();
    if (!role_drop_user(s->role, e))
        return false;
    /* The folder must be there for the sandbox to name it, and what is made in it must be ours. */
    s->db = directory_db_open(config->data, config->tag_separator, e);
    if (!s->db || !enter_sandbox(s->role, directory_db_folder(config->data, &a), e))
        return false;
    password_generate(nobodys);
    if (!password_hash(str_from_c(nobodys), s->nobodys_hash, e))
        return false;
    s->loop = loop_new();
    s->throttle = throttle_new();
    s->verified = verified_new();
    s->checker = checker_new(s->loop, config->workers, checked, s);
    return true;
}

int directory_main(struct role *r)
{
    static const struct role_handlers handlers = {.channel = on_channel, .config = on_config};
    struct directory_service s = {.role = r};
    struct err e = ERR_INIT;
    if (!start(&s, &e))
        log_die("directory.start", "%s", e.text);
    role_attach(r, s.loop, &handlers, &s);
    loop_run(s.loop);
    checker_free(s.checker, free);
    loop_free(s.loop);
    verified_free(s.verified);
    throttle_free(s.throttle);
    directory_db_close(s.db);
    return 0;
}
