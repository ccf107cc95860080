#include "base/log.h"
#include "base/mem.h"
#include "base/sealed.h"
#include "queue/client_parts.h"
#include "queue/enqueue.h"

#include <string.h>

/* Enqueues at once from one process. Each waits for a commit, and a commit takes all that are there. */
#define CHANNELS_MAX      64
/* What of a frame the recipients may take; the rest is for the message and the fields before them. */
#define LIST_IN_FRAME_MAX (IPC_PAYLOAD_MAX - PARCEL_INLINE_MAX - 1024)

struct queue_client *queue_client(struct role *r)
{
    struct queue_client *q = MEM_NEW(struct queue_client);
    q->target = (struct role_target){r, ROLE_QUEUE};
    q->pool = ipc_pool_new("queue", CHANNELS_MAX, role_connect_pool, &q->target);
    return q;
}

static bool read_answer(const struct ipc_frame *f, int64_t *queue_id, struct err *e)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t id = ipc_get_u64(&in);
    struct str why = id == 0 ? ipc_get_str(&in) : STR("");
    if (f->type != QUEUE_FRAME_ENQUEUED || !ipc_done(&in))
        return err_set(e, ERR_TEMPORARY, "queue sent no valid answer");
    *queue_id = (int64_t)id;
    return id != 0 || err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why));
}

static bool enqueue(struct queue_client *q, const struct queue_message *m, int64_t *queue_id, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, answer = {0};
    CLEAN_BUF struct buf list;
    CLEAN_CLOSE int long_list = -1, long_body = -1;
    struct parcel body = m->body;
    ipc_frame_init(&ask, QUEUE_FRAME_ENQUEUE);
    buf_init(&list, BUF_MAX_DEFAULT);
    if (m->count == 0 || m->count > QUEUE_RECIPIENTS_MAX)
        return err_set(e, ERR_PERMANENT, "%zu recipients: the queue takes 1 to %d", m->count,
                       QUEUE_RECIPIENTS_MAX);
    enqueue_write_list(m->recipients, m->count, &list);
    bool fits = list.n <= LIST_IN_FRAME_MAX;
    if (!fits && (long_list = sealed_from("golub-recipients", buf_str(&list), e)) < 0)
        return false;
    if (body.fd < 0 && body.bytes.n > PARCEL_INLINE_MAX &&
        (body.fd = long_body = sealed_from("golub-message", body.bytes, e)) < 0)
        return false;
    ipc_put_str(&ask, str_from(m->id, sizeof m->id));
    ipc_put_str(&ask, m->sender);
    ipc_put_u8(&ask, m->is_8bit);
    parcel_put(&ask, &body);
    envelope_put(&ask, &m->asked);
    ipc_put_u32(&ask, (uint32_t)m->count);
    ipc_put_str(&ask, fits ? buf_str(&list) : STR(""));
    if (!fits)
        ipc_put_fd(&ask, long_list);
    return ipc_pool_call(q->pool, &ask, &answer, deadline_in(QUEUE_TIMEOUT_MS), e) &&
           read_answer(&answer, queue_id, e);
}

/* Moves those that go under the same sender as the first to the front, in their order; returns how many. */
static size_t gather(struct queue_recipient *v, size_t n)
{
    size_t together = 1;
    for (size_t i = 1; i < n; i++)
        if (str_eq(v[i].sender, v[0].sender)) {
            struct queue_recipient x = v[i];
            memmove(&v[together + 1], &v[together], (i - together) * sizeof *v);
            v[together++] = x;
        }
    return together;
}

bool queue_enqueue(struct queue_client *q, const struct queue_message *m, int64_t *queue_id, struct err *e)
{
    struct queue_message part = *m;
    *queue_id = 0;
    if (m->count == 0)
        return err_set(e, ERR_PERMANENT, "no recipients");
    for (size_t at = 0; at < m->count; at += part.count) {
        int64_t id = 0;
        part.recipients = m->recipients + at;
        part.count = gather(part.recipients, m->count - at);
        part.sender = part.recipients[0].sender.n > 0 ? part.recipients[0].sender : m->sender;
        if (!enqueue(q, &part, &id, e))
            return false;
        *queue_id = *queue_id ? *queue_id : id;
        if (part.count < m->count)
            LOG_INFO("queue.forwarded_as", F_INT("queue", id), F_STR("from", part.sender),
                     F_STR("for", m->sender), F_STR("to", part.recipients[0].address),
                     F_INT("recipients", part.count));
    }
    return true;
}
