/* Passwords: who it is, whether he waits, and what the checker says. */
#include "base/log.h"
#include "base/mem.h"
#include "directory/address.h"
#include "directory/frames.h"
#include "directory/service.h"
#include "sasl/prepare.h"

#include <stdio.h>
#include <string.h>

#define PREPARED_MAX ((size_t)16 * 1024) /* of a user's name; a longer one is nobody's */

/* A password on its way through the checker. */
struct attempt {
    uint64_t channel; /* serial */
    uint32_t id;      /* of the frame */
    unsigned char who[THROTTLE_KEY_BYTES];
    unsigned char tag[VERIFIED_TAG_BYTES];
    bool can_log_in;  /* there is such an account, enabled and with a password */
    bool lacks_scram; /* it has no verifier yet */
    char hash[PASSWORD_HASH_MAX];
    struct directory_login login;
};

/* --- what SCRAM needs as well --- */

bool directory_find_user(struct directory_service *s, struct str user, struct arena *a, bool *found,
                         struct directory_account *out, struct err *e)
{
    CLEAN_BUF struct buf prepared;
    buf_init(&prepared, PREPARED_MAX);
    sasl_prepare(user, &prepared);
    return directory_db_login(s->db, arena_copy(a, buf_str(&prepared)), a, found, out, e);
}

bool directory_throttle_key(struct directory_service *s, struct str peer, struct str user,
                            unsigned char key[THROTTLE_KEY_BYTES])
{
    char text[PEER_TEXT_MAX] = "";
    if (peer.n >= sizeof text)
        return false;
    memcpy(text, peer.p, peer.n);
    throttle_key(s->throttle, text, user, key);
    return true;
}

void directory_put_verdict(struct ipc_frame *f, enum directory_verdict verdict,
                           const struct directory_login *login)
{
    bool good = verdict == DIRECTORY_GOOD;
    ipc_put_u8(f, (uint8_t)verdict);
    ipc_put_u64(f, good ? (uint64_t)login->account : 0);
    ipc_put_str(f, good ? str_from_c(login->address) : STR(""));
    ipc_put_u32(f, login->wait_s);
}

/* --- passwords --- */

static void send_verdict(struct loop_channel *c, uint32_t id, enum directory_verdict verdict,
                         const struct directory_login *login)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_VERDICT);
    directory_put_verdict(&reply, verdict, login);
    directory_reply(c, &reply, id);
}

static uint64_t short_tag(const unsigned char tag[VERIFIED_TAG_BYTES])
{
    uint64_t v;
    memcpy(&v, tag, sizeof v);
    return v;
}

/* An account from before SCRAM, or whose hash came from elsewhere: its password has now been seen. */
static void keep_scram(struct directory_service *s, const struct attempt *at, struct str scram)
{
    struct err e = ERR_INIT;
    if (!directory_account_set_scram(s->db, str_from_c(at->login.address), str_from_c(at->hash), scram, &e))
        LOG_ERROR("directory.failed", F_C("error", e.text));
}

/* The checker's answer, in the loop's thread. */
void directory_password_checked(void *context, void *request, bool good, struct str scram)
{
    struct directory_service *s = context;
    struct attempt *at = request;
    int64_t now = clock_ms();
    if (good && at->can_log_in) {
        verified_add(s->verified, at->tag, now);
        if (at->lacks_scram && scram.n > 0)
            keep_scram(s, at, scram);
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
                     struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account = {.hash = STR(""), .address = user};
    bool found;
    if (!directory_find_user(s, user, &a, &found, &account, e))
        return false;
    at->can_log_in = found && account.enabled && account.hash.n > 0 && account.hash.n < sizeof at->hash;
    at->lacks_scram = at->can_log_in && account.scram.n == 0;
    struct str hash = at->can_log_in ? account.hash : str_from_c(s->nobodys_hash);
    snprintf(at->hash, sizeof at->hash, "%.*s", STR_ARGS(hash));
    if (at->can_log_in) {
        at->login.account = account.id;
        snprintf(at->login.address, sizeof at->login.address, "%.*s", STR_ARGS(account.address));
    }
    verified_tag(s->verified, at->can_log_in ? account.address : user, hash, password, at->tag);
    return true;
}

static void verify(struct directory_service *s, struct loop_channel *c, struct attempt *at, struct str user,
                   struct str password)
{
    struct err e = ERR_INIT;
    unsigned char salt[SCRAM_SALT_BYTES];
    struct attempt *request = NULL;
    if (!identify(s, at, user, password, &e)) {
        throttle_leave(s->throttle, at->who, clock_ms());
        directory_fail_and_log(c, at->id, &e);
        return;
    }
    if (at->can_log_in && verified_has(s->verified, at->tag, clock_ms())) {
        throttle_leave(s->throttle, at->who, clock_ms());
        send_verdict(c, at->id, DIRECTORY_GOOD, &at->login);
        return;
    }
    request = MEM_NEW(struct attempt);
    *request = *at;
    if (at->lacks_scram)
        scram_salt(s->salt_key, str_from_c(at->login.address), salt);
    if (!checker_submit(s->checker, at->tag, str_from_c(at->hash), password, at->lacks_scram ? salt : NULL,
                        request)) {
        free(request);
        throttle_leave(s->throttle, at->who, clock_ms());
        LOG_WARNING("directory.busy", F_INT("waiting", CHECKER_WAITING_MAX));
        directory_fail(c, at->id, "too many passwords wait to be checked");
    }
}

void directory_serve_verify(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    struct attempt at = {.channel = loop_channel_serial(c), .id = f->id};
    struct ipc_reader r = ipc_read(f);
    struct str user = ipc_get_str(&r), password = ipc_get_str(&r), peer = ipc_get_str(&r);
    if (!ipc_done(&r) || !directory_throttle_key(s, peer, user, at.who)) {
        loop_channel_close(c);
        return;
    }
    at.login.wait_s = throttle_enter(s->throttle, at.who, clock_ms());
    if (at.login.wait_s > 0)
        send_verdict(c, f->id, DIRECTORY_WAIT, &at.login);
    else
        verify(s, c, &at, user, password);
    mem_wipe(f->payload.p, f->payload.n);
}
