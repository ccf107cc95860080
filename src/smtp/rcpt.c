/* RCPT: whom the message is for, and where that leads. */
#include "smtp/ask.h"
#include "smtp/local.h"

#include <string.h>

/* --- no --- */

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

/* --- yes --- */

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
    t->rewrites = t->rewrites || answer->rewrites;
    if (answer->sender.n > 0)
        t->sender = smtp_address_text(answer->sender, &t->arena);
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

/* --- which --- */

/* Nothing stands in the way of another recipient of this name; else it is answered. */
static bool may_have_another(struct session *s, const struct smtp_command *c, struct str recipient)
{
    const struct smtp_transaction *t = &s->transaction;
    if (!t->is_open)
        session_error(s, "503 5.5.1 MAIL first");
    else if (t->chunks || t->has_lost_chunk)
        session_error(s, "503 5.5.1 The message is on its way already");
    else if (t->recipient_count >= s->config->recipients_max) /* RFC 5321 section 4.5.3.1.10 */
        session_reply(s, "452 4.5.3 Too many recipients for one message; send again to the rest");
    else if (!t->asked.is_utf8 && !smtp_path_is_ascii(&c->path)) /* RFC 6531 section 3.4 */
        session_error(s, "553 5.6.7 An address beyond ASCII needs SMTPUTF8 in MAIL");
    else if (recipient.n > ADDRESS_MAX)
        session_error(s, "501 5.1.3 An address may have %d bytes", ADDRESS_MAX);
    else
        return guard_lets_rcpt(s);
    return false;
}

/* Mail for root goes to postmaster, where a program of this machine sends it and nobody has said otherwise.
 */
static bool leads_to_postmaster(struct session *s, struct str plain, struct directory_answer *answer)
{
    struct err e = ERR_INIT;
    return local_is_roots(s, plain) &&
           directory_resolve(s->server->directory, STR("postmaster"), &s->command, answer, &e) &&
           answer->fate == DIRECTORY_LOCAL;
}

void smtp_rcpt(struct session *s, const struct smtp_command *c)
{
    struct directory_answer answer, postmaster;
    struct err e = ERR_INIT;
    struct str recipient = smtp_path_text(&c->path, &s->command);
    struct str plain = session_plain_address(&c->path, &s->command);
    if (!may_have_another(s, c, recipient))
        return;
    if (!ask_recipient(s, plain, &answer, &e)) {
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
        if (leads_to_postmaster(s, plain, &postmaster))
            accept_recipient(s, &postmaster, recipient, &c->rcpt);
        else
            refuse_as_told(s, recipient, answer.reply);
        break;
    case DIRECTORY_LOOP: refuse_recipient(s, recipient, "550 5.4.6", e.text); break;
    case DIRECTORY_REFUSED: refuse_as_told(s, recipient, answer.reply); break;
    }
}
