/* mailq's and sendmail -q's questions, as smtp asks them. */
#include "queue/client_parts.h"
#include "queue/users.h"

static bool not_valid(struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "queue sent no valid answer");
}

static bool call(struct queue_client *q, enum queue_users_frame type, int64_t uid, int64_t after,
                 struct ipc_frame *answer, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask;
    ipc_frame_init(&ask, (uint16_t)type);
    ipc_put_u64(&ask, (uint64_t)(uid + 1));
    ipc_put_u64(&ask, (uint64_t)after);
    if (!ipc_pool_call(q->pool, &ask, answer, deadline_in(QUEUE_TIMEOUT_MS), e))
        return false;
    if (answer->type == QUEUE_USERS_ANSWER)
        return true;
    struct ipc_reader r = ipc_read(answer);
    struct str why = ipc_get_str(&r);
    return answer->type == QUEUE_USERS_FAILED && ipc_done(&r)
               ? err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why))
               : not_valid(e);
}

static bool read_message(struct ipc_reader *r, struct arena *a, struct queue_admin_message *m)
{
    *m = (struct queue_admin_message){.id = (int64_t)ipc_get_u64(r), .sender = arena_copy(a, ipc_get_str(r))};
    m->size = ipc_get_u64(r);
    m->arrived = (int64_t)ipc_get_u64(r);
    m->recipient_count = ipc_get_u32(r);
    if (r->bad || m->recipient_count > QUEUE_USERS_RECIPIENTS)
        return false;
    m->recipients = ARENA_ARRAY(a, struct queue_admin_recipient, m->recipient_count + 1);
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct queue_admin_recipient *to = &m->recipients[i];
        to->address = arena_copy(a, ipc_get_str(r));
        to->state = (enum queue_state)ipc_get_u8(r);
        to->next_attempt = (int64_t)ipc_get_u64(r);
        to->reply = arena_copy(a, ipc_get_str(r));
    }
    return !r->bad;
}

bool queue_users_list(struct queue_client *q, int64_t uid, int64_t after, struct arena *a,
                      struct queue_admin_message **list, size_t *count, int64_t *next, struct err *e)
{
    CLEAN_FRAME struct ipc_frame answer = {0};
    size_t room = 0;
    *list = NULL;
    *count = 0;
    if (!call(q, QUEUE_USERS_LIST, uid, after, &answer, e))
        return false;
    struct ipc_reader r = ipc_read(&answer);
    while (ipc_get_u8(&r) == 1) {
        if (*count == room) {
            room = room ? 2 * room : 16;
            struct queue_admin_message *more = ARENA_ARRAY(a, struct queue_admin_message, room);
            for (size_t i = 0; i < *count; i++)
                more[i] = (*list)[i];
            *list = more;
        }
        if (!read_message(&r, a, &(*list)[(*count)++]))
            return not_valid(e);
    }
    *next = (int64_t)ipc_get_u64(&r);
    return (ipc_done(&r) && (*next == 0 || *next > after)) || not_valid(e);
}

bool queue_users_retry(struct queue_client *q, int64_t uid, int64_t after, size_t *recipients, int64_t *next,
                       struct err *e)
{
    CLEAN_FRAME struct ipc_frame answer = {0};
    if (!call(q, QUEUE_USERS_RETRY, uid, after, &answer, e))
        return false;
    struct ipc_reader r = ipc_read(&answer);
    *recipients = ipc_get_u64(&r);
    *next = (int64_t)ipc_get_u64(&r);
    return (ipc_done(&r) && (*next == 0 || *next > after)) || not_valid(e);
}
