#include "queue/report.h"

#include "base/log.h"
#include "message/date.h"
#include "queue/dsn_text.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Header twice (a line end may grow by a byte) or the message, and per recipient two addresses and the reply,
 * each twice. */
#define REPORT_MAX (DSN_MESSAGE_MAX + DSN_HEADER_MAX * 2 + QUEUE_JOB_RECIPIENTS * (size_t)8192)

void report_random(void *to, size_t n)
{
    char *p = to;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR)
            log_die("queue.random", "getrandom: %s", strerror(errno));
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

static struct str unique_name(const unsigned char random[QUEUE_DELIVERY_BYTES],
                              char text[QUEUE_DELIVERY_BYTES * 2])
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < QUEUE_DELIVERY_BYTES; i++) {
        text[i * 2] = HEX[random[i] >> 4];
        text[i * 2 + 1] = HEX[random[i] & 15];
    }
    return str_from(text, QUEUE_DELIVERY_BYTES * 2);
}

static void log_double_bounce(const struct report *r)
{
    for (size_t i = 0; i < r->count; i++)
        LOG_WARNING("queue.report_undeliverable", F_INT("id", r->message),
                    F_STR("to", r->recipients[i].address), F_STR("host", r->recipients[i].host),
                    F_STR("reply", r->recipients[i].reply));
}

static const char *const ACTIONS[DSN_ACTIONS] = {"failed", "delayed", "relayed", "delivered", "expanded"};

static bool add_one(const struct queue_round *q, const struct report *r, size_t from, struct err *e)
{
    unsigned char random[QUEUE_DELIVERY_BYTES];
    char name[QUEUE_DELIVERY_BYTES * 2];
    report_random(random, sizeof random);
    /* RFC 3461 section 4.3: RET is about failures; lines are wanted, so bytes without are not returned. */
    bool wants_all =
        r->action == DSN_FAILED && r->asked->ret == ENVELOPE_RETURN_FULL && r->asked->body != ENVELOPE_BINARY;
    struct dsn dsn = {
        .action = r->action,
        .language = r->asked->language != CONFIG_LANGUAGE_UNSET
                        ? r->asked->language
                        : dsn_language_of(r->start, q->config->queue_language),
        .hostname = q->config->hostname,
        .to = r->sender,
        .unique = unique_name(random, name),
        .envelope_id = r->asked->id,
        .queue_id = r->message,
        .now = q->now,
        .arrived = r->arrived,
        .until = r->arrived + q->schedule.lifetime_s,
        .zone = date_local_zone(q->now),
        .is_deadline = r->is_deadline,
        .is_utf8 = r->asked->is_utf8,
        .message = r->start,
        .is_whole = wants_all && r->size == r->start.n,
        .is_cut = wants_all && r->size != r->start.n,
        .recipients = r->recipients + from,
        .count = r->count - from < QUEUE_JOB_RECIPIENTS ? r->count - from : QUEUE_JOB_RECIPIENTS,
    };
    CLEAN_BUF struct buf text;
    buf_init(&text, REPORT_MAX);
    bool is_8bit = false, needs_utf8 = false;
    dsn_build(&dsn, &text, &is_8bit, &needs_utf8);
    if (text.overflow)
        return err_set(e, ERR_INTERNAL, "the report about message %lld grew too long", (long long)r->message);

    struct queue_row_message m = {
        .delivery = str_from(random, sizeof random),
        .sender = STR(""),
        .size = text.n,
        .is_8bit = is_8bit,
        .arrived = q->now,
        .asked = ENVELOPE_INIT,
    };
    m.asked.body = is_8bit ? ENVELOPE_8BIT : ENVELOPE_7BIT;
    m.asked.is_utf8 = needs_utf8;
    if (!queue_db_add_message(q->db, &m, buf_str(&text), e))
        return false;
    struct queue_row_recipient to = {
        .message = m.id,
        .address = r->sender,
        .account = r->to_ours ? QUEUE_RESOLVE_OURS : QUEUE_RESOLVE,
        .original = r->sender,
        .detail = STR(""),
        .domain = QUEUE_LOCAL_DOMAIN,
        .flow = REPORT_FLOW,
        .asked = ENVELOPE_RECIPIENT_INIT,
        .next_attempt = q->now,
    };
    LOG_INFO("queue.report", F_STR("id", dsn.unique), F_INT("queue", m.id), F_INT("about", r->message),
             F_STR("to", r->sender), F_C("action", ACTIONS[r->action]), F_INT("recipients", dsn.count));
    return queue_db_add_recipient(q->db, &to, e);
}

bool report_add(const struct queue_round *q, const struct report *r, size_t *written, struct err *e)
{
    *written = 0;
    if (r->sender.n == 0) {
        if (r->action == DSN_FAILED)
            log_double_bounce(r);
        return true;
    }
    for (size_t from = 0; from < r->count; from += QUEUE_JOB_RECIPIENTS, ++*written)
        if (!add_one(q, r, from, e))
            return false;
    return true;
}
