#include "account/channels.h"
#include "account/delivery.h"
#include "base/mem.h"
#include "keeper/keeper.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Recipients served side by side; more take their turn. Each holds a descriptor, here and in an account. */
#define AT_ONCE  64
/* Attempts with an account whose process goes away under us: one that it was leaving anyway, one that it
 * crashed. A third time it is the message that does it. */
#define ATTEMPTS 3
#define OPEN_MS  (15 * (int64_t)1000) /* for keeper, which gives up sooner by itself */

struct delivery_client {
    struct keeper *keeper;
    struct channels *idle;
};

struct delivery_client *delivery_client(struct role *r)
{
    struct delivery_client *c = MEM_NEW(struct delivery_client); /* lives as long as the process */
    c->keeper = keeper_client(r);
    c->idle = channels_new();
    return c;
}

/* One recipient's message on its way. */
struct passage {
    struct delivery_recipient *to;
    int channel; /* -1: the recipient has its fate */
    uint32_t request;
    bool again; /* a process that has gone may have stored it */
    unsigned attempts;
};

static void decide(struct passage *p, enum delivery_fate fate, const char *reply)
{
    if (p->channel >= 0)
        close(p->channel);
    p->channel = -1;
    p->to->fate = fate;
    p->to->where[0] = '\0';
    snprintf(p->to->reply, sizeof p->to->reply, "%s", reply);
}

static uint32_t next_request(void)
{
    static atomic_uint last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static enum ipc_result send_message(struct passage *p, const struct delivery_message *m, struct deadline d)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, DELIVERY_FRAME_MESSAGE);
    f.id = p->request = next_request();
    ipc_put_str(&f, str_from(m->id, sizeof m->id));
    ipc_put_u8(&f, p->again || m->again);
    ipc_put_str(&f, m->sender);
    ipc_put_str(&f, p->to->original);
    ipc_put_str(&f, p->to->detail);
    ipc_put_u64(&f, m->size);
    ipc_put_str(&f, m->memfd < 0 ? m->bytes : STR(""));
    if (m->memfd >= 0)
        ipc_put_fd(&f, m->memfd);
    return ipc_send(p->channel, &f, d);
}

/* Gets the message onto a channel to the account. An idle channel may turn out to be dead: its process left
 * or crashed since; that is no attempt of this message. */
static void start(struct delivery_client *c, struct passage *p, const struct delivery_message *m,
                  struct deadline d)
{
    while ((p->channel = channels_take(c->idle, p->to->account)) >= 0) {
        if (send_message(p, m, d) == IPC_OK)
            return;
        close(p->channel);
    }
    struct err e = ERR_INIT;
    while (p->attempts++ < ATTEMPTS) {
        p->channel = keeper_open_delivery(c->keeper, p->to->account, p->to->address,
                                          deadline_sooner(d, deadline_in(OPEN_MS)), &e);
        if (p->channel < 0)
            break;
        if (send_message(p, m, d) == IPC_OK)
            return;
        close(p->channel);
        p->channel = -1;
    }
    decide(p, DELIVERY_TEMPORARY, "4.3.0 Mailbox is not available, try again later");
}

/* The account may have been taken over: its words go to a client as part of a line. */
static bool read_result(struct passage *p, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint8_t fate = ipc_get_u8(&in);
    struct str reply = ipc_get_str(&in), where = ipc_get_str(&in);
    if (f->type != DELIVERY_FRAME_RESULT || f->id != p->request || !ipc_done(&in) ||
        fate > DELIVERY_PERMANENT || reply.n == 0 || reply.n >= sizeof p->to->reply ||
        where.n >= sizeof p->to->where)
        return false;
    for (size_t i = 0; i < reply.n; i++)
        if (reply.p[i] < ' ' || reply.p[i] > '~')
            return false;
    p->to->fate = (enum delivery_fate)fate;
    memcpy(p->to->reply, reply.p, reply.n);
    p->to->reply[reply.n] = '\0';
    memcpy(p->to->where, where.p, where.n);
    p->to->where[where.n] = '\0';
    return true;
}

