/* The directory as its clients see it: calls over pools of channels. */
#include "base/log.h"
#include "base/mem.h"
#include "directory/frames.h"
#include "role/role.h"

#include <stdio.h>
#include <string.h>

/* Questions and passwords go over pools of their own: a storm of logins, each of which waits for Argon2, must
 * not hold up mail. A question is answered in well under a millisecond. */
#define QUESTION_CHANNELS 8
#define PASSWORD_CHANNELS 64
#define QUESTION_MS       (10 * 1000) /* the directory is being restarted, or the disk stalls */
#define PASSWORD_MS       (30 * 1000) /* a full queue of checks takes about 20 s of one core */

struct directory {
    struct role_target target;
    struct ipc_pool *questions, *passwords;
};

struct directory *directory_client(struct role *r)
{
    struct directory *d = MEM_NEW(struct directory);
    d->target = (struct role_target){r, ROLE_DIRECTORY};
    d->questions = ipc_pool_new("directory", QUESTION_CHANNELS, role_connect_pool, &d->target);
    d->passwords = ipc_pool_new("directory", PASSWORD_CHANNELS, role_connect_pool, &d->target);
    return d;
}

/* Asks and checks the type of the answer; DIRECTORY_FRAME_FAILED becomes its words. */
static bool ask(struct directory *d, struct ipc_frame *request, enum directory_frame expected,
                struct ipc_frame *reply, struct err *e)
{
    if (!ipc_pool_call(d->questions, request, reply, deadline_in(QUESTION_MS), e))
        return false;
    if (reply->type == expected)
        return true;
    struct ipc_reader r = ipc_read(reply);
    struct str why = ipc_get_str(&r);
    if (reply->type == DIRECTORY_FRAME_FAILED && ipc_done(&r))
        err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why));
    else
        err_set(e, ERR_TEMPORARY, "the directory answered with what is no answer");
    ipc_frame_free(reply);
    return false;
}

bool directory_ask(struct directory *d, const struct directory_question *q, struct arena *a,
                   struct directory_answer *out, struct err *e)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    struct str words;
    ipc_frame_init(&request, DIRECTORY_FRAME_RESOLVE);
    ipc_put_str(&request, q->address);
    ipc_put_u8(&request, q->is_mail);
    ipc_put_str(&request, q->sender);
    ipc_put_u64(&request, (uint64_t)q->user);
    if (!ask(d, &request, DIRECTORY_FRAME_ANSWER, &reply, e))
        return false;
    bool good = directory_answer_get(&reply, a, out, &words);
    if (!good)
        err_set(e, ERR_TEMPORARY, "the directory's answer cannot be read");
    else if (out->fate == DIRECTORY_LOOP)
        err_set(e, ERR_PERMANENT, "%.*s", STR_ARGS(words));
    ipc_frame_free(&reply);
    return good;
}

bool directory_resolve(struct directory *d, struct str address, struct arena *a, struct directory_answer *out,
                       struct err *e)
{
    const struct directory_question q = {.address = address, .sender = STR("")};
    return directory_ask(d, &q, a, out, e);
}

bool directory_canonical(struct directory *d, enum directory_canonical kind, struct str address,
                         struct arena *a, struct str *out, struct err *e)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    ipc_frame_init(&request, DIRECTORY_FRAME_CANONICAL);
    ipc_put_u8(&request, (uint8_t)kind);
    ipc_put_str(&request, address);
    if (!ask(d, &request, DIRECTORY_FRAME_CANONICALS, &reply, e))
        return false;
    struct ipc_reader r = ipc_read(&reply);
    *out = arena_copy(a, ipc_get_str(&r));
    bool good = ipc_done(&r) && out->n <= ADDRESS_MAX;
    ipc_frame_free(&reply);
    return good || err_set(e, ERR_TEMPORARY, "the directory's answer cannot be read");
}

static enum directory_verdict take_verdict(struct ipc_reader *r, struct directory_login *out)
{
    uint8_t verdict = ipc_get_u8(r);
    int64_t account = (int64_t)ipc_get_u64(r);
    struct str address = ipc_get_str(r);
    uint32_t wait = ipc_get_u32(r);
    if (r->bad || verdict > DIRECTORY_WAIT || address.n > ADDRESS_MAX ||
        (verdict == DIRECTORY_GOOD && account <= 0))
        return DIRECTORY_NO_ANSWER;
    out->account = account;
    snprintf(out->address, sizeof out->address, "%.*s", STR_ARGS(address));
    out->wait_s = wait;
    return (enum directory_verdict)verdict;
}

static bool ask_for_login(struct directory *d, struct ipc_frame *request, struct ipc_frame *reply)
{
    struct err e = ERR_INIT;
    if (ipc_pool_call(d->passwords, request, reply, deadline_in(PASSWORD_MS), &e))
        return true;
    LOG_WARNING("directory.no_verdict", F_C("error", e.text));
    return false;
}

