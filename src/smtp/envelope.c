/* MAIL and RCPT: who may send as whom, to whom. */
#include "base/generation.h"
#include "base/log.h"
#include "smtp/local.h"
#include "smtp/recent.h"
#include "smtp/session.h"
#include "smtp/solicit.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static struct smtp_id new_id(void)
{
    struct smtp_id id = {0};
    while (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
        if (errno != EINTR)
            log_die("smtp.random", "getrandom failed: errno %d", errno);
    str_write_hex(id.bytes, sizeof id.bytes, id.hex);
    return id;
}

/* Mail clients must show who they are, on their ports; on 25 it is theirs to choose. */
static bool may_send(struct session *s)
{
    if (s->is_authenticated || !session_is_submission_port(s))
        return true;
    session_error(s, "530 5.7.0 %s", session_may_authenticate(s) ? "Authenticate first" : "STARTTLS first");
    return false;
}

static struct recent_moment moment(const struct session *s)
{
    return (struct recent_moment){clock_ms(), generation_now(s->server->changes)};
}

bool smtp_sender(struct session *s, struct str plain, struct directory_sender *out, struct err *e)
{
    struct recent *recent = session_is_local(s) ? NULL : s->server->recent;
    struct recent_moment now = moment(s);
    int64_t account = s->user.account;
    if (recent && recent_find_sender(recent, account, plain, now, out))
        return true;
    if (!directory_sender(s->server->directory, account, plain, out, e))
        return false;
    if (recent)
        recent_note_sender(recent, account, plain, now, out);
    return true;
}

/* RFC 6409 section 6.1. The null reverse-path is a client's too: it sends read receipts (RFC 8098). */
static bool is_their_sender(struct session *s, const struct smtp_path *path, struct str sender)
{
    struct err e = ERR_INIT;
    struct directory_sender their = {.right = DIRECTORY_SEND_AS};
    struct str plain = session_plain_address(path, &s->command);
    s->transaction.right = DIRECTORY_SEND_AS;
    if (!s->is_authenticated || sender.n == 0)
        return true;
    if (!smtp_sender(s, plain, &their, &e)) {
        session_refuse(s, STR(""), "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    s->settings = their.settings;
    s->transaction.asked.language = their.settings.language;
    if (session_is_local(s))
        return local_may_send_as(s, plain);
    s->transaction.right = their.right;
    if (their.right == DIRECTORY_SEND_NOT)
        session_refuse(
            s, STR(""),
            "553 5.7.1 <%.*s> is not an address of %s: send as one that is, or have this one added "
            "(golub address add, golub account send-as)",
            STR_ARGS(sender), s->user.address);
    return their.right != DIRECTORY_SEND_NOT;
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

static bool is_theirs(struct session *s, const struct smtp_command *c)
{
    return is_their_sender(s, &c->path, s->transaction.sender);
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
    t->id = new_id();
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

/* --- recipients --- */

static void refuse_recipient(struct session *s, struct str recipient, const char *status, const char *words)
{
    session_refuse(s, recipient, "%s <%.*s>: %s", status, STR_ARGS(recipient), words);
    if (++s->refusals > SMTP_REFUSALS_MAX)
        session_goodbye(s, "421 4.7.0 Too many refused recipients");
    else
        guard_recipient_refused(s);
}

/* `reply` is the directory's: "5.7.2 only its members may ..." */
static void refuse_as_told(struct session *s, struct str recipient, struct str reply)
{
    struct str words = reply, status;
    bool has_words = str_cut(&words, ' ', &status) && str_starts(status, STR("5."));
    refuse_recipient(s, recipient,
                     arena_printf(&s->command, "550 %.*s", STR_ARGS(has_words ? status : STR("5.1.1"))).p,
                     has_words ? arena_copy_c(&s->command, words) : "no such address here");
}

/* Room for one more in an array of the transaction, whose elements have `size` bytes. */
static void *grow(struct arena *a, void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 4;
    void *more = arena_new(a, *room, size);
    if (count > 0)
        memcpy(more, array, count * size);
    return more;
}

static void add_target(struct smtp_transaction *t, const struct directory_target *to, size_t recipient)
{
    t->targets = grow(&t->arena, t->targets, t->target_count, &t->target_room, sizeof *t->targets);
    t->targets[t->target_count++] = (struct smtp_target){
        .to = {.is_local = to->is_local,
               .account = to->account,
               .address = arena_copy(&t->arena, to->address),
               .detail = arena_copy(&t->arena, to->detail),
               .sender = arena_copy(&t->arena, to->sender)},
        .recipient = recipient,
    };
}

/* What canonical maps make of the sender (golub rewrite); the directory says it with each recipient. */
static void take_sender(struct smtp_transaction *t, const struct directory_answer *answer)
{
    size_t at = str_rfind_byte(answer->sender, '@');
    t->rewrites = t->rewrites || answer->rewrites;
    if (at == STR_NONE)
        return;
    const struct smtp_path path = {str_slice(answer->sender, 0, at), str_from_offset(answer->sender, at + 1)};
    t->sender = arena_copy(&t->arena, smtp_path_text(&path, &t->arena));
}

/* Only what is accepted takes memory of the transaction. */
static void accept_recipient(struct session *s, const struct directory_answer *answer, struct str recipient,
                             const struct envelope_recipient *asked)
{
    struct smtp_transaction *t = &s->transaction;
    if (t->target_count + answer->count > SMTP_TARGETS_MAX) {
        session_reply(s, "452 4.5.3 The recipients lead to too many addresses; send again to the rest");
        return;
    }
    take_sender(t, answer);
    for (size_t i = 0; i < answer->count; i++)
        add_target(t, &answer->targets[i], t->recipient_count);
    t->recipients =
        grow(&t->arena, t->recipients, t->recipient_count, &t->recipient_room, sizeof *t->recipients);
    t->recipients[t->recipient_count++] = (struct smtp_recipient){
        .address = arena_copy(&t->arena, recipient),
        .asked = {.notify = asked->notify, .original = arena_copy(&t->arena, asked->original)},
        .targets = answer->count,
    };
    session_reply(s, "250 2.1.5 OK");
}

/* A mailbox that is full says so before the message comes, where it is the only one that the address leads
 * to: of several, those with room shall have it. */
static bool has_room(struct session *s, const struct directory_answer *answer, struct str recipient,
                     struct str plain)
{
    const struct directory_target *to = answer->targets;
    if (answer->count != 1 || !to->is_local || !to->has_quota)
        return true;
    struct delivery_recipient r = {
        .account = to->account, .address = to->address, .original = plain, .detail = to->detail};
    if (delivery_has_room(s->server->delivery, &r, s->transaction.size))
        return true;
    refuse_recipient(s, recipient, r.fate == DELIVERY_TEMPORARY ? "452 4.2.2" : "552 5.2.2",
                     "this mailbox is full");
    return false;
}

static bool resolve(struct session *s, struct str address, struct directory_answer *answer, struct err *e)
{
    struct recent *recent = s->server->recent;
    struct recent_moment now = moment(s);
    const struct directory_question question = {
        .address = address,
        .sender = s->transaction.plain_sender,
        .user = s->is_authenticated ? s->user.account : 0,
        .is_mail = true,
    };
    if (recent && recent_find(recent, address, now, &s->command, answer))
        return true;
    if (!directory_ask(s->server->directory, &question, &s->command, answer, e))
        return false;
    if (recent)
        recent_note(recent, address, now, answer);
    return true;
}

void smtp_rcpt(struct session *s, const struct smtp_command *c)
{
    struct directory_answer answer;
    struct err e = ERR_INIT;
    if (!s->transaction.is_open) {
        session_error(s, "503 5.5.1 MAIL first");
        return;
    }
    if (s->transaction.chunks || s->transaction.has_lost_chunk) {
        session_error(s, "503 5.5.1 The message is on its way already");
        return;
    }
    if (s->transaction.recipient_count >= s->config->recipients_max) { /* RFC 5321 section 4.5.3.1.10 */
        session_reply(s, "452 4.5.3 Too many recipients for one message; send again to the rest");
        return;
    }
    if (!s->transaction.asked.is_utf8 && !smtp_path_is_ascii(&c->path)) { /* RFC 6531 section 3.4 */
        session_error(s, "553 5.6.7 An address beyond ASCII needs SMTPUTF8 in MAIL");
        return;
    }
    struct str recipient = smtp_path_text(&c->path, &s->command);
    struct str plain = session_plain_address(&c->path, &s->command);
    if (recipient.n > ADDRESS_MAX) {
        session_error(s, "501 5.1.3 An address may have %d bytes", ADDRESS_MAX);
        return;
    }
    if (!guard_lets_rcpt(s))
        return;
    if (!resolve(s, plain, &answer, &e)) {
        session_refuse(s, recipient, "451 4.3.0 %s; try again later", e.text);
        return;
    }
    switch (answer.fate) {
    case DIRECTORY_LOCAL:
        if (has_room(s, &answer, recipient, plain))
            accept_recipient(s, &answer, recipient, &c->rcpt);
        break;
    case DIRECTORY_REMOTE:
        if (s->is_authenticated)
            accept_recipient(s, &answer, recipient, &c->rcpt);
        else
            refuse_recipient(s, recipient, "550 5.7.1",
                             "not an address of this server, and you are not its user");
        break;
    case DIRECTORY_UNKNOWN:
        if (local_is_roots(s, plain) &&
            directory_resolve(s->server->directory, STR("postmaster"), &s->command, &answer, &e) &&
            answer.fate == DIRECTORY_LOCAL) {
            accept_recipient(s, &answer, recipient, &c->rcpt);
            break;
        }
        refuse_as_told(s, recipient, answer.reply);
        break;
    case DIRECTORY_LOOP: refuse_recipient(s, recipient, "550 5.4.6", e.text); break;
    case DIRECTORY_REFUSED: refuse_as_told(s, recipient, answer.reply); break;
    }
}
