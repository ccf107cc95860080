#include "queue/transit_record.h"

#include <string.h>

#define LENGTH_BYTES sizeof(uint32_t)

static void put_head(struct ipc_frame *out, enum transit_kind kind, int64_t message)
{
    ipc_put_u8(out, (uint8_t)kind);
    ipc_put_u64(out, (uint64_t)message);
}

bool transit_put_message(struct ipc_frame *out, const struct transit_message *m)
{
    put_head(out, TRANSIT_MESSAGE, m->row.id);
    ipc_put_str(out, m->row.delivery);
    ipc_put_str(out, m->row.sender);
    ipc_put_u8(out, m->row.is_8bit);
    ipc_put_u64(out, (uint64_t)m->row.arrived);
    envelope_put(out, &m->row.asked);
    ipc_put_u32(out, (uint32_t)m->count);
    for (size_t i = 0; i < m->count; i++) {
        const struct queue_row_recipient *r = &m->recipients[i];
        ipc_put_str(out, r->address);
        ipc_put_str(out, r->original);
        ipc_put_str(out, r->detail);
        ipc_put_str(out, r->domain);
        ipc_put_u64(out, (uint64_t)r->flow);
        ipc_put_u64(out, (uint64_t)r->next_attempt);
        envelope_recipient_put(out, &r->asked);
    }
    ipc_put_str(out, m->bytes);
    return !out->payload.overflow;
}

bool transit_put_gone(struct ipc_frame *out, const struct transit_gone *g)
{
    put_head(out, TRANSIT_GONE, g->message);
    ipc_put_u32(out, (uint32_t)g->count);
    ipc_put_u64(out, g->size);
    return !out->payload.overflow;
}

size_t transit_bytes(size_t record)
{
    return LENGTH_BYTES + record;
}

char *transit_put(char *to, struct str record)
{
    uint32_t n = (uint32_t)record.n;
    memcpy(to, &n, sizeof n);
    memcpy(to + sizeof n, record.p, record.n);
    return to + sizeof n + record.n;
}

bool transit_take(struct str *rest, struct transit_record *r)
{
    uint32_t n;
    if (rest->n < sizeof n)
        return false;
    memcpy(&n, rest->p, sizeof n);
    if (n > rest->n - sizeof n)
        return false;
    struct ipc_reader in = {.rest = str_slice(*rest, sizeof n, n)};
    uint8_t kind = ipc_get_u8(&in);
    r->message = (int64_t)ipc_get_u64(&in);
    if (in.bad || (kind != TRANSIT_MESSAGE && kind != TRANSIT_GONE) || r->message <= 0)
        return false;
    r->kind = (enum transit_kind)kind;
    r->fields = in.rest;
    *rest = str_from_offset(*rest, sizeof n + n);
    return true;
}

static void get_recipient(struct ipc_reader *in, int64_t message, size_t number,
                          struct queue_row_recipient *r)
{
    *r = (struct queue_row_recipient){
        .id = queue_db_first_recipient(message) + 1 + (int64_t)number,
        .message = message,
        .at_hand = true,
    };
    r->address = ipc_get_str(in);
    r->original = ipc_get_str(in);
    r->detail = ipc_get_str(in);
    r->domain = ipc_get_str(in);
    r->flow = (int64_t)ipc_get_u64(in);
    r->next_attempt = (int64_t)ipc_get_u64(in);
    envelope_recipient_get(in, &r->asked);
}

bool transit_get_message(const struct transit_record *r, struct transit_message *m, struct arena *a)
{
    struct ipc_reader in = {.rest = r->fields};
    *m = (struct transit_message){.row = {.id = r->message}};
    m->row.delivery = ipc_get_str(&in);
    m->row.sender = ipc_get_str(&in);
    m->row.is_8bit = ipc_get_u8(&in) != 0;
    m->row.arrived = (int64_t)ipc_get_u64(&in);
    envelope_get(&in, &m->row.asked);
    m->count = ipc_get_u32(&in);
    if (in.bad || r->kind != TRANSIT_MESSAGE || m->count > QUEUE_JOB_RECIPIENTS)
        return false;
    m->recipients = ARENA_ARRAY(a, struct queue_row_recipient, m->count);
    for (size_t i = 0; i < m->count; i++)
        get_recipient(&in, r->message, i, &m->recipients[i]);
    m->bytes = ipc_get_str(&in);
    m->row.size = m->bytes.n;
    return ipc_done(&in);
}

bool transit_get_gone(const struct transit_record *r, struct transit_gone *g)
{
    struct ipc_reader in = {.rest = r->fields};
    g->message = r->message;
    g->count = ipc_get_u32(&in);
    g->size = ipc_get_u64(&in);
    return ipc_done(&in) && r->kind == TRANSIT_GONE && g->count <= QUEUE_JOB_RECIPIENTS;
}
