/* The directory's process: answers whose address and whose password, for smtp, login and the queue. It alone
 * sees password hashes; it has no network. Questions about addresses are answered on the spot: questions.c;
 * who may log in: logins.c and scram_logins.c. */
#include "directory/directory_role.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/config.h"
#include "directory/address.h"
#include "directory/db_parts.h"
#include "directory/frames.h"
#include "directory/password.h"
#include "directory/service.h"
#include "role/role.h"
#include "sasl/prepare.h"
#include "storage/source.h"

#include <sodium.h>

/* Room for eight Argon2 checks, of foreign hashes with 64 MiB too, and the allocator's arena of each thread.
 */
#define MEMORY_MAX ((size_t)2 << 30)
#define FILES_MAX  4096 /* channels: every smtp, login and queue process has at most 72 */
#define REPLY_MS   1000 /* a client reads one reply before it asks again, so there is always room */

void directory_reply(struct loop_channel *c, struct ipc_frame *reply, uint32_t id)
{
    reply->id = id;
    if (ipc_send(loop_channel_fd(c), reply, deadline_in(REPLY_MS)) != IPC_OK)
        loop_channel_close(c);
}

void directory_fail(struct loop_channel *c, uint32_t id, const char *why)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_FAILED);
    ipc_put_str(&reply, str_from_c(why));
    directory_reply(c, &reply, id);
}

void directory_fail_and_log(struct loop_channel *c, uint32_t id, const struct err *e)
{
    LOG_ERROR("directory.failed", F_C("error", e->text));
    directory_fail(c, id, "the directory cannot be read");
}

/* --- the process --- */

static void on_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct client *client = context;
    struct directory_service *s = client->service;
    bool may_ask = client->kind == ROLE_SMTP || client->kind == ROLE_LOGIN; /* whether somebody may log in */
    bool is_way_out = client->kind == ROLE_RELAY || client->kind == ROLE_QUEUE;
    if (f->type == DIRECTORY_FRAME_RESOLVE && client->kind != ROLE_RELAY) {
        directory_serve_resolve(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_SENDER && client->kind != ROLE_RELAY) {
        directory_serve_sender(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_CANONICAL && client->kind == ROLE_SMTP) {
        directory_serve_canonical(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_ROUTE && is_way_out) {
        directory_serve_route(s, c, f, client->kind);
    } else if (f->type == DIRECTORY_FRAME_VERIFY && may_ask) {
        directory_serve_verify(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_SCRAM_FIRST && may_ask) {
        directory_serve_scram_first(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_SCRAM_FINAL && may_ask) {
        directory_serve_scram_final(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_SHARE && client->kind == ROLE_KEEPER) {
        directory_serve_share(s, c, f);
    } else if (f->type == DIRECTORY_FRAME_SHARED_WITH && client->kind == ROLE_KEEPER) {
        directory_serve_shared_with(s, c, f);
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
    loop_channel_asks(loop_channel(s->loop, channel, on_frame, NULL, &s->clients[kind]));
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
        .rights = folder ? SANDBOX_FILES : 0u,
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
    sasl_prepare_init();
    if (!role_drop_user(s->role, e))
        return false;
    /* The folder must be there for the sandbox to name it, and what is made in it must be ours. */
    struct sql_source source = source_of_role(s->role, directory_db_path(config->data, &a), &s->store);
    s->db = directory_db_open_at(&source, config->tag_separator, e);
    const char *folder = source.kind == SQL_SQLITE ? directory_db_folder(config->data, &a) : NULL;
    s->changes_fd = s->db && folder ? directory_changes_open(folder) : -1;
    if (!s->db || !enter_sandbox(s->role, folder, e))
        return false;
    password_generate(nobodys);
    if (!directory_scram_key(s->db, s->salt_key, e) || !directory_db_load_srs_key(s->db, e) ||
        !password_hash(str_from_c(nobodys), s->nobodys_hash, e))
        return false;
    s->loop = loop_new();
    s->throttle = throttle_new();
    s->verified = verified_new();
    s->checker = checker_new(s->loop, config->workers, directory_password_checked, s);
    s->exchanges = exchanges_new();
    directory_changes_watch(s);
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
    exchanges_free(s.exchanges);
    verified_free(s.verified);
    throttle_free(s.throttle);
    directory_db_close(s.db);
    return 0;
}