static void finish(struct delivery_client *c, struct passage *p, const struct delivery_message *m,
                   struct deadline d)
{
    while (p->channel >= 0) {
        CLEAN_FRAME struct ipc_frame f = {0};
        enum ipc_result r = ipc_receive(p->channel, &f, d);
        if (r == IPC_OK && read_result(p, &f)) {
            channels_give(c->idle, p->to->account, p->channel);
            return;
        }
        if (r == IPC_TIMEOUT) {
            decide(p, DELIVERY_TEMPORARY, "4.3.0 Mailbox took too long, try again later");
            return;
        }
        /* It went away without an answer: stored or not, nobody knows but the store. */
        close(p->channel);
        p->channel = -1;
        p->again = true;
        if (p->attempts < ATTEMPTS)
            start(c, p, m, d);
        else
            decide(p, DELIVERY_TEMPORARY, "4.3.0 Mailbox is not available, try again later");
    }
}

void delivery_deliver(struct delivery_client *c, const struct delivery_message *m,
                      struct delivery_recipient *to, size_t n)
{
    struct deadline d = deadline_in(DELIVERY_TIMEOUT_MS);
    while (n > 0) {
        struct passage under_way[AT_ONCE];
        size_t count = n < AT_ONCE ? n : AT_ONCE;
        for (size_t i = 0; i < count; i++) {
            under_way[i] = (struct passage){.to = &to[i], .channel = -1};
            start(c, &under_way[i], m, d);
        }
        for (size_t i = 0; i < count; i++)
            finish(c, &under_way[i], m, d);
        to += count;
        n -= count;
    }
}

/* --- questions about a recipient's account --- */

/* An idle channel may be dead: then a fresh one is asked. False: there was no answer in time. */
static bool ask(struct delivery_client *c, const struct delivery_recipient *to, struct ipc_frame *question,
                struct ipc_frame *answer, struct deadline d)
{
    struct err e = ERR_INIT;
    int channel = channels_take(c->idle, to->account);
    bool answered = channel >= 0 && ipc_call(channel, question, answer, d) == IPC_OK;
    if (!answered) {
        if (channel >= 0)
            close(channel);
        channel = keeper_open_delivery(c->keeper, to->account, to->address, d, &e);
        answered = channel >= 0 && ipc_call(channel, question, answer, d) == IPC_OK;
    }
    if (answered)
        channels_give(c->idle, to->account, channel);
    else if (channel >= 0)
        close(channel);
    return answered;
}

bool delivery_has_room(struct delivery_client *c, struct delivery_recipient *to, uint64_t size)
{
    CLEAN_FRAME struct ipc_frame question, answer = {0};
    struct passage p = {.to = to, .channel = -1};
    ipc_frame_init(&question, DELIVERY_FRAME_ROOM);
    ipc_put_str(&question, to->original);
    ipc_put_u64(&question, size);
    bool answered = ask(c, to, &question, &answer, deadline_in(DELIVERY_ROOM_MS));
    p.request = answer.id;
    return !answered || !read_result(&p, &answer) || to->fate == DELIVERY_STORED;
}

/* The account may have been taken over by what it read. */
static bool read_summary(const struct ipc_frame *f, struct arena *a, struct tls_summary *out, struct err *e)
{
    struct ipc_reader in = ipc_read(f);
    bool is_good = ipc_get_u8(&in) == 1;
    struct str why = is_good ? STR("") : ipc_get_str(&in);
    if (f->type != DELIVERY_FRAME_SUMMARY || in.bad || (is_good && !tls_summary_get(&in, a, out)) ||
        !ipc_done(&in))
        return err_set(e, ERR_TEMPORARY, "its account gave no valid answer");
    return is_good || err_set(e, ERR_PERMANENT, "%.*s", STR_ARGS(why));
}

bool delivery_read_report(struct delivery_client *c, const struct delivery_message *m,
                          const struct delivery_recipient *to, struct arena *a, struct tls_summary *out,
                          struct err *e)
{
    CLEAN_FRAME struct ipc_frame question, answer = {0};
    ipc_frame_init(&question, DELIVERY_FRAME_REPORT);
    ipc_put_u64(&question, m->size);
    ipc_put_str(&question, m->memfd < 0 ? m->bytes : STR(""));
    if (m->memfd >= 0)
        ipc_put_fd(&question, m->memfd);
    if (!ask(c, to, &question, &answer, deadline_in(DELIVERY_REPORT_MS)))
        return err_set(e, ERR_TEMPORARY, "its account does not answer");
    if (!read_summary(&answer, a, out, e))
        return false;
    struct str *const WORDS[] = {&out->organization, &out->report, &out->begin, &out->end};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        *WORDS[i] = arena_copy(a, *WORDS[i]);
    for (size_t i = 0; i < out->count; i++) {
        out->domains[i].domain = arena_copy(a, out->domains[i].domain);
        out->domains[i].failures = arena_copy(a, out->domains[i].failures);
    }
    return true;
}
