#include "keeper/shared.h"

#include "base/log.h"
#include "base/mem.h"
#include "directory/db.h"
#include "directory/frames.h"
#include "keeper/keeper.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX 1024 /* questions to the directory under way: each is answered in well under a second */
#define CONNECT_MS  1000 /* the supervisor answers at once, also while the directory is being restarted */

/* What an account waits for. */
struct question {
    struct question *next;
    uint32_t id;     /* of the frame to the directory */
    uint64_t asking; /* serial of the account's control channel */
    uint32_t request;
    uint16_t what; /* enum keeper_account_frame */
    char guest[ADDRESS_MAX + 1];
};

struct shared {
    struct role *role;
    struct loop *loop;
    struct awake *awake;
    struct loop_channel *directory; /* NULL: not connected */
    struct question *first;
    size_t count;
    uint32_t last_id;
};

/* --- answers to accounts --- */

static void send_to(struct loop_channel *c, struct ipc_frame *f, uint32_t request)
{
    f->id = request;
    if (c && ipc_send(loop_channel_fd(c), f, deadline_in(0)) != IPC_OK)
        loop_channel_close(c);
}

static void refuse(struct loop_channel *c, uint32_t request, const char *why)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, KEEPER_FRAME_FAILED);
    ipc_put_str(&f, str_from_c(why));
    send_to(c, &f, request);
}

/* Done, but without a session: nobody of that address shares anything. */
static void deny(struct loop_channel *c, uint32_t request)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, KEEPER_FRAME_DONE);
    send_to(c, &f, request);
}

static struct question *take(struct shared *s, uint32_t id)
{
    for (struct question **at = &s->first; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            struct question *q = *at;
            *at = q->next;
            s->count--;
            return q;
        }
    return NULL;
}

static void refuse_all(struct shared *s)
{
    while (s->first) {
        struct question *q = take(s, s->first->id);
        refuse(loop_channel_find(s->loop, q->asking), q->request, "the directory does not answer");
        free(q);
    }
}

/* --- a session in the owner's process --- */

/* The two processes speak IMAP over a socketpair, as a client and the owner's process would. */
static void open_session(struct shared *s, const struct question *q, struct loop_channel *asking,
                         int64_t owner, struct str address)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        refuse(asking, q->request, "no socketpair for a shared mailbox");
        return;
    }
    struct connection connection = {.fd = ends[0],
                                    .service = SERVICE_IMAP,
                                    .peer = "::",
                                    .local = "::"}; /* it comes from nowhere but here */
    struct errand *e = errand_new(ACCOUNT_FRAME_SESSION, asking, q->request, address);
    e->handed_fd = ends[0];
    e->answer_fd = ends[1];
    ipc_put_u8(&e->frame, false); /* not POP3 */
    ipc_put_str(&e->frame, STR("guest"));
    ipc_put_str(&e->frame, STR(""));
    ipc_put_str(&e->frame, str_from_c(q->guest));
    connection_put(&e->frame, &connection);
    awake_hand(s->awake, owner, e);
}

static void answer_open(struct shared *s, const struct question *q, struct loop_channel *asking,
                        struct ipc_reader *in)
{
    uint32_t n = ipc_get_u32(in);
    int64_t owner = n == 1 ? (int64_t)ipc_get_u64(in) : 0;
    struct str address = n == 1 ? ipc_get_str(in) : STR("");
    if (n == 1 && ipc_done(in) && owner > 0)
        open_session(s, q, asking, owner, address);
    else
        deny(asking, q->request);
}

static void answer_list(const struct question *q, struct loop_channel *asking, struct ipc_reader *in)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, KEEPER_FRAME_DONE);
    uint32_t n = ipc_get_u32(in);
    ipc_put_u32(&f, n);
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        ipc_get_u64(in);
        ipc_put_str(&f, ipc_get_str(in));
    }
    if (ipc_done(in))
        send_to(asking, &f, q->request);
    else
        refuse(asking, q->request, "the directory's answer cannot be read");
}

/* --- the directory --- */

static void directory_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct shared *s = context;
    (void)c;
    CLEAN_FREE struct question *q = take(s, f->id);
    struct loop_channel *asking = q ? loop_channel_find(s->loop, q->asking) : NULL;
    struct ipc_reader in = ipc_read(f);
    if (!asking)
        return;
    if (f->type != DIRECTORY_FRAME_OWNERS)
        refuse(asking, q->request, "the directory has no answer now");
    else if (q->what == ACCOUNT_FRAME_SHARED_OPEN)
        answer_open(s, q, asking, &in);
    else
        answer_list(q, asking, &in);
}

static void directory_closed(void *context, struct loop_channel *c)
{
    struct shared *s = context;
    (void)c;
    s->directory = NULL; /* connected anew by the next who asks */
    refuse_all(s);
}

static bool connect_directory(struct shared *s)
{
    if (s->directory)
        return true;
    int channel = role_connect(s->role, ROLE_DIRECTORY, ROLE_ANY, deadline_in(CONNECT_MS));
    if (channel >= 0)
        s->directory = loop_channel(s->loop, channel, directory_frame, directory_closed, s);
    return s->directory != NULL;
}

/* --- what accounts ask --- */

/* The question for the directory. False: the account's frame is none. */
static bool translate(int64_t account, const struct ipc_frame *f, struct ipc_frame *ask)
{
    struct ipc_reader in = ipc_read(f);
    ipc_frame_init(ask, f->type == ACCOUNT_FRAME_SHARE ? DIRECTORY_FRAME_SHARE : DIRECTORY_FRAME_SHARED_WITH);
    ipc_put_u64(ask, (uint64_t)account);
    if (f->type == ACCOUNT_FRAME_SHARED_LIST)
        ipc_put_str(ask, STR(""));
    else if (f->type == ACCOUNT_FRAME_SHARED_OPEN)
        ipc_put_str(ask, ipc_get_str(&in));
    else if (f->type == ACCOUNT_FRAME_SHARE) {
        uint32_t n = ipc_get_u32(&in);
        ipc_put_u32(ask, n);
        for (uint32_t i = 0; i < n && !in.bad; i++)
            ipc_put_str(ask, ipc_get_str(&in));
    } else {
        return false;
    }
    return ipc_done(&in) && !ask->payload.overflow;
}

void shared_frame(struct shared *s, int64_t account, const char *address, struct loop_channel *c,
                  struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame ask;
    if (!translate(account, f, &ask)) {
        LOG_ERROR("keeper.bad-request", F_C("account", address), F_INT("frame", f->type));
        return;
    }
    if (s->count >= PENDING_MAX || !connect_directory(s)) {
        refuse(c, f->id, "the directory does not answer");
        return;
    }
    struct question *q = MEM_NEW(struct question);
    *q = (struct question){.next = s->first,
                           .id = ++s->last_id,
                           .asking = loop_channel_serial(c),
                           .request = f->id,
                           .what = f->type};
    snprintf(q->guest, sizeof q->guest, "%s", address);
    s->first = q;
    s->count++;
    ask.id = q->id;
    if (ipc_send(loop_channel_fd(s->directory), &ask, deadline_in(0)) != IPC_OK)
        loop_channel_close(s->directory); /* which refuses all */
}

struct shared *shared_new(struct role *r, struct loop *l, struct awake *awake)
{
    struct shared *s = MEM_NEW(struct shared);
    *s = (struct shared){.role = r, .loop = l, .awake = awake};
    return s;
}
