#include "relay/command.h"

#include "message/utf8.h"
#include "message/xtext.h"

#include <string.h>

/* --- what a message needs --- */

static bool refuse(struct str *why, struct str words)
{
    *why = words;
    return false;
}

/* RFC 2852 section 4: with R, what cannot be kept is given back, at the latest here. */
static bool fits_deadline(const struct command_message *m, const struct ehlo *e, struct arena *a,
                          struct str *why)
{
    if (m->asked->by != ENVELOPE_BY_RETURN)
        return true;
    int64_t left = m->asked->deliver_by - m->now;
    if (left <= 0)
        return refuse(why, STR("5.4.7 the time in which it was to be delivered (BY) is over"));
    if (!ehlo_has(e, EHLO_DELIVERBY))
        return refuse(why,
                      STR("5.3.3 it was to be delivered in time or returned (BY), which this server does "
                          "not offer"));
    if (e->by_min > 0 && (uint64_t)left < e->by_min) {
        *why = arena_printf(a, "5.4.7 it was to be delivered within %lld s (BY); this server promises %llu s",
                            (long long)left, (unsigned long long)e->by_min);
        return false;
    }
    return true;
}

enum command_fit command_fit(const struct command_message *m, const struct ehlo *e, struct arena *a,
                             struct str *why)
{
    if (e->size_max > 0 && m->size > e->size_max) { /* RFC 1870 section 6.1 */
        *why = arena_printf(a, "5.3.4 the message has %zu bytes; this server takes at most %llu", m->size,
                            (unsigned long long)e->size_max);
        return COMMAND_REFUSED;
    }
    if (m->asked->requires_tls && !ehlo_has(e, EHLO_REQUIRETLS)) { /* RFC 8689 section 4.2.1 */
        *why =
            STR("5.7.30 the sender requires TLS all the way (REQUIRETLS), which this server does not offer");
        return COMMAND_REFUSED;
    }
    if (!fits_deadline(m, e, a, why))
        return COMMAND_REFUSED;
    if (!ehlo_has(e, EHLO_SMTPUTF8) && (m->has_utf8_header || !utf8_is_ascii(m->sender))) {
        *why = m->has_utf8_header /* RFC 6531 section 3.2 */
                   ? STR("5.6.7 its header is in UTF-8, and this server does not offer SMTPUTF8")
                   : STR("5.6.7 the sender's address is in UTF-8, and this server does not offer SMTPUTF8");
        return COMMAND_REFUSED;
    }
    if (m->body == ENVELOPE_BINARY && !(ehlo_has(e, EHLO_BINARYMIME) && ehlo_has(e, EHLO_CHUNKING)))
        return ehlo_has(e, EHLO_8BITMIME) ? COMMAND_NEEDS_8BIT : COMMAND_NEEDS_7BIT;
    if (m->body == ENVELOPE_8BIT && !ehlo_has(e, EHLO_8BITMIME))
        return COMMAND_NEEDS_7BIT;
    return COMMAND_FITS;
}

/* --- values --- */

/* RFC 6533 section 3: utf-8-addr-unitext in a transaction with SMTPUTF8, else utf-8-addr-xtext. */
static void add_utf8_address(struct buf *out, struct str s, bool is_utf8)
{
    size_t at = 0;
    while (at < s.n) {
        size_t from = at;
        uint32_t c = utf8_next(s, &at);
        if (c > 127 && is_utf8)
            buf_add(out, str_slice(s, from, at - from));
        else if (c <= ' ' || c > '~' || c == '+' || c == '=' || c == '\\')
            buf_addf(out, "\\x{%02X}", (unsigned)c);
        else
            buf_add_byte(out, (char)c);
    }
}

static void add_original(struct buf *out, struct str original, bool is_utf8)
{
    struct str type, address = original;
    if (!str_cut(&address, ';', &type) || type.n == 0 || address.n == 0)
        return;
    buf_addf(out, " ORCPT=%.*s;", STR_ARGS(type));
    if (str_eq_nocase(type, STR("utf-8")))
        add_utf8_address(out, address, is_utf8);
    else
        xtext_encode(address, out);
}

