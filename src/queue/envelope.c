#include "queue/envelope.h"

#define NOTIFY_ALL \
    (ENVELOPE_NOTIFY_NEVER | ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY)

void envelope_put(struct ipc_frame *f, const struct envelope *e)
{
    ipc_put_u8(f, (uint8_t)e->body);
    ipc_put_u8(f, (uint8_t)e->ret);
    ipc_put_u8(f, (uint8_t)e->by);
    ipc_put_u8(f, e->is_utf8);
    ipc_put_u8(f, e->requires_tls);
    ipc_put_u8(f, e->by_trace);
    ipc_put_u8(f, (uint8_t)(e->priority + ENVELOPE_PRIORITY_MAX));
    ipc_put_u64(f, (uint64_t)e->deliver_by);
    ipc_put_u64(f, (uint64_t)e->hold_until);
    ipc_put_u64(f, (uint64_t)e->submitter);
    ipc_put_u64(f, (uint64_t)(e->uid + 1));
    ipc_put_u8(f, (uint8_t)(e->language + 1));
    ipc_put_str(f, e->id);
}

static unsigned get_bounded(struct ipc_reader *r, unsigned most)
{
    unsigned v = ipc_get_u8(r);
    if (v <= most)
        return v;
    r->bad = true;
    return 0;
}

static struct str get_text(struct ipc_reader *r, size_t most)
{
    struct str s = ipc_get_str(r);
    if (s.n <= most)
        return s;
    r->bad = true;
    return STR("");
}

static int64_t get_moment(struct ipc_reader *r)
{
    int64_t v = (int64_t)ipc_get_u64(r);
    if (v >= 0)
        return v;
    r->bad = true;
    return 0;
}

void envelope_get(struct ipc_reader *r, struct envelope *out)
{
    *out = (struct envelope)ENVELOPE_INIT;
    out->body = (enum envelope_body)get_bounded(r, ENVELOPE_BINARY);
    out->ret = (enum envelope_return)get_bounded(r, ENVELOPE_RETURN_HEADERS);
    out->by = (enum envelope_by)get_bounded(r, ENVELOPE_BY_NOTIFY);
    out->is_utf8 = get_bounded(r, 1);
    out->requires_tls = get_bounded(r, 1);
    out->by_trace = get_bounded(r, 1);
    out->priority = (int)get_bounded(r, 2 * ENVELOPE_PRIORITY_MAX) - ENVELOPE_PRIORITY_MAX;
    out->deliver_by = get_moment(r);
    out->hold_until = get_moment(r);
    out->submitter = get_moment(r);
    out->uid = get_moment(r) - 1;
    out->language = (enum config_language)((int)get_bounded(r, CONFIG_LANGUAGES) - 1);
    out->id = get_text(r, ENVELOPE_ID_MAX);
}

void envelope_recipient_put(struct ipc_frame *f, const struct envelope_recipient *e)
{
    ipc_put_u8(f, (uint8_t)e->notify);
    ipc_put_str(f, e->original);
}

void envelope_recipient_get(struct ipc_reader *r, struct envelope_recipient *out)
{
    out->notify = get_bounded(r, NOTIFY_ALL);
    out->original = get_text(r, ENVELOPE_ORIGINAL_MAX);
}
