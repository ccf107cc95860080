/* DATA and BDAT: the message comes in, gets its trace line, and its fate is decided. */
#include "base/log.h"
#include "message/address.h"
#include "message/date.h"
#include "message/header.h"
#include "smtp/ask.h"
#include "smtp/fate.h"
#include "smtp/local.h"
#include "smtp/received.h"

static struct str trace(struct session *s, int64_t now, int zone)
{
    CLEAN_BUF struct buf line;
    struct received r = {
        .connection = &s->connection,
        .helo = str_from_c(s->helo),
        .with = session_with(s),
        .hostname = s->config->hostname,
        .id = str_from_c(s->transaction.id.hex),
        .for_path = s->transaction.recipient_count == 1 ? session_first_recipient(s) : STR(""),
        .priority = s->transaction.asked.priority,
        .solicit = s->transaction.solicit,
        .at = now,
        .zone = zone,
    };
    buf_init(&line, BUF_MAX_DEFAULT); /* bounded by the lengths of its parts */
    received_add(&line, &r);
    return arena_copy(&s->transaction.arena, buf_str(&line));
}

/* --- the author of a submission --- */

static bool may_write_as(struct session *s, const struct address *author)
{
    struct str plain =
        arena_printf(&s->command, "%.*s@%.*s", STR_ARGS(author->local), STR_ARGS(author->domain));
    struct err e = ERR_INIT;
    struct directory_sender their;
    if (str_eq_nocase(plain, s->transaction.plain_sender)) /* MAIL has asked already */
        return true;
    if (!ask_sender(s, plain, &their, &e)) {
        session_refuse_message(s, "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    if (their.right == DIRECTORY_SEND_NOT)
        session_refuse_message(
            s,
            "550 5.7.1 From: <%.*s> is not an address of %s: write one that is, or have this one added "
            "(golub address add)",
            STR_ARGS(plain), s->user.address);
    return their.right != DIRECTORY_SEND_NOT;
}

/* Readers see From and not the envelope, so a sender who may not use an address may not write it there
 * either. A message without From is left to them: there is nobody whose name it could take. */
static bool is_their_author(struct session *s, const struct incoming *m)
{
    if (!s->is_authenticated || m->froms == 0 || session_is_local(s))
        return true;    /* what a program writes there is its own affair, as with Postfix */
    if (m->froms > 1) { /* RFC 5322 section 3.6: which one a reader sees is anybody's guess */
        session_refuse_message(s, "550 5.6.0 The message has %u From fields", m->froms);
        return false;
    }
    struct address_list authors = address_parse_list(header_unfold(m->from, &s->command), &s->command);
    for (size_t i = 0; i < authors.n; i++) {
        const struct address *a = &authors.v[i];
        if (!a->group_start && !a->group_end && !may_write_as(s, a))
            return false;
    }
    return true;
}

/* --- the message --- */

/* The clock is asked once: the trace line and a Date that we add tell the same moment. */
static struct incoming *begin(struct session *s)
{
    struct smtp_transaction *t = &s->transaction;
    struct incoming *m = ARENA_NEW(&t->arena, struct incoming);
    int64_t now = clock_wall();
    int zone = date_local_zone(now);
    struct incoming_wish wish = {
        .trace = trace(s, now, zone),
        .is_ours = s->is_authenticated,
        .fix = {.hostname = s->config->hostname, .unique = str_from_c(t->id.hex), .now = now, .zone = zone},
        .look = smtp_complete_header,
        .context = s,
        .is_binary = t->asked.body == ENVELOPE_BINARY,
        .is_utf8 = t->asked.is_utf8,
        .utf8_only_when_asked = s->config->utf8_headers_only_when_asked,
        .unwanted = s->config->unwanted_advertising,
        .size_max = s->config->message_size_max,
        .hops_max = s->config->hops_max,
    };
    incoming_begin(m, &wish, &t->arena);
    return m;
}

static void lost(struct session *s, enum stream_result why)
{
    LOG_INFO("message.lost", F_C("id", s->transaction.id.hex), F_STR("from", s->transaction.sender),
             F_STR("to", session_first_recipient(s)),
             F_C("why", why == STREAM_TIMEOUT ? "its end did not come in time" : "the connection closed"),
             F_C("peer", s->connection.peer));
    if (why == STREAM_TIMEOUT)
        session_goodbye(s, "421 4.4.2 The end of the message did not come in time");
    s->is_over = true;
}

/* All of it is there. */
static void conclude(struct session *s, struct incoming *m)
{
    incoming_end(m);
    if (m->refusal)
        session_refuse_message(s, "%s", m->refusal);
    else if (is_their_author(s, m))
        fate_decide(s, m);
}

/* --- DATA --- */

static void receive(struct session *s)
{
    struct incoming *m = begin(s);
    session_reply(s, "354 End with a line that is a dot");
    guard_progressed(s);
    enum stream_result got = incoming_data(m, &s->stream);
    if (got == STREAM_OK)
        conclude(s, m);
    else
        lost(s, got);
    incoming_free(m);
}

void smtp_data(struct session *s, const struct smtp_command *c)
{
    struct smtp_transaction *t = &s->transaction;
    (void)c;
    if (!t->is_open) {
        session_error(s, "503 5.5.1 MAIL first");
    } else if (t->chunks || t->has_lost_chunk) { /* RFC 3030 section 2 */
        session_error(s, "503 5.5.1 The message comes by BDAT");
    } else if (t->asked.body == ENVELOPE_BINARY) { /* RFC 3030 section 3 */
        session_error(s, "503 5.5.1 BODY=BINARYMIME needs BDAT");
    } else if (t->recipient_count == 0) { /* RFC 5321 section 3.3; RFC 2033 section 4.2 wants 503 */
        session_error(s, "%s 5.5.1 No valid recipients", session_is_lmtp(s) ? "503" : "554");
    } else {
        receive(s);
        session_forget_transaction(s);
    }
}

/* --- BDAT --- */

/* What stands in the way of a chunk; NULL: nothing. */
static const char *chunk_fault(const struct session *s)
{
    const struct smtp_transaction *t = &s->transaction;
    if (s->helo[0] == '\0')
        return "503 5.5.1 Say EHLO first";
    if (!t->is_open)
        return "503 5.5.1 MAIL first";
    if (t->recipient_count == 0)
        return session_is_lmtp(s) ? "503 5.5.1 No valid recipients" : "554 5.5.1 No valid recipients";
    return t->has_lost_chunk ? "503 5.5.1 A chunk before this one was refused: RSET" : NULL;
}

/* The chunk is read whatever becomes of it: what follows it is the next command (RFC 3030 section 2). */
static void refuse_chunk(struct session *s, const struct smtp_command *c, const char *reply)
{
    enum stream_result got = incoming_discard(&s->stream, c->octets);
    if (got != STREAM_OK) {
        lost(s, got);
    } else if (c->is_last && s->transaction.recipient_count > 0) {
        session_refuse_message(s, "%s", reply);
        session_forget_transaction(s);
    } else {
        session_error(s, "%s", reply);
    }
}

/* A chunk that is not the last. What is wrong with the message already is told now, and the rest of it is not
 * wanted any more. */
static void answer_chunk(struct session *s, uint64_t octets)
{
    struct smtp_transaction *t = &s->transaction;
    if (!t->chunks->refusal) {
        session_reply(s, "250 2.0.0 %llu octets", (unsigned long long)octets);
        return;
    }
    session_refuse(s, session_first_recipient(s), "%s", t->chunks->refusal);
    incoming_free(t->chunks);
    t->chunks = NULL;
    t->has_lost_chunk = true;
}

void smtp_bdat(struct session *s, const struct smtp_command *c)
{
    struct smtp_transaction *t = &s->transaction;
    const char *fault = chunk_fault(s);
    if (fault) {
        refuse_chunk(s, c, fault);
        return;
    }
    if (c->octets == 0 && !c->is_last && ++s->idling > SMTP_IDLING_MAX) {
        session_goodbye(s, "421 4.7.0 Too many chunks without content");
        return;
    }
    guard_progressed(s);
    if (!t->chunks)
        t->chunks = begin(s);
    enum stream_result got = incoming_chunk(t->chunks, &s->stream, c->octets);
    if (got != STREAM_OK) {
        lost(s, got);
    } else if (c->is_last) {
        conclude(s, t->chunks);
        session_forget_transaction(s);
    } else {
        answer_chunk(s, c->octets);
    }
}
