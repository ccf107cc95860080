/* XQUEUE, on the socket for programs of this machine alone: how mailq and sendmail -q of users reach the
 * queue, whose files they cannot read. Between golub and golub, and so in a form of its own:
 *
 *   XQUEUE LIST after    messages after the one of that id (0: all)
 *   250-M id arrived size sender         a message; arrived in seconds since 1970, size in bytes
 *   250-R state next-attempt address     one of whom it waits for: enum queue_state, seconds since 1970
 *   250-= reply                          the last answer about him, if there was one
 *   250 next                             where the next LIST begins; 0: that was all
 *
 *   XQUEUE RETRY         what waits is tried now
 *   250 recipients       how many
 */
#include "base/log.h"
#include "queue/users.h"
#include "smtp/local.h"
#include "smtp/session.h"

/* Whose messages this user may know of (true, *uid), by golub.conf. Root and the server's own user are
 * administrators: they can open the queue's files. */
static bool may_see(const struct session *s, enum queue_audience whom, int64_t *uid)
{
    bool is_administrator = s->connection.uid == 0 || s->connection.uid == s->server->uid;
    *uid = is_administrator || whom == QUEUE_TO_ANYONE ? QUEUE_EVERYBODYS : (int64_t)s->connection.uid;
    return is_administrator || whom != QUEUE_TO_NOBODY;
}

static void add_clean(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_add_byte(out, (unsigned char)text.p[i] < ' ' || text.p[i] == 127 ? ' ' : text.p[i]);
    buf_add_c(out, "\r\n");
}

static void write_message(struct session *s, const struct queue_admin_message *m)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_addf(&out, "250-M %lld %lld %llu ", (long long)m->id, (long long)m->arrived,
             (unsigned long long)m->size);
    add_clean(&out, m->sender);
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_admin_recipient *r = &m->recipients[i];
        buf_addf(&out, "250-R %d %lld ", (int)r->state, (long long)r->next_attempt);
        add_clean(&out, r->address);
        if (r->reply.n == 0)
            continue;
        buf_add_c(&out, "250-= ");
        add_clean(&out, r->reply);
    }
    stream_write(&s->stream, buf_str(&out));
}

static void list(struct session *s, int64_t uid, int64_t after)
{
    struct queue_admin_message *v;
    struct err e = ERR_INIT;
    int64_t next = 0;
    size_t n;
    if (!queue_users_list(s->server->queue, uid, after, &s->command, &v, &n, &next, &e)) {
        session_reply(s, "451 4.3.0 %s; try again later", e.text);
        return;
    }
    for (size_t i = 0; i < n; i++)
        write_message(s, &v[i]);
    session_reply(s, "250 %lld", (long long)next);
}

static void retry(struct session *s, int64_t uid)
{
    struct err e = ERR_INIT;
    int64_t after = 0;
    size_t all = 0, n;
    do {
        if (!queue_users_retry(s->server->queue, uid, after, &n, &after, &e)) {
            session_reply(s, "451 4.3.0 %s; try again later", e.text);
            return;
        }
        all += n;
    } while (after != 0);
    LOG_INFO("queue.flushed", F_INT("uid", s->connection.uid), F_INT("recipients", all));
    session_reply(s, "250 %zu", all);
}

void smtp_xqueue(struct session *s, const struct smtp_command *c)
{
    struct str rest = c->argument, what;
    uint64_t after;
    int64_t uid;
    bool wants_retry = str_eq_nocase(c->argument, STR("RETRY"));
    if (!session_is_local(s))
        session_error(s, "502 5.5.1 Only programs of this machine may ask for the queue");
    else if (!may_see(s, wants_retry ? s->config->queue_flushers : s->config->queue_readers, &uid))
        session_error(s, "550 5.7.1 The administrator keeps that to himself ([queue] %s in golub.conf)",
                      wants_retry ? "flushers" : "readers");
    else if (wants_retry)
        retry(s, uid);
    else if (str_cut(&rest, ' ', &what) && str_eq_nocase(what, STR("LIST")) && str_to_u64(rest, &after) &&
             after < INT64_MAX)
        list(s, uid, (int64_t)after);
    else
        session_error(s, "501 5.5.4 Syntax: XQUEUE LIST number, or XQUEUE RETRY");
}
