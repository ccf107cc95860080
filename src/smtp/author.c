/* What of a submission's header hangs on who sends it: addresses become others where canonical maps say so,
 * and who writes on behalf of somebody else is named in a Sender field (RFC 5322 section 3.6.2). Whether the
 * author may be written at all is asked when the message is whole (transaction.c). */
#include "base/log.h"
#include "message/address.h"
#include "message/header.h"
#include "smtp/ask.h"

#include <string.h>

#define REWRITES_MAX 200 /* different addresses of one header that are looked up; further ones stay */

struct look {
    struct session *s;
    struct arena *arena;
    struct rewrite *v;
    size_t n;
    bool is_on_behalf, has_own_sender;
};

static struct str plain_of(const struct look *l, const struct address *a)
{
    return arena_printf(l->arena, "%.*s@%.*s", STR_ARGS(a->local), STR_ARGS(a->domain));
}

/* --- canonical maps --- */

static bool is_known(const struct look *l, enum rewrite_class of, struct str from)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].of == of && str_eq_nocase(l->v[i].from, from))
            return true;
    return false;
}

static void look_up(struct look *l, enum rewrite_class of, const struct address *a)
{
    const struct smtp_path path = {a->local, a->domain};
    struct str from = smtp_path_text(&path, l->arena), to;
    struct err e = ERR_INIT;
    if (l->n == REWRITES_MAX || is_known(l, of, from))
        return;
    enum directory_canonical kind =
        of == REWRITE_SENDERS ? DIRECTORY_CANONICAL_SENDER : DIRECTORY_CANONICAL_RECIPIENT;
    if (!directory_canonical(l->s->server->directory, kind, plain_of(l, a), l->arena, &to, &e)) {
        LOG_WARNING("message.not_rewritten", F_C("id", l->s->transaction.id.hex), F_STR("address", from),
                    F_C("error", e.text));
        to = STR("");
    }
    l->v[l->n++] = (struct rewrite){of, from, to.n > 0 ? smtp_address_text(to, l->arena) : from};
}

/* --- on behalf --- */

static void look_at_author(struct look *l, const struct address *a)
{
    const struct session *s = l->s;
    struct directory_sender their = {.right = DIRECTORY_SEND_NOT};
    struct err e = ERR_INIT;
    struct str plain = plain_of(l, a);
    if (str_eq_nocase(plain, str_from_c(s->user.address)))
        return;
    if (str_eq_nocase(plain, s->transaction.plain_sender))
        their.right = s->transaction.right;
    else if (!ask_sender(l->s, plain, &their, &e))
        return; /* transaction.c asks again, and refuses */
    l->is_on_behalf = l->is_on_behalf || their.right == DIRECTORY_SEND_ON_BEHALF;
}

static void look_at_sender(struct look *l, const struct address *a)
{
    if (str_eq_nocase(plain_of(l, a), str_from_c(l->s->user.address)))
        l->has_own_sender = true;
}

/* --- the header --- */

static void look_at_field(struct look *l, const struct header_field *f)
{
    enum rewrite_class of = rewrite_class(f->name);
    bool is_about_author = str_eq_nocase(f->name, STR("From")) || str_eq_nocase(f->name, STR("Sender"));
    if (of == REWRITE_NONE || (!is_about_author && !l->s->transaction.rewrites))
        return;
    struct address_list list = address_parse_list(header_unfold(f->value, l->arena), l->arena);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *a = &list.v[i];
        if (a->group_start || a->group_end || a->domain.n == 0)
            continue;
        if (str_eq_nocase(f->name, STR("From")))
            look_at_author(l, a);
        if (str_eq_nocase(f->name, STR("Sender")))
            look_at_sender(l, a);
        if (l->s->transaction.rewrites)
            look_up(l, of, a);
    }
}

void smtp_complete_header(void *session, struct str header, struct submission_fix *fix)
{
    struct session *s = session;
    struct look l = {.s = s, .arena = &s->transaction.arena};
    struct header_field f;
    l.v = ARENA_ARRAY(l.arena, struct rewrite, s->transaction.rewrites ? REWRITES_MAX : 1);
    while (header_next(&header, &f))
        look_at_field(&l, &f);
    if (l.is_on_behalf && !l.has_own_sender)
        fix->sender = smtp_address_text(str_from_c(s->user.address), l.arena);
    fix->rewrites = l.v;
    fix->rewrite_count = l.n;
}
