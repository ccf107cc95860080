#include "relay/courier.h"

#include "base/log.h"
#include "base/sealed.h"
#include "relay/convert.h"
#include "relay/path.h"

#include <string.h>

#define NO_BDAT_MS (24 * 60 * 60 * 1000) /* a server learns new commands now and then */

/* --- the connection --- */

static bool no_server(struct courier *c, struct relay_job *j, const struct reach *r)
{
    c->failure_fate = r->only_permanent ? QUEUE_FAILED : QUEUE_DEFERRED;
    size_t n = r->reason.n < QUEUE_REPLY_MAX ? r->reason.n : QUEUE_REPLY_MAX;
    memcpy(c->failure_reply, r->reason.p, n);
    c->failure_reply[n] = '\0';
    j->contact = r->is_busy          ? QUEUE_CONTACT_BUSY
                 : r->only_permanent ? QUEUE_CONTACT_NONE /* there is nobody to be reached */
                                     : QUEUE_CONTACT_UNREACHABLE;
    return false;
}

void courier_rest(struct courier *c)
{
    peer_close(&c->peer);
}

/* --- the job --- */

static bool is_last_answer(const struct relay_job *j)
{
    for (size_t i = 0; i < j->count; i++)
        if (!j->recipients[i].answered)
            return false;
    return true;
}

/* To the trace goes with the last one of a job what was said: then it is complete. */
static void log_recipient(const struct courier *c, struct relay_job *j, const struct relay_recipient *r)
{
    static const char *const EVENTS[] = {"relay.sent", "relay.deferred", "relay.failed"};
    bool was_there = r->host.n > 0;
    struct str said = is_last_answer(j) ? transcript_text(&j->log, &j->arena) : STR("");
    const struct log_field transcript = F_STR("transcript", said),
                           fields[] = {
                               F_C("id", j->delivery),
                               F_INT("queue", j->message),
                               F_STR("from", j->sender),
                               F_STR("to", r->address),
                               F_STR("host", r->host),
                               F_C("address", was_there ? c->peer.address : ""),
                               F_STR("tls", c->peer.tls ? tls_description(c->peer.tls) : STR("no")),
                               F_STR("reply", r->reply),
                           };
    log_event_and_more(EVENTS[r->fate], fields, sizeof fields / sizeof *fields,
                       said.n > 0 ? &transcript : NULL);
}

/* Whose words a reply is: a server's begins with its code. */
static bool is_theirs(struct str reply)
{
    return reply.n >= 3 && ascii_is_digit(reply.p[0]) && ascii_is_digit(reply.p[1]) &&
           ascii_is_digit(reply.p[2]);
}

/* Takes over the answers of the recipients that were sent: true when nobody is left without one. */
static bool take_answers(const struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                         struct peer_message *m)
{
    size_t left = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->recipients[i].answered) {
            sent[left] = sent[i];
            m->recipients[left++] = m->recipients[i];
            continue;
        }
        sent[i]->answered = true;
        sent[i]->fate = m->recipients[i].fate;
        sent[i]->passing = c->peer.is_lmtp                     ? QUEUE_PASSED_FINAL
                           : ehlo_has(&c->peer.ehlo, EHLO_DSN) ? QUEUE_PASSED_DSN
                                                               : QUEUE_PASSED_PLAIN;
        sent[i]->reply = m->recipients[i].reply;
        sent[i]->host = is_theirs(sent[i]->reply) ? arena_copy(&j->arena, str_from_c(c->peer.host)) : STR("");
        log_recipient(c, j, sent[i]);
    }
    m->count = left;
    return left == 0;
}

/* Recipients whose address can be written. */
static void make_recipients(const struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                            struct peer_message *m)
{
    m->recipients = ARENA_ARRAY(&j->arena, struct peer_recipient, j->count);
    for (size_t i = 0; i < j->count; i++) {
        struct relay_recipient *r = &j->recipients[i];
        if (path_write(r->address, &j->arena, &m->recipients[m->count].path)) {
            m->recipients[m->count].asked = &r->asked;
            sent[m->count++] = r;
            continue;
        }
        r->answered = true;
        r->fate = QUEUE_FAILED;
        r->reply = STR("5.1.3 this is no address that mail can be sent to");
        log_recipient(c, j, r);
    }
}

/* Sends to those who have no answer yet, as many at a time as the server takes. True: all have one, or wait
 * for a fresh connection, since this one has taken as many messages as it will. */
