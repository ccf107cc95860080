#include "base/log.h"
#include "base/mem.h"
#include "base/sealed.h"
#include "supervisor/parts.h"

#include <sys/socket.h>

#define TRACE_ROOM ((int)4 << 20) /* bytes of a role's lines on their way to trace: some 3,000 lines */

void provide_listeners(struct supervisor *s, struct child *gate)
{
    for (size_t at = 0; at < s->listeners.n || at == 0;) {
        size_t n = s->listeners.n - at < IPC_FDS_MAX ? s->listeners.n - at : IPC_FDS_MAX;
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_LISTENERS);
        ipc_put_u8(&f, at == 0);
        ipc_put_u32(&f, (uint32_t)n);
        for (size_t i = at; i < at + n; i++) {
            ipc_put_u32(&f, s->listeners.v[i].where.service);
            ipc_put_fd(&f, s->listeners.v[i].fd);
        }
        child_send(gate, &f);
        if (n == 0)
            return;
        at += n;
    }
}

void provide_material(struct supervisor *s, struct child *gate)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_TLS);
    ipc_put_str(&f, str_from(s->material.ticket_key, sizeof s->material.ticket_key));
    ipc_put_fd(&f, s->material.certificate);
    ipc_put_fd(&f, s->material.key);
    child_send(gate, &f);
}

void provide_traces(struct supervisor *s, struct child *trace)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].trace[0] < 0)
            continue;
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_TRACE);
        ipc_put_u32(&f, s->children[i].kind);
        ipc_put_fd(&f, s->children[i].trace[0]);
        child_send(trace, &f);
    }
}

/* Room for what is said while trace starts or writes: as much as the kernel gives, and as root all of it. */
void provide_trace_of(struct child *c)
{
    int wanted = TRACE_ROOM;
    c->trace[0] = c->trace[1] = -1;
    if (c->kind == ROLE_TRACE || c->kind == ROLE_STORE || !ipc_pair(c->trace))
        return;
    if (setsockopt(c->trace[1], SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) < 0)
        setsockopt(c->trace[1], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

void provide_config(struct supervisor *s, struct child *c)
{
    struct err e = ERR_INIT;
    CLEAN_CLOSE int fd = sealed_from("golub.conf", s->config->text, &e);
    if (fd < 0) {
        LOG_ERROR("config.not_sent", F_C("to", role_name(c->kind)), F_C("error", e.text));
        return;
    }
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_CONFIG);
    ipc_put_str(&f, str_from_c(s->config_path));
    ipc_put_fd(&f, fd);
    child_send(c, &f);
}
