#include "smtp/notice.h"

#include "base/log.h"
#include "base/mem.h"
#include "message/date.h"
#include "smtp/session.h"

#include <string.h>

#define NOTICE_BYTES_MAX ((size_t)8192)

/* "message_rate 1000/h, of [limit account] in golub.conf" */
static void add_limit(struct buf *out, const struct session *s, enum limit_rate rate)
{
    static const char *const NAMES[LIMIT_RATES] = {[LIMIT_CONNECTS] = "networks",
                                                   [LIMIT_MESSAGES] = "message_rate",
                                                   [LIMIT_RECIPIENTS] = "recipient_rate",
                                                   [LIMIT_REFUSED] = "refused_rate"};
    char text[CONFIG_RATE_TEXT];
    bool is_own;
    struct tally_limit limit = limits_of_account(&s->guard.limits, rate, &is_own);
    buf_addf(out, "%s %s, %s", NAMES[rate], config_rate_text(limit, text),
             is_own ? "set for it or its domain with golub account limit"
                    : "of [limit account] in golub.conf");
}

static void write_notice(struct buf *out, const struct session *s, enum limit_rate rate, const char *what,
                         const char *id)
{
    int64_t now = clock_wall();
    struct str host = s->config->hostname;
    buf_addf(out, "From: Mail server <postmaster@%.*s>\r\nTo: <postmaster@%.*s>\r\n", STR_ARGS(host),
             STR_ARGS(host));
    buf_addf(out, "Subject: %s may be in the wrong hands: too many %s\r\nDate: ", s->user.address, what);
    date_add_rfc5322(out, now, date_local_zone(now));
    buf_addf(out,
             "\r\nMessage-ID: <%s@%.*s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
             id, STR_ARGS(host));
    buf_addf(out, "The account %s has passed a limit: too many %s.\r\n\r\nLimit:   ", s->user.address, what);
    add_limit(out, s, rate);
    buf_addf(out,
             "\r\n"
             "Client:  %s, which calls itself %s\r\n"
             "Sender:  <%.*s>\r\n\r\n",
             s->connection.peer, s->helo, STR_ARGS(s->transaction.sender));
    buf_addf(out,
             "Accounts whose password was stolen look like this; so does a newsletter. What is beyond the "
             "limit is\r\n"
             "refused for now (450), and nothing else has been done.\r\n\r\n"
             "If it was stolen:\r\n\r\n"
             "    golub account password %s      and nobody who has the old one gets in\r\n"
             "    golub queue list                and golub queue drop: what still waits\r\n"
             "    golub trace %s                  what it has sent\r\n\r\n"
             "If it may send more, or should send less: golub account limit %s\r\n\r\n"
             "This note comes once a day for each account.\r\n",
             s->user.address, s->user.address, s->user.address);
}

/* Into the accounts that postmaster leads to; what cannot go there now, and other servers, through the queue.
 */
static bool send_to(struct session *s, const struct directory_answer *to, struct str text,
                    const struct smtp_id *id, struct err *e)
{
    struct queue_recipient *rest = ARENA_ARRAY(&s->command, struct queue_recipient, to->count);
    size_t left = 0;
    for (size_t i = 0; i < to->count; i++) {
        const struct directory_target *t = &to->targets[i];
        struct delivery_recipient r = {
            .account = t->account, .address = t->address, .original = STR("postmaster"), .detail = t->detail};
        struct delivery_message m = {.memfd = -1, .bytes = text, .size = text.n, .sender = STR("")};
        memcpy(m.id, id->bytes, sizeof m.id);
        if (t->is_local)
            delivery_deliver(s->server->delivery, &m, &r, 1);
        if (!t->is_local || r.fate == DELIVERY_TEMPORARY)
            rest[left++] = (struct queue_recipient){.address = t->address,
                                                    .account = t->is_local ? t->account : 0,
                                                    .original = STR("postmaster"),
                                                    .detail = t->detail,
                                                    .asked = ENVELOPE_RECIPIENT_INIT};
    }
    if (left == 0)
        return true;
    int64_t queue_id;
    struct queue_message m = {.body = parcel_of(text),
                              .sender = STR(""),
                              .asked = ENVELOPE_INIT,
                              .recipients = rest,
                              .count = left};
    memcpy(m.id, id->bytes, sizeof m.id);
    return queue_enqueue(s->server->queue, &m, &queue_id, e);
}

void notice_account(struct session *s, enum limit_rate rate, const char *what)
{
    CLEAN_BUF struct buf text;
    struct directory_answer to;
    struct err e = ERR_INIT;
    buf_init(&text, NOTICE_BYTES_MAX);
    LOG_WARNING("account.limit", F_C("user", s->user.address), F_C("peer", s->connection.peer),
                F_C("what", what));
    if (!limits_tells_today(&s->guard.limits))
        return;
    struct smtp_id id = smtp_id_new();
    write_notice(&text, s, rate, what, id.hex);
    bool sent = directory_resolve(s->server->directory, STR("postmaster"), &s->command, &to, &e) &&
                to.fate == DIRECTORY_LOCAL && send_to(s, &to, buf_str(&text), &id, &e);
    if (sent)
        LOG_INFO("account.noticed", F_C("id", id.hex), F_C("user", s->user.address), F_C("to", "postmaster"));
    else
        LOG_ERROR("account.notice_lost", F_C("user", s->user.address),
                  F_C("why", e.text[0] ? e.text : "postmaster leads nowhere"));
}