static bool send_over(struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                      struct peer_message *m, struct err *e)
{
    enum peer_sent got = PEER_SENT;
    bool is_done = false;
    c->peer.transcript = &j->log;
    while (got == PEER_SENT && !is_done && !peer_is_used_up(&c->peer)) {
        got = peer_send(&c->peer, m, e);
        is_done = take_answers(c, j, sent, m);
    }
    if (c->peer.no_chunking)
        memory_put(c->memory, MEMORY_NO_BDAT, str_from_c(c->peer.address), 1, NO_BDAT_MS);
    j->contact =
        c->peer.is_busy || got == PEER_BROKEN || got == PEER_LOST ? QUEUE_CONTACT_BUSY : QUEUE_CONTACT_GOOD;
    c->peer.is_busy = false;
    c->peer.transcript = NULL;
    return is_done || got == PEER_SENT;
}

/* To the best server that can be reached; one that breaks off before the message is through is followed by
 * the next (RFC 5321 section 5.1). False: none was reached. */
static bool send_anywhere(struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                          struct peer_message *m, enum tls_wish wish)
{
    struct reach r = {.config = c->config,
                      .dns = &c->dns,
                      .memory = c->memory,
                      .tls = c->tls,
                      .arena = &j->arena,
                      .log = &j->log,
                      .way = &j->way,
                      .sockets = &c->sockets,
                      .to = {.wish = wish}};
    bool was_reached = false;
    if (!reach_begin(&r, j->domain))
        return no_server(c, j, &r);
    while (reach_next(&r, &c->peer)) {
        struct err e = ERR_INIT;
        was_reached = true;
        c->peer_until = deadline_in(COURIER_AGE_MS);
        c->peer_wish = wish;
        if (send_over(c, j, sent, m, &e))
            return true;
        r.only_permanent = false;
        r.reason = arena_copy(&j->arena, str_from_c(e.text));
    }
    no_server(c, j, &r);
    if (was_reached)
        j->contact = QUEUE_CONTACT_BUSY;
    return was_reached;
}

static bool carry_bytes(struct courier *c, struct relay_job *j, struct str bytes, enum tls_wish wish)
{
    struct relay_recipient **sent = ARENA_ARRAY(&j->arena, struct relay_recipient *, j->count);
    struct peer_message m = {
        .asked = &j->asked,
        .body = j->asked.body == ENVELOPE_BINARY ? convert_needs(bytes)
                : j->is_8bit                     ? ENVELOPE_8BIT
                                                 : ENVELOPE_7BIT,
        .bytes = bytes,
        .is_orphan = &j->is_orphan,
        .arena = &j->arena,
    };
    if (j->sender.n > 0 && !path_write(j->sender, &j->arena, &m.sender)) {
        courier_decline(c, j, QUEUE_FAILED, STR("5.1.7 the sender's address cannot be written"));
        return true;
    }
    make_recipients(c, j, sent, &m);
    if (m.count == 0)
        return true;
    if (c->peer.is_open && (c->peer.messages >= COURIER_MESSAGES_MAX || peer_is_used_up(&c->peer) ||
                            c->peer_wish != wish || deadline_passed(c->peer_until)))
        courier_rest(c);
    if (c->peer.is_open) {
        struct err e = ERR_INIT;
        transcript_addf(&j->log, TRANSCRIPT_NOTE,
                        "the connection to %s[%s]:%u is open still, after %u messages", c->peer.host,
                        c->peer.address, c->peer.port, c->peer.messages);
        if (send_over(c, j, sent, &m, &e))
            return true; /* else it was kept too long, or has broken; a fresh one follows */
    }
    c->failure_reply[0] = '\0';
    bool was_reached = send_anywhere(c, j, sent, &m, wish);
    if (c->failure_reply[0] != '\0')
        courier_decline(c, j, c->failure_fate, arena_copy(&j->arena, str_from_c(c->failure_reply)));
    return was_reached;
}

void courier_decline(const struct courier *c, struct relay_job *j, enum queue_fate fate, struct str reply)
{
    for (size_t i = 0; i < j->count; i++) {
        struct relay_recipient *r = &j->recipients[i];
        if (r->answered)
            continue;
        r->answered = true;
        r->fate = fate;
        r->reply = reply;
        log_recipient(c, j, r);
    }
}

bool courier_carry(struct courier *c, struct relay_job *j)
{
    struct str bytes;
    struct err e = ERR_INIT;
    if (!parcel_read(&j->body, &bytes, &e)) {
        LOG_ERROR("relay.message", F_INT("id", j->message), F_C("reason", e.text));
        courier_decline(c, j, QUEUE_DEFERRED, STR("4.3.0 the message could not be read"));
        return true;
    }
    enum tls_wish wish = tls_wish_of(j->asked.requires_tls, bytes);
    bool reached = carry_bytes(c, j, bytes, wish) || wish == TLS_WISH_REQUIRE; /* others may fare better */
    parcel_release(&j->body, bytes);
    return reached;
}
