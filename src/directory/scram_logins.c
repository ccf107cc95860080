/* SCRAM: the server's part of an exchange that needs the verifier. login and smtp send the client's messages
 * as they are; that they belong to their connection (channel binding) only they can tell. */
#include "base/log.h"
#include "directory/address.h"
#include "directory/frames.h"
#include "directory/service.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* --- the first message --- */

/* Whose verifier; somebody who cannot log in gets one that looks the same and that no proof fits. The
 * exchange's account stays "" then. */
static bool find_verifier(struct directory_service *s, struct str user, struct exchange *x,
                          struct scram_verifier *v, struct err *e)
{
    struct directory_account account;
    struct directory_address read;
    struct err ignored = ERR_INIT;
    bool found;
    if (!directory_find_user(s, user, &x->arena, &found, &account, e))
        return false;
    x->account = x->verifier = STR("");
    if (found && account.enabled && account.hash.n > 0 && scram_verifier_read(account.scram, v)) {
        x->account = account.address;
        x->verifier = account.scram;
        return true;
    }
    bool is_address = directory_address_read(user, &x->arena, &read, &ignored);
    scram_nobody(s->salt_key, found ? account.address : is_address ? read.key : user, v);
    return true;
}

static struct scram_salted salted_with(const struct scram_verifier *v, struct str client_nonce,
                                       struct arena *a)
{
    CLEAN_BUF struct buf nonce;
    unsigned char fresh[SCRAM_NONCE_BYTES];
    randombytes_buf(fresh, sizeof fresh);
    buf_init(&nonce, 2 * SCRAM_MESSAGE_MAX);
    buf_add(&nonce, client_nonce);
    buf_add_base64(&nonce, str_from(fresh, sizeof fresh));
    return (struct scram_salted){.nonce = arena_copy(a, buf_str(&nonce)),
                                 .salt = str_from(v->salt, sizeof v->salt),
                                 .iterations = v->iterations};
}

static void send_salted(struct loop_channel *c, uint32_t id, uint64_t exchange, const struct scram_salted *s)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_SCRAM_SALTED);
    ipc_put_u8(&reply, DIRECTORY_GOOD);
    ipc_put_u32(&reply, 0);
    ipc_put_u64(&reply, exchange);
    ipc_put_str(&reply, s->nonce);
    ipc_put_str(&reply, s->salt);
    ipc_put_u32(&reply, s->iterations);
    directory_reply(c, &reply, id);
}

static void send_wait(struct loop_channel *c, uint32_t id, unsigned wait_s)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_SCRAM_SALTED);
    ipc_put_u8(&reply, DIRECTORY_WAIT);
    ipc_put_u32(&reply, wait_s);
    ipc_put_u64(&reply, 0);
    ipc_put_str(&reply, STR(""));
    ipc_put_str(&reply, STR(""));
    ipc_put_u32(&reply, 0);
    directory_reply(c, &reply, id);
}

static void begin(struct directory_service *s, struct loop_channel *c, uint32_t id,
                  const struct scram_first *first)
{
    struct exchange *x = exchanges_add(s->exchanges, clock_ms());
    struct scram_verifier v;
    struct err e = ERR_INIT;
    if (!find_verifier(s, first->user, x, &v, &e)) {
        exchange_free(x);
        directory_fail_and_log(c, id, &e);
        return;
    }
    struct scram_salted salted = salted_with(&v, first->nonce, &x->arena);
    x->nonce = salted.nonce;
    x->user = arena_copy(&x->arena, first->user);
    x->client_first = arena_copy(&x->arena, first->bare);
    x->server_first = scram_write_salted(&salted, &x->arena);
    send_salted(c, id, x->id, &salted);
}

/* How long he waits for his failures so far: 0 is not at all. Nothing is under way between the two messages,
 * or a client that never sends the second would keep others of its address out. */
static unsigned must_wait(struct directory_service *s, const unsigned char who[THROTTLE_KEY_BYTES])
{
    int64_t now = clock_ms();
    unsigned wait_s = throttle_enter(s->throttle, who, now);
    if (wait_s == 0)
        throttle_leave(s->throttle, who, now);
    return wait_s;
}