enum directory_verdict directory_verify(struct directory *d, struct str user, struct str password,
                                        const char *peer, struct directory_login *out)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    enum directory_verdict verdict = DIRECTORY_NO_ANSWER;
    *out = (struct directory_login){0};
    ipc_frame_init(&request, DIRECTORY_FRAME_VERIFY);
    ipc_put_str(&request, user);
    ipc_put_str(&request, password);
    ipc_put_str(&request, str_from_c(peer));
    if (ask_for_login(d, &request, &reply)) {
        struct ipc_reader r = ipc_read(&reply);
        if (reply.type == DIRECTORY_FRAME_VERDICT)
            verdict = take_verdict(&r, out);
        verdict = ipc_done(&r) ? verdict : DIRECTORY_NO_ANSWER;
        ipc_frame_free(&reply);
    }
    mem_wipe(request.payload.p, request.payload.n);
    return verdict;
}

enum directory_verdict directory_scram_first(struct directory *d, struct str message, const char *peer,
                                             struct arena *a, struct directory_scram *out, unsigned *wait_s)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    ipc_frame_init(&request, DIRECTORY_FRAME_SCRAM_FIRST);
    ipc_put_str(&request, message);
    ipc_put_str(&request, str_from_c(peer));
    if (!ask_for_login(d, &request, &reply))
        return DIRECTORY_NO_ANSWER;
    struct ipc_reader r = ipc_read(&reply);
    uint8_t verdict = ipc_get_u8(&r);
    *wait_s = ipc_get_u32(&r);
    out->exchange = ipc_get_u64(&r);
    out->salted.nonce = arena_copy(a, ipc_get_str(&r));
    out->salted.salt = arena_copy(a, ipc_get_str(&r));
    out->salted.iterations = ipc_get_u32(&r);
    bool good = reply.type == DIRECTORY_FRAME_SCRAM_SALTED && ipc_done(&r) &&
                (verdict == DIRECTORY_GOOD || verdict == DIRECTORY_WAIT);
    ipc_frame_free(&reply);
    return good ? (enum directory_verdict)verdict : DIRECTORY_NO_ANSWER;
}

enum directory_verdict directory_scram_final(struct directory *d, uint64_t exchange, struct str message,
                                             const char *peer, unsigned char signature[SCRAM_KEY_BYTES],
                                             struct directory_login *out)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    enum directory_verdict verdict = DIRECTORY_NO_ANSWER;
    ipc_frame_init(&request, DIRECTORY_FRAME_SCRAM_FINAL);
    ipc_put_u64(&request, exchange);
    ipc_put_str(&request, message);
    ipc_put_str(&request, str_from_c(peer));
    if (!ask_for_login(d, &request, &reply))
        return DIRECTORY_NO_ANSWER;
    struct ipc_reader r = ipc_read(&reply);
    if (reply.type == DIRECTORY_FRAME_SCRAM_VERDICT)
        verdict = take_verdict(&r, out);
    struct str bytes = ipc_get_str(&r);
    if (!ipc_done(&r) || (verdict == DIRECTORY_GOOD && bytes.n != SCRAM_KEY_BYTES))
        verdict = DIRECTORY_NO_ANSWER;
    if (verdict == DIRECTORY_GOOD)
        memcpy(signature, bytes.p, SCRAM_KEY_BYTES);
    ipc_frame_free(&reply);
    return verdict;
}

bool directory_sender(struct directory *d, int64_t account, struct str address, struct directory_sender *out,
                      struct err *e)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    ipc_frame_init(&request, DIRECTORY_FRAME_SENDER);
    ipc_put_u64(&request, (uint64_t)account);
    ipc_put_str(&request, address);
    if (!ask(d, &request, DIRECTORY_FRAME_SENDER_IS, &reply, e))
        return false;
    bool good = directory_sender_get(&reply, out);
    ipc_frame_free(&reply);
    return good || err_set(e, ERR_TEMPORARY, "the directory's answer cannot be read");
}

bool directory_route(struct directory *d, struct str sender, struct str domain, struct arena *a,
                     struct directory_route *out, struct err *e)
{
    CLEAN_FRAME struct ipc_frame request;
    struct ipc_frame reply;
    ipc_frame_init(&request, DIRECTORY_FRAME_ROUTE);
    ipc_put_str(&request, sender);
    ipc_put_str(&request, domain);
    if (!ask(d, &request, DIRECTORY_FRAME_ROUTE_SET, &reply, e))
        return false;
    bool good = directory_route_get(&reply, a, out);
    mem_wipe(reply.payload.p, reply.payload.n);
    ipc_frame_free(&reply);
    return good || err_set(e, ERR_TEMPORARY, "the directory's answer cannot be read");
}
