/* Questions about addresses and routes. */
#include "base/mem.h"
#include "directory/db_parts.h"
#include "directory/frames.h"
#include "directory/service.h"

void directory_serve_resolve(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame reply;
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    struct directory_question q = {.address = ipc_get_str(&r), .is_mail = ipc_get_u8(&r) != 0};
    q.sender = ipc_get_str(&r);
    q.user = (int64_t)ipc_get_u64(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_ANSWER);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (!directory_db_answer(s->db, &q, NULL, &a, &answer, &e)) {
        directory_fail_and_log(c, f->id, &e);
        return;
    }
    directory_answer_put(&reply, &answer, answer.fate == DIRECTORY_LOOP ? str_from_c(e.text) : STR(""));
    if (reply.payload.overflow) /* hundreds of the longest addresses: more than a frame holds */
        directory_fail(c, f->id, "the alias leads to more than one answer can hold");
    else
        directory_reply(c, &reply, f->id);
}

void directory_serve_sender(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame reply;
    struct err e = ERR_INIT;
    struct directory_sender sender;
    struct ipc_reader r = ipc_read(f);
    int64_t account = (int64_t)ipc_get_u64(&r);
    struct str address = ipc_get_str(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_SENDER_IS);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (!directory_db_sender(s->db, account, address, &sender, &e)) {
        directory_fail_and_log(c, f->id, &e);
        return;
    }
    directory_sender_put(&reply, &sender);
    directory_reply(c, &reply, f->id);
}

void directory_serve_canonical(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame reply;
    struct directory_address read, to = {.whole = STR("")};
    struct err e = ERR_INIT, why = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    uint8_t kind = ipc_get_u8(&r);
    struct str address = ipc_get_str(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_CANONICALS);
    if (!ipc_done(&r) || kind > DIRECTORY_CANONICAL_RECIPIENT) {
        loop_channel_close(c);
        return;
    }
    int found = directory_address_read(address, &a, &read, &why)
                    ? directory_db_canonical(s->db, (enum directory_canonical)kind, &read, &a, &to, &e)
                    : 0;
    if (found < 0) {
        directory_fail_and_log(c, f->id, &e);
        return;
    }
    ipc_put_str(&reply, found > 0 ? to.whole : STR(""));
    directory_reply(c, &reply, f->id);
}

/* A login is for relay alone, which uses it. */
void directory_serve_route(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f,
                           enum role_kind asking)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame reply;
    struct directory_route route;
    struct err e = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    struct str sender = ipc_get_str(&r), domain = ipc_get_str(&r);
    ipc_frame_init(&reply, DIRECTORY_FRAME_ROUTE_SET);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (!directory_db_route(s->db, s->role->config, sender, domain, &a, &route, NULL, &e)) {
        directory_fail_and_log(c, f->id, &e);
        return;
    }
    if (asking != ROLE_RELAY)
        route.user = route.password = STR("");
    directory_route_put(&reply, &route);
    directory_reply(c, &reply, f->id);
    mem_wipe(reply.payload.p, reply.payload.n);
}