void directory_serve_scram_first(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct scram_first first;
    unsigned char who[THROTTLE_KEY_BYTES];
    struct ipc_reader r = ipc_read(f);
    struct str message = ipc_get_str(&r), peer = ipc_get_str(&r);
    if (!ipc_done(&r) || scram_read_first(message, &a, &first) != SCRAM_GOOD ||
        !directory_throttle_key(s, peer, first.user, who)) {
        loop_channel_close(c);
        return;
    }
    unsigned wait_s = must_wait(s, who);
    if (wait_s > 0)
        send_wait(c, f->id, wait_s);
    else
        begin(s, c, f->id, &first);
}

/* --- the final message --- */

/* The account as it is now: since the first message it may have been disabled, or its password changed. */
static bool find_account(struct directory_service *s, const struct exchange *x, struct scram_verifier *v,
                         struct directory_login *login, bool *found, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    scram_nobody(s->salt_key, x->account, v);
    if (x->account.n == 0) {
        *found = false;
        return true;
    }
    if (!directory_db_login(s->db, x->account, &a, found, &account, e))
        return false;
    *found = *found && account.enabled && str_eq(account.address, x->account) &&
             str_eq(account.scram, x->verifier) && scram_verifier_read(account.scram, v);
    if (*found) {
        login->account = account.id;
        snprintf(login->address, sizeof login->address, "%.*s", STR_ARGS(account.address));
    }
    return true;
}

/* AuthMessage of RFC 5802 section 3. */
static bool is_proven(const struct exchange *x, const struct scram_final *final,
                      const struct scram_verifier *v, struct arena *a,
                      unsigned char signature[SCRAM_KEY_BYTES])
{
    struct str message = arena_printf(a, "%.*s,%.*s,%.*s", STR_ARGS(x->client_first),
                                      STR_ARGS(x->server_first), STR_ARGS(final->bare));
    return scram_check(v, message, final->proof, signature) && str_eq(final->nonce, x->nonce);
}

static void send_verdict(struct loop_channel *c, uint32_t id, enum directory_verdict verdict,
                         const struct directory_login *login, const unsigned char signature[SCRAM_KEY_BYTES])
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_SCRAM_VERDICT);
    directory_put_verdict(&reply, verdict, login);
    ipc_put_str(&reply, verdict == DIRECTORY_GOOD ? str_from(signature, SCRAM_KEY_BYTES) : STR(""));
    directory_reply(c, &reply, id);
}

/* Every failure counts: unlike a password's, two proofs from the same wrong password look nothing alike. */
static void end(struct directory_service *s, struct loop_channel *c, uint32_t id, const struct exchange *x,
                const struct scram_final *final, const unsigned char who[THROTTLE_KEY_BYTES])
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_login login = {0};
    struct scram_verifier v;
    unsigned char signature[SCRAM_KEY_BYTES];
    struct err e = ERR_INIT;
    bool found;
    if (!find_account(s, x, &v, &login, &found, &e)) {
        directory_fail_and_log(c, id, &e);
        return;
    }
    bool good = is_proven(x, final, &v, &a, signature) && found;
    if (!good)
        login.wait_s =
            throttle_failed(s->throttle, who, x->id, s->role->config->failures_before_wait, clock_ms());
    send_verdict(c, id, good ? DIRECTORY_GOOD : DIRECTORY_WRONG, &login, signature);
}

void directory_serve_scram_final(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_EXCHANGE struct exchange x = {0};
    struct scram_final final;
    unsigned char who[THROTTLE_KEY_BYTES];
    struct directory_login waits = {0};
    struct ipc_reader r = ipc_read(f);
    uint64_t id = ipc_get_u64(&r);
    struct str message = ipc_get_str(&r), peer = ipc_get_str(&r);
    if (!ipc_done(&r) || peer.n >= PEER_TEXT_MAX || scram_read_final(message, &a, &final) != SCRAM_GOOD) {
        loop_channel_close(c);
        return;
    }
    if (!exchanges_take(s->exchanges, id, clock_ms(), &x)) {
        directory_fail(c, f->id, "the exchange is over");
        return;
    }
    directory_throttle_key(s, peer, x.user, who);
    waits.wait_s = must_wait(s, who); /* others of its address may have failed meanwhile */
    if (waits.wait_s > 0)
        send_verdict(c, f->id, DIRECTORY_WAIT, &waits, NULL);
    else
        end(s, c, f->id, &x, &final, who);
}
