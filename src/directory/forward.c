/* Under which sender mail goes on, and how what comes back to it finds its way: SRS, and the maps that make
 * one address of another (Postfix calls them canonical). */
#include "base/clock.h"
#include "directory/srs.h"
#include "directory/walk.h"

#include <string.h>

DIRECTORY_STATEMENT(CANONICAL_FIND,
                    "SELECT coalesce((SELECT target FROM canonical WHERE kind = $1 AND key = $2),"
                    " (SELECT target FROM canonical WHERE kind = $1 AND key = $3), '')");

/* --- canonical maps --- */

/* "@domain" changes the domain alone. */
static bool apply(const struct directory_address *from, struct str target, struct arena *a,
                  struct directory_address *to, struct err *e)
{
    if (target.n > 0 && target.p[0] == '@')
        target = arena_printf(a, "%.*s%.*s", STR_ARGS(from->local), STR_ARGS(target));
    return directory_address_read(target, a, to, e);
}

int directory_db_canonical(struct directory_db *db, enum directory_canonical kind,
                           const struct directory_address *address, struct arena *a,
                           struct directory_address *to, struct err *e)
{
    struct sql_rows rows;
    struct str of_domain = arena_printf(a, "@%.*s", STR_ARGS(address->domain)), target = STR("");
    if (!sql_query(db->sql, &CANONICAL_FIND, SQL(sql_int(kind), sql_text(address->key), sql_text(of_domain)),
                   &rows, e))
        return -1;
    if (sql_next(&rows))
        target = arena_copy(a, sql_get_str(&rows, 0));
    if (!sql_end(&rows, e))
        return -1;
    if (target.n == 0)
        return 0;
    return apply(address, target, a, to, e) ? 1 : -1;
}

static int rewrite_sender(struct walk *w)
{
    struct directory_address sender, to;
    struct err why = ERR_INIT;
    if (!w->question->is_mail || !directory_address_read(w->sender, w->a, &sender, &why))
        return 0;
    int found = directory_db_canonical(w->db, DIRECTORY_CANONICAL_SENDER, &sender, w->a, &to, w->e);
    if (found > 0) {
        directory_trail_add(w->trail, "the sender %.*s becomes %.*s (golub rewrite)", STR_ARGS(sender.key),
                            STR_ARGS(to.key));
        w->sender = w->out->sender = to.whole;
    }
    return found;
}

int walk_canonical(struct walk *w, const struct directory_address *address, struct directory_address *to)
{
    w->is_canonical = true;
    if (rewrite_sender(w) < 0)
        return -1;
    int found = directory_db_canonical(w->db, DIRECTORY_CANONICAL_RECIPIENT, address, w->a, to, w->e);
    if (found > 0)
        directory_trail_add(w->trail, "%.*s becomes %.*s (golub rewrite)", STR_ARGS(address->key),
                            STR_ARGS(to->key));
    return found;
}

/* --- SRS --- */

static struct srs srs_of(const struct walk *w)
{
    return (struct srs){str_from(w->db->srs_key, sizeof w->db->srs_key), SRS_HASH_CHARS, w->now};
}

/* Ours passes SPF for this server already. */
static bool is_sender_ours(struct walk *w, bool *is)
{
    struct directory_address sender;
    struct home home = {0};
    struct err why = ERR_INIT;
    if (w->sender_is == SENDER_UNSEEN) {
        size_t at = str_rfind_byte(w->sender, '@');
        struct str domain = str_from_offset(w->sender, at == STR_NONE ? w->sender.n : at + 1);
        bool is_domain = directory_domain_read(domain, w->a, &sender.domain, &why);
        int ours = is_domain ? walk_home(w, sender.domain, &home) : 0;
        if (ours < 0)
            return false;
        w->sender_is = ours > 0 && !home.is_backup ? SENDER_OURS : SENDER_FOREIGN;
    }
    *is = w->sender_is == SENDER_OURS;
    return true;
}

bool walk_forward_sender(struct walk *w, struct str *out)
{
    struct srs srs = srs_of(w);
    bool is_ours;
    *out = STR("");
    if (!w->question->is_mail)
        return true;
    w->out->is_for_sender = true;
    if (w->sender.n == 0)
        return true;
    if (!is_sender_ours(w, &is_ours))
        return false;
    if (!is_ours && !srs_forward(&srs, w->sender, w->via, w->a, out))
        *out = STR("");
    if (out->n > 0)
        directory_trail_add(w->trail, "the sender becomes %.*s (SRS)", STR_ARGS(*out));
    return true;
}

int walk_take_srs(struct walk *w, struct str address, struct str *back)
{
    struct str domain;
    struct home home;
    struct err why = ERR_INIT;
    size_t at = str_rfind_byte(address, '@');
    if (at == STR_NONE || !str_starts_nocase(address, STR("SRS")) ||
        !directory_domain_read(str_from_offset(address, at + 1), w->a, &domain, &why))
        return 0;
    struct srs srs = srs_of(w);
    enum srs_result r = srs_reverse(&srs, str_slice(address, 0, at), w->a, back);
    if (r == SRS_NONE)
        return 0;
    int ours = walk_home(w, domain, &home);
    if (ours <= 0)
        return ours;
    w->via = domain;
    if (r == SRS_GOOD)
        directory_trail_add(w->trail, "a return address that this server made: back to %.*s",
                            STR_ARGS(*back));
    else
        w->refusal = r == SRS_EXPIRED ? STR("5.1.1 this return address is too old")
                                      : STR("5.1.1 this return address was not made here");
    return r == SRS_GOOD;
}
