/* DATA: the message comes in, gets its trace line, and its fate is decided. */
#include "base/log.h"
#include "message/address.h"
#include "message/date.h"
#include "message/header.h"
#include "smtp/fate.h"
#include "smtp/received.h"
#include "smtp/session.h"

static struct str trace(struct session *s, int64_t now, int zone)
{
    CLEAN_BUF struct buf line;
    struct received r = {
        .connection = &s->connection,
        .helo = str_from_c(s->helo),
        .is_esmtp = s->is_esmtp,
        .is_authenticated = s->is_authenticated,
        .hostname = s->config->hostname,
        .id = str_from_c(s->transaction.id.hex),
        .for_path = s->transaction.recipient_count == 1 ? session_first_recipient(s) : STR(""),
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
    bool may = false;
    if (str_eq_nocase(plain, s->transaction.sender)) /* MAIL has asked already */
        return true;
    if (!directory_may_send_as(s->server->directory, s->user.account, plain, &may, &e)) {
        session_refuse(s, STR(""), "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    if (!may)
        session_refuse(
            s, STR(""),
            "550 5.7.1 From: <%.*s> is not an address of %s: write one that is, or have this one added "
            "(golub address add)",
            STR_ARGS(plain), s->user.address);
    return may;
}

/* Readers see From and not the envelope, so a sender who may not use an address may not write it there
 * either. A message without From is left to them: there is nobody whose name it could take. */
static bool is_their_author(struct session *s, const struct incoming *m)
{
    if (!s->is_authenticated || m->froms == 0)
        return true;
    if (m->froms > 1) { /* RFC 5322 section 3.6: which one a reader sees is anybody's guess */
        session_refuse(s, STR(""), "550 5.6.0 The message has %u From fields", m->froms);
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

/* --- the verb --- */

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

static void receive(struct session *s)
{
    int64_t now = clock_wall();
    int zone = date_local_zone(now);
    struct submission_fix fix = {.hostname = s->config->hostname,
                                 .unique = str_from_c(s->transaction.id.hex),
                                 .now = now,
                                 .zone = zone};
    struct incoming_wish wish = {
        .trace = trace(s, now, zone),
        .fix = s->is_authenticated ? &fix : NULL,
        .size_max = s->config->message_size_max,
        .hops_max = s->config->hops_max,
    };
    struct incoming m;
    session_reply(s, "354 End with a line that is a dot");
    enum stream_result got = incoming_receive(&s->stream, &wish, &s->command, &m);
    if (got != STREAM_OK) {
        lost(s, got);
        return;
    }
    if (m.refusal)
        session_refuse(s, session_first_recipient(s), "%s", m.refusal);
    else if (is_their_author(s, &m))
        fate_decide(s, &m);
    incoming_free(&m);
}

void smtp_data(struct session *s, const struct smtp_command *c)
{
    (void)c;
    if (!s->transaction.is_open) {
        session_error(s, "503 5.5.1 MAIL first");
    } else if (s->transaction.recipient_count == 0) { /* RFC 5321 section 3.3 */
        session_error(s, "554 5.5.1 No valid recipients");
    } else {
        receive(s);
        session_forget_transaction(s);
    }
}
