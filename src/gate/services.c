#include "gate/services.h"

#include "base/log.h"
#include "base/mem.h"

/* The supervisor answers at once; a gate that waited longer would hold up every connection. */
#define CONNECT_MS 1000

struct slot {
    struct services *all;
    enum role_kind kind;
    uint32_t index;
    struct loop_channel *channel; /* NULL: not connected */
};

struct services {
    struct role *role;
    struct loop *loop;
    services_starttls_fn *starttls;
    void *context;
    struct slot smtp[CONFIG_WORKERS_MAX];
    struct slot login;
    unsigned next_smtp;
};

struct services *services_new(struct role *r, struct loop *l, services_starttls_fn *starttls, void *context)
{
    struct services *all = MEM_NEW(struct services);
    all->role = r;
    all->loop = l;
    all->starttls = starttls;
    all->context = context;
    all->login = (struct slot){.all = all, .kind = ROLE_LOGIN, .index = ROLE_ANY};
    for (uint32_t i = 0; i < CONFIG_WORKERS_MAX; i++)
        all->smtp[i] = (struct slot){.all = all, .kind = ROLE_SMTP, .index = i};
    all->next_smtp = r->index; /* each gate begins with another */
    return all;
}

static void take_frame(void *slot, struct loop_channel *c, struct ipc_frame *f)
{
    struct services *all = ((struct slot *)slot)->all;
    if (f->type != GATE_FRAME_STARTTLS || f->nfds != 2 || f->payload.n != 0) {
        LOG_ERROR("gate.bad-frame", F_C("from", role_name(((struct slot *)slot)->kind)),
                  F_INT("type", f->type));
        loop_channel_close(c);
        return;
    }
    int client = ipc_frame_take_fd(f, 0), service = ipc_frame_take_fd(f, 1);
    all->starttls(all->context, client, service);
}

static void forget(void *slot, struct loop_channel *c)
{
    (void)c;
    ((struct slot *)slot)->channel = NULL;
}

static bool connect_slot(struct slot *s)
{
    if (s->channel)
        return true;
    int channel = role_connect(s->all->role, s->kind, s->index, deadline_in(CONNECT_MS));
    if (channel >= 0)
        s->channel = loop_channel(s->all->loop, channel, take_frame, forget, s);
    return channel >= 0;
}

/* Never waits: a service whose channel is full has too much to do already. */
static bool send_to(struct slot *s, const struct ipc_frame *f)
{
    for (int attempt = 0; attempt < 2 && connect_slot(s); attempt++) {
        enum ipc_result r = ipc_send(loop_channel_fd(s->channel), f, deadline_in(0));
        if (r != IPC_EOF)
            return r == IPC_OK;
        loop_channel_close(s->channel); /* it was restarted: once more, to the new one */
    }
    return false;
}

bool services_deliver(void *services, const struct connection *c)
{
    struct services *all = services;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, GATE_FRAME_CONNECTION);
    connection_put(&f, c);
    unsigned workers = service_is_smtp(c->service) ? all->role->config->workers : 0;
    bool ok = workers == 0 && send_to(&all->login, &f);
    for (unsigned tries = 0; tries < workers && !ok; tries++)
        ok = send_to(&all->smtp[all->next_smtp++ % workers], &f);
    if (!ok)
        LOG_WARNING("gate.no-service", F_C("service", service_name(c->service)), F_C("peer", c->peer));
    return ok;
}
