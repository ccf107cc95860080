/* MAIL: who may send, as whom, and what is asked of the message. */
#include "smtp/ask.h"
#include "smtp/local.h"
#include "smtp/solicit.h"

/* Mail clients must show who they are, on their ports; on 25 it is theirs to choose. */
static bool may_send(struct session *s)
{
    if (s->is_authenticated || !session_is_submission_port(s))
        return true;
    session_error(s, "530 5.7.0 %s", session_may_authenticate(s) ? "Authenticate first" : "STARTTLS first");
    return false;
}

/* What MAIL asks, with its times as moments. */
static struct envelope asked_envelope(struct session *s, const struct smtp_mail_parameters *p)
{
    struct envelope asked = p->asked;
    int64_t now = clock_wall();
    if (asked.by != ENVELOPE_BY_NONE)
        asked.deliver_by = now + p->by_s > 0 ? now + p->by_s : 0;
    if (p->hold_for_s > 0)
        asked.hold_until = now + p->hold_for_s;
    asked.submitter = s->is_authenticated ? s->user.account : 0;
    asked.uid = session_is_local(s) ? (int64_t)s->connection.uid : -1;
    asked.id = arena_copy(&s->transaction.arena, asked.id);
    return asked;
}

/* RFC 6710 section 4: a stranger's mail may wait, but not overtake our users'. */
static bool lower_priority(const struct session *s, struct envelope *asked)
{
    bool is_too_high = asked->priority > 0 && !s->is_authenticated && !session_is_lmtp(s);
    if (is_too_high)
        asked->priority = 0;
    return is_too_high;
}

/* --- what stands in the way of a transaction: each answers, if it does --- */

static bool is_short(struct session *s, const struct smtp_command *c)
{
    (void)c;
    if (s->transaction.sender.n <= ADDRESS_MAX)
        return true;
    session_error(s, "501 5.1.7 An address may have %d bytes", ADDRESS_MAX);
    return false;
}

static bool is_small(struct session *s, const struct smtp_command *c)
{
    if (!c->mail.has_size || c->mail.size <= s->config->message_size_max)
        return true;
    session_refuse(s, STR(""), "552 5.3.4 A message may have %llu bytes here",
                   (unsigned long long)s->config->message_size_max);
    return false;
}

static bool is_held_in_bounds(struct session *s, const struct smtp_command *c)
{
    (void)c;
    if (s->transaction.asked.hold_until <= clock_wall() + s->config->hold_most_s)
        return true;
    session_error(s, "501 5.5.4 A message may be held for %u seconds", s->config->hold_most_s);
    return false;
}

static bool is_wanted(struct session *s, const struct smtp_command *c)
{
    struct str class = solicit_unwanted(c->mail.solicit, s->config->unwanted_advertising);
    if (class.n == 0)
        return true;
    session_refuse(s, STR(""), "550 5.7.1 Advertising of the kind %.*s is not wanted here", STR_ARGS(class));
    return false;
}

/* RFC 6409 section 6.1. The null reverse-path is a client's too: it sends read receipts (RFC 8098). */
static bool is_theirs(struct session *s, const struct smtp_command *c)
{
    struct err e = ERR_INIT;
    struct smtp_transaction *t = &s->transaction;
    struct directory_sender their;
    (void)c;
    t->right = DIRECTORY_SEND_AS;
    if (!s->is_authenticated || t->sender.n == 0)
        return true;
    if (!ask_sender(s, t->plain_sender, &their, &e)) {
        session_refuse(s, STR(""), "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    s->settings = their.settings;
    t->asked.language = their.settings.language;
    if (session_is_local(s))
        return local_may_send_as(s, t->plain_sender);
    t->right = their.right;
    if (their.right == DIRECTORY_SEND_NOT)
        session_refuse(
            s, STR(""),
            "553 5.7.1 <%.*s> is not an address of %s: send as one that is, or have this one added "
            "(golub address add, golub account send-as)",
            STR_ARGS(t->sender), s->user.address);
    return their.right != DIRECTORY_SEND_NOT;
}

static bool is_let(struct session *s, const struct smtp_command *c)
{
    (void)c;
    return guard_lets_mail(s);
}

static bool (*const MAIL_CHECKS[])(struct session *s, const struct smtp_command *c) = {
    is_short, is_small, is_held_in_bounds, is_wanted, is_theirs, is_let,
};

void smtp_mail(struct session *s, const struct smtp_command *c)
{
    struct smtp_transaction *t = &s->transaction;
    if (!may_send(s))
        return;
    if (t->is_open) {
        session_error(s, "503 5.5.1 A message is under way; RSET forgets it");
        return;
    }
    t->id = smtp_id_new();
    t->sender = smtp_path_text(&c->path, &t->arena);
    t->plain_sender = session_plain_address(&c->path, &t->arena);
    t->size = c->mail.has_size ? c->mail.size : 0;
    t->asked = asked_envelope(s, &c->mail);
    t->solicit = arena_copy(&t->arena, c->mail.solicit);
    t->wants_each = c->mail.is_prdr;
    bool is_lowered = lower_priority(s, &t->asked);
    for (size_t i = 0; i < sizeof MAIL_CHECKS / sizeof *MAIL_CHECKS; i++)
        if (!MAIL_CHECKS[i](s, c)) {
            session_forget_transaction(s);
            return;
        }
    t->is_open = true;
    session_reply(s, is_lowered ? "250 2.3.6 0 is the new priority" : "250 2.1.0 OK");
}
