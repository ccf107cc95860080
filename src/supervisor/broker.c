#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/local_socket.h"
#include "supervisor/notify.h"
#include "supervisor/parts.h"

static struct child *choose(struct supervisor *s, uint32_t kind, uint32_t index)
{
    static uint32_t turn;
    struct child *of_kind[CHILDREN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if ((uint32_t)s->children[i].kind == kind)
            of_kind[n++] = &s->children[i];
    if (n == 0 || (index != ROLE_ANY && index >= n))
        return NULL;
    return of_kind[index == ROLE_ANY ? turn++ % n : index];
}

static void connect_child(struct supervisor *s, struct child *asking, struct loop_channel *broker,
                          struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint32_t kind = ipc_get_u32(&in), index = ipc_get_u32(&in);
    bool may = ipc_done(&in) && kind < ROLE_COUNT && role_may_connect(asking->kind, (enum role_kind)kind);
    struct child *to = may ? choose(s, kind, index) : NULL;
    int ends[2] = {-1, -1};
    CLEAN_FRAME struct ipc_frame answer;
    ipc_frame_init(&answer, ROLE_FRAME_CHANNEL);
    answer.id = f->id;
    if (!may)
        LOG_ERROR("role.connect.refused", F_C("from", role_name(asking->kind)), F_INT("to", kind));
    else if (to && (!s->stopping || order_stops(to->kind) > s->step) && ipc_pair(ends))
        ipc_put_fd(&answer, ends[0]);
    if (ends[1] >= 0)
        child_give_channel(to, ends[1], asking->kind, asking->index);
    ipc_send(loop_channel_fd(broker), &answer, deadline_in(1000));
    mem_clean_close(&ends[0]);
}

static void connect_socket(struct supervisor *s, const struct child *asking, struct loop_channel *broker,
                           const struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str path = ipc_get_str(&in);
    struct err e = ERR_INIT;
    CLEAN_FRAME struct ipc_frame answer;
    bool may = ipc_done(&in) && asking->kind == ROLE_RELAY;
    CLEAN_CLOSE int fd = may ? local_socket_connect(s->config, path, &e) : -1;
    ipc_frame_init(&answer, ROLE_FRAME_CHANNEL);
    answer.id = f->id;
    if (!may)
        LOG_ERROR("role.connect.refused", F_C("from", role_name(asking->kind)), F_STR("to", path));
    if (fd >= 0)
        ipc_put_fd(&answer, fd);
    else
        ipc_put_str(&answer, str_from_c(may ? e.text : "only relay may ask"));
    ipc_send(loop_channel_fd(broker), &answer, deadline_in(1000));
}

static void all_are_ready(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->children[i].ready)
            return;
    if (!s->has_started) {
        LOG_INFO("ready", F_STR("hostname", s->config->hostname), F_INT("listeners", s->listeners.n));
        notify("READY=1");
    }
    s->has_started = true;
}

static void broker_frame(void *context, struct loop_channel *broker, struct ipc_frame *f)
{
    struct child_of *of = context;
    if (f->type == ROLE_FRAME_CONNECT) {
        connect_child(of->s, of->c, broker, f);
    } else if (f->type == ROLE_FRAME_SOCKET) {
        connect_socket(of->s, of->c, broker, f);
    } else if (f->type == ROLE_FRAME_READY) {
        of->c->ready = true;
        all_are_ready(of->s);
    }
}

static void broker_closed(void *context, struct loop_channel *broker)
{
    struct child_of *of = context;
    if (of->c->broker == broker)
        of->c->broker = NULL;
    free(of);
}

void broker_serve(struct supervisor *s, struct child *c, int broker)
{
    struct child_of *of = MEM_NEW(struct child_of);
    *of = (struct child_of){s, c};
    c->broker = loop_channel(s->loop, broker, broker_frame, broker_closed, of);
}
