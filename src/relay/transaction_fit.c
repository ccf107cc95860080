/* A message made fit for one server, by what it offers. */
#include "message/header.h"
#include "message/utf8.h"
#include "relay/body.h"
#include "relay/convert.h"
#include "relay/transaction.h"

/* A message of at most so many bytes leaves together with its envelope where BDAT is offered: in one packet
 * or a few, without waiting for anything. A larger one waits until somebody takes it. */
#define BDAT_AT_ONCE_MAX ((size_t)64 * 1024)

/* In our words, after a status code: "5.3.4 mail.example.org[192.0.2.1]: the message ..." */
static struct str with_host(const struct transaction *t, struct str why)
{
    struct str status = reply_enhanced(why);
    return arena_printf(t->message->arena, "%.*s %s[%s]: %.*s", STR_ARGS(status), t->peer->host,
                        t->peer->address, STR_ARGS(str_trim(str_from_offset(why, status.n))));
}

/* False: the server cannot take it, and everybody has an answer. */
static bool fit_bytes(struct transaction *t)
{
    struct str why = STR("");
    struct peer_message *m = t->message;
    struct err e = ERR_INIT;
    t->bytes = m->bytes;
    t->terms = (struct command_terms){.body = m->body, .is_authenticated = t->peer->is_authenticated};
    t->about = (struct command_message){
        .sender = m->sender,
        .asked = m->asked,
        .size = m->bytes.n,
        .body = m->body,
        .has_utf8_header = m->asked->is_utf8 && !utf8_is_ascii(str_slice(m->bytes, 0, header_size(m->bytes))),
        .now = clock_wall(),
    };
    enum command_fit f = command_fit(&t->about, &t->peer->ehlo, m->arena, &why);
    if (f == COMMAND_NEEDS_7BIT || f == COMMAND_NEEDS_8BIT) {
        enum envelope_body to = f == COMMAND_NEEDS_7BIT ? ENVELOPE_7BIT : ENVELOPE_8BIT;
        if (convert_message(m->bytes, to, &t->converted, &e)) {
            t->bytes = buf_str(&t->converted);
            t->terms.body = to;
            t->about.size = t->bytes.n;
            transcript_addf(t->peer->transcript, TRANSCRIPT_NOTE, "converted: %s",
                            to == ENVELOPE_7BIT ? "8BITMIME is not offered" : "BINARYMIME is not offered");
            return true;
        }
        why = str_from_c(e.text);
        f = COMMAND_REFUSED;
    }
    if (f == COMMAND_REFUSED)
        for (size_t i = 0; i < m->count; i++)
            transaction_answer(&m->recipients[i], QUEUE_FAILED, with_host(t, why));
    return f != COMMAND_REFUSED;
}

/* Those whom this transaction is for. Who cannot be written for this server has an answer then. */
static void choose(struct transaction *t)
{
    struct peer_message *m = t->message;
    bool may_utf8 = ehlo_has(&t->peer->ehlo, EHLO_SMTPUTF8);
    uint64_t most = t->peer->ehlo.rcpt_max;
    t->terms.is_utf8 = may_utf8 && (m->asked->is_utf8 || !utf8_is_ascii(m->sender));
    for (size_t i = 0; i < m->count && (most == 0 || t->count < most); i++) {
        struct peer_recipient *r = &m->recipients[i];
        if (r->answered)
            continue;
        if (!utf8_is_ascii(r->path) && !may_utf8) {
            transaction_answer(
                r, QUEUE_FAILED, /* RFC 6531 section 3.5 */
                with_host(t, STR("5.6.7 the address is in UTF-8, and this server does not offer SMTPUTF8")));
            continue;
        }
        t->terms.is_utf8 |= !utf8_is_ascii(r->path);
        t->tried[t->count++] = i;
    }
}

/* BDAT needs no dots doubled, and no 354 waited for. It carries the bytes as they are, so they must be lines
 * unless the server takes binary ones. With LMTP an end without recipients is not defined for it. */
static void choose_way(struct transaction *t)
{
    const struct peer *p = t->peer;
    t->is_piped = ehlo_has(&p->ehlo, EHLO_PIPELINING);
    bool is_binary = t->terms.body == ENVELOPE_BINARY;
    t->uses_bdat = is_binary || (ehlo_has(&p->ehlo, EHLO_CHUNKING) && t->is_piped && !p->no_chunking &&
                                 !p->is_lmtp && body_is_lines(t->bytes));
    t->at_once = t->uses_bdat && t->is_piped && !p->is_lmtp && t->bytes.n <= BDAT_AT_ONCE_MAX;
}

bool transaction_fit(struct transaction *t)
{
    if (!fit_bytes(t))
        return false;
    choose(t);
    choose_way(t);
    return t->count > 0;
}