static void add_notify(struct buf *out, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *word;
    } WORDS[] = {{ENVELOPE_NOTIFY_SUCCESS, "SUCCESS"},
                 {ENVELOPE_NOTIFY_FAILURE, "FAILURE"},
                 {ENVELOPE_NOTIFY_DELAY, "DELAY"}};
    if (notify == 0)
        return;
    buf_add_c(out, " NOTIFY=");
    if (notify & ENVELOPE_NOTIFY_NEVER) { /* stands alone: RFC 3461 section 4.1 */
        buf_add_c(out, "NEVER");
        return;
    }
    bool first = true;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (notify & WORDS[i].bit) {
            buf_addf(out, "%s%s", first ? "" : ",", WORDS[i].word);
            first = false;
        }
}

/* --- commands --- */

static void add_body(struct buf *out, enum envelope_body body, const struct ehlo *e)
{
    if (body == ENVELOPE_BINARY)
        buf_add_c(out, " BODY=BINARYMIME");
    else if (body == ENVELOPE_8BIT && ehlo_has(e, EHLO_8BITMIME))
        buf_add_c(out, " BODY=8BITMIME");
}

static void add_dsn(struct buf *out, const struct envelope *asked)
{
    if (asked->ret != ENVELOPE_RETURN_UNSET)
        buf_add_c(out, asked->ret == ENVELOPE_RETURN_FULL ? " RET=FULL" : " RET=HDRS");
    if (asked->id.n > 0) {
        buf_add_c(out, " ENVID=");
        xtext_encode(asked->id, out);
    }
}

/* RFC 2852 section 4: what is left of the time; nine digits at most. */
static void add_by(struct buf *out, const struct command_message *m)
{
    const int64_t most = 999999999;
    const struct envelope *asked = m->asked;
    int64_t left = asked->deliver_by - m->now;
    left = left > most ? most : left < -most ? -most : left;
    buf_addf(out, " BY=%lld;%c%s", (long long)left, asked->by == ENVELOPE_BY_RETURN ? 'R' : 'N',
             asked->by_trace ? "T" : "");
}

/* RFC 4954 section 5: whom we hold for the sender; we let accounts send as themselves only. */
static void add_submitter(struct buf *out, const struct command_message *m)
{
    buf_add_c(out, " AUTH=");
    if (m->asked->submitter > 0 && m->sender.n > 0 && utf8_is_ascii(m->sender))
        xtext_encode(m->sender, out);
    else
        buf_add_c(out, "<>");
}

void command_mail(struct buf *out, const struct command_message *m, const struct ehlo *e,
                  const struct command_terms *t)
{
    buf_addf(out, "MAIL FROM:<%.*s>", STR_ARGS(m->sender));
    if (ehlo_has(e, EHLO_SIZE))
        buf_addf(out, " SIZE=%zu", m->size);
    add_body(out, t->body, e);
    if (t->is_utf8)
        buf_add_c(out, " SMTPUTF8");
    if (ehlo_has(e, EHLO_DSN))
        add_dsn(out, m->asked);
    if (m->asked->requires_tls)
        buf_add_c(out, " REQUIRETLS");
    if (m->asked->by != ENVELOPE_BY_NONE && ehlo_has(e, EHLO_DELIVERBY))
        add_by(out, m);
    if (m->asked->priority != 0 && ehlo_has(e, EHLO_MT_PRIORITY))
        buf_addf(out, " MT-PRIORITY=%d", m->asked->priority);
    if (t->is_authenticated && ehlo_has(e, EHLO_AUTH))
        add_submitter(out, m);
    buf_add_c(out, "\r\n");
}

void command_rcpt(struct buf *out, struct str path, const struct envelope_recipient *asked,
                  const struct ehlo *e, const struct command_terms *t)
{
    buf_addf(out, "RCPT TO:<%.*s>", STR_ARGS(path));
    if (ehlo_has(e, EHLO_DSN)) {
        add_notify(out, asked->notify);
        add_original(out, asked->original, t->is_utf8);
    }
    buf_add_c(out, "\r\n");
}
