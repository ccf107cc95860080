/* What the log and the trace say of a message that was accepted. */
#include "base/log.h"
#include "smtp/fates.h"

#define LOGGED_MAX \
    ((size_t)1500) /* bytes of recipients or folders in the line, which has a bound of its own */

/* In a list with commas. What has no room is left out. */
static void add(struct buf *list, struct str one)
{
    size_t before = list->n;
    if (!(before == 0 || buf_add_byte(list, ',')) || !buf_add(list, one))
        buf_truncate(list, before);
}

static void list_recipients(const struct fates *f, struct buf *list)
{
    for (size_t i = 0; i < f->locals; i++)
        add(list, f->local[i].address);
    for (size_t i = 0; i < f->remotes; i++)
        add(list, f->remote[i].address);
}

/* Where those who have it put it. */
static void list_folders(const struct fates *f, struct buf *list)
{
    for (size_t i = 0; i < f->locals; i++)
        if (f->local[i].fate == DELIVERY_STORED)
            add(list, str_from_c(f->local[i].where));
}

/* Recipients that lead to another address, or, where the line has no room, all: for the trace, which is asked
 * about those too. */
static void trace_recipients(const struct fates *f, bool has_room)
{
    const struct smtp_transaction *t = &f->s->transaction;
    bool *is_told = ARENA_ARRAY(&f->s->command, bool, t->recipient_count + 1);
    for (size_t i = 0; i < t->target_count && has_room; i++)
        is_told[t->targets[i].recipient] |=
            str_eq_nocase(t->targets[i].to.address, t->recipients[t->targets[i].recipient].address);
    for (size_t i = 0; i < t->recipient_count;) {
        CLEAN_BUF struct buf some;
        buf_init(&some, LOG_TRACE_MAX / 2);
        for (; i < t->recipient_count && some.n + ADDRESS_MAX < LOG_TRACE_MAX / 2; i++)
            if (!is_told[i])
                add(&some, t->recipients[i].address);
        if (some.n > 0)
            LOG_TRACE("message.recipients", F_C("id", t->id.hex), F_STR("to", buf_str(&some)));
    }
}

void fates_log(const struct fates *f)
{
    const struct session *s = f->s;
    const struct connection *c = &s->connection;
    struct received_with with = session_with(s);
    char protocol[RECEIVED_PROTOCOL_MAX];
    CLEAN_BUF struct buf recipients;
    CLEAN_BUF struct buf folders;
    buf_init(&recipients, LOGGED_MAX);
    buf_init(&folders, LOGGED_MAX);
    list_recipients(f, &recipients);
    list_folders(f, &folders);
    received_protocol(&with, c->tls.on, protocol);
    LOG_INFO("message.accepted", F_C("id", s->transaction.id.hex), F_STR("msgid", f->message->message_id),
             F_STR("from", s->transaction.sender), F_STR("to", buf_str(&recipients)),
             F_STR("where", buf_str(&folders)), F_INT("recipients", f->locals + f->remotes),
             F_INT("stored", f->stored), F_INT("deferred", f->deferred), F_INT("refused", f->refused),
             F_INT("relayed", f->remotes), F_INT("queue", f->queue_id), F_INT("size", f->message->size),
             F_C("peer", c->peer), F_C("helo", s->helo), F_C("user", s->user.address), F_C("with", protocol),
             F_C("tls", c->tls.version), F_C("cipher", c->tls.cipher));
    trace_recipients(f, recipients.n < LOGGED_MAX / 2);
}
