/* Groups: who may write to an alias. Strangers' senders are easily forged, so an address in a domain of ours
 * counts only for somebody who has logged in. */
#include "directory/walk.h"

DIRECTORY_STATEMENT(IS_POSTER, "SELECT 1 FROM alias_poster WHERE alias = $1 AND key IN ($2, $3)");

static bool is_member(const struct walk *w, struct str sender)
{
    struct arena *a = w->a;
    for (size_t i = 0; i < w->out->count; i++) {
        const struct directory_target *t = &w->out->targets[i];
        struct directory_address read;
        struct err why = ERR_INIT;
        if (t->is_local ? w->question->user != 0 && t->account == w->question->user
                        : sender.n > 0 && directory_address_read(t->address, a, &read, &why) &&
                              str_eq(read.key, sender))
            return true;
    }
    return false;
}

/* The sender's key, "" where it does not count. */
static bool read_sender(struct walk *w, struct directory_address *out)
{
    struct err why = ERR_INIT;
    struct home home;
    *out = (struct directory_address){.key = STR(""), .domain = STR("")};
    if (!directory_address_read(w->question->sender, w->a, out, &why))
        return true;
    int ours = w->question->user != 0 ? 0 : walk_home(w, out->domain, &home);
    if (ours > 0 && !home.is_backup)
        *out = (struct directory_address){.key = STR(""), .domain = STR("")};
    return ours >= 0;
}

static bool is_listed(struct walk *w, const struct place *p, const struct directory_address *sender, bool *is)
{
    int64_t one;
    struct str domain = arena_printf(w->a, "@%.*s", STR_ARGS(sender->domain));
    *is = false;
    if (sender->key.n == 0)
        return true;
    int found = sql_one_int(w->db->sql, &IS_POSTER,
                            SQL(sql_int(p->alias), sql_text(sender->key), sql_text(domain)), &one, w->e);
    *is = found > 0;
    return found >= 0;
}

/* "its members, our accounts, certain addresses" */
static struct str who(unsigned post, struct arena *a)
{
    return arena_printf(a, "%s%s%s%s%s", post & DIRECTORY_POST_MEMBERS ? "its members" : "",
                        (post & DIRECTORY_POST_MEMBERS) && (post & ~DIRECTORY_POST_MEMBERS) ? ", " : "",
                        post & DIRECTORY_POST_ACCOUNTS ? "our users" : "",
                        (post & DIRECTORY_POST_ACCOUNTS) && (post & DIRECTORY_POST_LISTED) ? ", " : "",
                        post & DIRECTORY_POST_LISTED ? "certain addresses" : "");
}

bool walk_may_post(struct walk *w, const struct place *p, bool *may)
{
    struct directory_address sender;
    const struct directory_question *q = w->question;
    *may = true;
    if (p->post == 0 || !q->is_mail)
        return true;
    w->out->is_for_sender = true;
    if (!read_sender(w, &sender))
        return false;
    *may = ((p->post & DIRECTORY_POST_ACCOUNTS) && q->user != 0) ||
           ((p->post & DIRECTORY_POST_MEMBERS) && is_member(w, sender.key));
    if (!*may && (p->post & DIRECTORY_POST_LISTED) && !is_listed(w, p, &sender, may))
        return false;
    struct str whom = who(p->post, w->a);
    directory_trail_add(w->trail, "only %.*s may write to %.*s: %.*s%s may%s", STR_ARGS(whom),
                        STR_ARGS(p->key), STR_ARGS(q->sender.n ? q->sender : STR("<>")),
                        q->user != 0 ? ", logged in," : ", not logged in,", *may ? "" : " not");
    if (!*may)
        w->refusal = arena_printf(w->a, "5.7.2 only %.*s may write to this address", STR_ARGS(whom));
    return true;
}
