/* What a process of golub has in common with the others: who it is, its lines to the supervisor, and how it
 * reaches the rest. The supervisor forks each role with two sockets:
 *
 *   control  supervisor -> role: a new client's channel, a new config, listeners (gate), stop
 *   broker   role -> supervisor: "connect me with ...": the supervisor makes a channel, keeps one end for the
 *            service (which gets it on its control socket, together with who asks) and returns the other.
 *            It answers at once, even while the service is being restarted, and refuses what role_may_connect
 *            does not list.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H
#include "base/loop.h"

#include <sys/types.h>

enum role_kind {
    ROLE_SUPERVISOR,
    ROLE_GATE,
    ROLE_SMTP,
    ROLE_LOGIN,
    ROLE_DIRECTORY,
    ROLE_KEEPER,
    ROLE_ACCOUNT, /* forked by keeper; has a control socket to keeper instead */
    ROLE_DNS,
    ROLE_QUEUE,
    ROLE_RELAY,
    ROLE_STORE, /* only with PostgreSQL */
    ROLE_TRACE,
    ROLE_PICKUP,
    ROLE_COUNT
};
const char *role_name(enum role_kind k);                       /* "smtp" */
bool role_may_connect(enum role_kind from, enum role_kind to); /* the table of who talks to whom */

struct config; /* config/config.h */
struct tally;  /* base/tally.h */
struct generation;

struct role {
    enum role_kind kind;
    unsigned index; /* of several of its kind, from 0 */
    const struct config
        *config;         /* replaced on reload: read the pointer once per session. Old ones stay valid */
    struct tally *tally; /* smtp: what all of its kind count in */
    struct generation *changes; /* directory raises it when its answers may be others, and smtp reads it */
    int control, broker;
    uid_t uid; /* what role_drop_user becomes; 0 when the server was not started as root, or may stay root */
    gid_t gid;
};

/* Frames on the control socket. */
enum role_frame {
    ROLE_FRAME_CHANNEL = 1, /* u32 kind, u32 index of the client; fd: the channel */
    ROLE_FRAME_CONFIG,    /* str path of the config file, for messages and relative paths; fd: memfd with its
                             text */
    ROLE_FRAME_LISTENERS, /* gate: u8 1 in the first frame of a new set, which replaces the old one; u32
                             count; per socket u32 enum service; fds: the sockets, as many as count (at most
                             IPC_FDS_MAX) */
    ROLE_FRAME_TLS,     /* gate: fds: memfd certificate chain PEM, memfd key PEM; str ticket key (80 bytes) */
    ROLE_FRAME_TRACE,   /* trace: u32 kind of a role, fd: where it gets that one's lines from */
    ROLE_FRAME_STOP,    /* finish what is under way, take nothing new, exit */
    ROLE_FRAME_CONNECT, /* on broker: u32 kind, u32 index -> reply ROLE_FRAME_CHANNEL with fd, or without */
    ROLE_FRAME_READY,   /* on broker: the role is in its sandbox and serves; no reply */
    ROLE_FRAME_SOCKET,  /* on broker, relay: str path of a unix socket -> reply ROLE_FRAME_CHANNEL with fd, or
                           with str why not */
};

/* A channel to a service; -1 when the supervisor is gone or refuses. Safe from any thread. `index` picks one
 * of several (gate -> smtp), ROLE_ANY lets the supervisor take turns. */
#define ROLE_ANY UINT32_MAX
int role_connect(struct role *r, enum role_kind to, uint32_t index, struct deadline d);

/* A connection to another program's unix socket, as far as golub.conf allows it
 * (supervisor/local_socket.h). -1: *e. Safe from any thread. */
int role_connect_socket(struct role *r, struct str path, struct deadline d, struct err *e);

/* An ipc_connect_fn for pools: context is a struct role_target. */
struct role_target {
    struct role *role;
    enum role_kind to;
};
int role_connect_pool(void *role_target, struct deadline d);

/* What a role does with what the supervisor sends; every member but `channel` may be NULL. */
struct role_handlers {
    void (*channel)(void *context, int channel, enum role_kind client, uint32_t index);
    void (*config)(void *context);                     /* r->config has just been replaced */
    void (*frame)(void *context, struct ipc_frame *f); /* LISTENERS, TLS */
    void (*stop)(void *context);                       /* NULL: loop_stop */
};
/* Watches the control socket in `l` and tells the supervisor that the role is ready: call it last, inside the
 * sandbox. When the supervisor is gone, the process exits. */
void role_attach(struct role *r, struct loop *l, const struct role_handlers *h, void *context);

/* Gives up root, if the server has it (sandbox_drop_user). Call before sandbox_enter. */
bool role_drop_user(const struct role *r, struct err *e);

/* In a build with -Dtest_hooks=true, with GOLUB_ESCAPE="port path" and this role in GOLUB_ESCAPE_ROLE: tries
 * to break out (sandbox_try_escape) and logs what worked. Call inside the sandbox; role_attach does. */
void role_try_escape(enum role_kind k);

/* "golub: smtp" in ps; `detail` (may be NULL) follows: "golub: account ana@example.org". */
void role_title(enum role_kind k, const char *detail);
/* Once, in main, before anything else: remembers where argv and environ lie. */
void role_title_init(int argc, char **argv);

#endif
