#include "relay/job.h"

#include "base/mem.h"

/* Bytes of a result for each recipient: the frame's memory is taken once. */
#define USUAL_ANSWER ((size_t)256)

static bool read_job(struct ipc_frame *f, struct relay_job *j, struct err *e)
{
    struct ipc_reader in = ipc_read(f);
    j->id = ipc_get_u64(&in);
    j->message = ipc_get_u64(&in);
    struct str delivery = ipc_get_str(&in);
    j->domain = arena_copy(&j->arena, ipc_get_str(&in));
    j->sender = arena_copy(&j->arena, ipc_get_str(&in));
    j->is_8bit = ipc_get_u8(&in) != 0;
    j->body = parcel_get(&in, f);
    envelope_get(&in, &j->asked);
    j->asked.id = arena_copy(&j->arena, j->asked.id);
    j->count = ipc_get_u32(&in);
    if (in.bad || j->domain.n == 0 || j->count == 0 || j->count > QUEUE_JOB_RECIPIENTS ||
        delivery.n != sizeof j->delivery / 2)
        return err_set(e, ERR_INTERNAL, "a job that is not valid");
    str_write_hex((const unsigned char *)delivery.p, delivery.n, j->delivery);
    j->recipients = ARENA_ARRAY(&j->arena, struct relay_recipient, j->count);
    for (size_t i = 0; i < j->count; i++) {
        j->recipients[i].row = ipc_get_u64(&in);
        j->recipients[i].address = arena_copy(&j->arena, ipc_get_str(&in));
        envelope_recipient_get(&in, &j->recipients[i].asked);
        j->recipients[i].asked.original = arena_copy(&j->arena, j->recipients[i].asked.original);
    }
    return ipc_done(&in) || err_set(e, ERR_INTERNAL, "a job whose recipients are not valid");
}

struct relay_job *relay_job_read(struct ipc_frame *f, struct err *e)
{
    struct relay_job *j = MEM_NEW(struct relay_job);
    j->way_failure = STR("");
    transcript_begin(&j->log);
    j->body = (struct parcel)PARCEL_NONE;
    if (read_job(f, j, e))
        return j;
    relay_job_free(j);
    return NULL;
}

void relay_job_free(struct relay_job *j)
{
    parcel_free(&j->body);
    transcript_free(&j->log);
    arena_free(&j->arena);
    free(j);
}

void relay_job_decline(struct relay_job *j, struct str reply)
{
    for (size_t i = 0; i < j->count; i++) {
        j->recipients[i].answered = true;
        j->recipients[i].fate = QUEUE_DEFERRED;
        j->recipients[i].host = STR("");
        j->recipients[i].reply = reply;
    }
    j->contact = QUEUE_CONTACT_NONE;
}

void relay_job_result(struct relay_job *j, struct ipc_frame *f)
{
    uint32_t answered = 0;
    for (size_t i = 0; i < j->count; i++)
        answered += j->recipients[i].answered;
    struct str transcript = transcript_text(&j->log, &j->arena);
    buf_room(&f->payload, transcript.n + answered * USUAL_ANSWER);
    ipc_put_u64(f, j->id);
    ipc_put_u8(f, (uint8_t)j->contact);
    ipc_put_str(f, transcript);
    ipc_put_u32(f, answered);
    for (size_t i = 0; i < j->count; i++) {
        const struct relay_recipient *r = &j->recipients[i];
        if (!r->answered)
            continue;
        ipc_put_u64(f, r->row);
        ipc_put_u8(f, (uint8_t)r->fate);
        ipc_put_u8(f, (uint8_t)r->passing);
        ipc_put_str(f, str_slice(r->host, 0, PEER_HOST_MAX));
        ipc_put_str(f, str_slice(r->reply, 0, QUEUE_REPLY_MAX));
    }
}
