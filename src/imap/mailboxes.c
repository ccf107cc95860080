/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 section 6.3). */
#include "imap/rights.h"
#include "imap/roles.h"
#include "imap/shared.h"

/* --- CREATE, with the use of RFC 6154 section 3 --- */

/* "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"; *is_known: a mailbox can be made for that use. */
static bool take_use(struct imap_cursor *c, enum mailbox_role *role, bool *is_known)
{
    *role = MAILBOX_NO_ROLE;
    *is_known = true;
    if (!imap_take_byte(c, '(') || !imap_take_word(c, STR("USE")) || !imap_take_space(c) ||
        !imap_take_byte(c, '('))
        return false;
    for (size_t n = 0; imap_peek(c) != ')'; n++) {
        struct str use;
        if ((n > 0 && !imap_take_space(c)) || !imap_take_byte(c, '\\') || !imap_take_atom(c, &use))
            return false;
        *is_known = n == 0 && imap_role_of_use(use, role); /* a mailbox has one role at most */
    }
    return imap_take_byte(c, ')') && imap_take_byte(c, ')');
}

static bool is_role_taken(const struct mailbox_list *list, enum mailbox_role role)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].role == role)
            return true;
    return false;
}

enum imap_status imap_do_create(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    enum mailbox_role role = MAILBOX_NO_ROLE;
    bool is_known = true;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name))
        return imap_bad_syntax(s, c);
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !take_use(c, &role, &is_known)))
        return imap_bad_syntax(s, c);
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    if (role != MAILBOX_NO_ROLE && !s->is_owner)
        return imap_no(s, "[NOPERM] Only the owner says what mailboxes are for");
    if (role != MAILBOX_NO_ROLE && is_known) {
        struct mailbox_list list;
        enum store_result r = store_mailbox_list(s->store, &s->arena, &list, &e);
        if (r != STORE_OK)
            return imap_no_store(s, r, &e);
        is_known = !is_role_taken(&list, role);
    }
    if (!is_known)
        return imap_no(s, "[USEATTR] A mailbox for that use cannot be made, or there is one already");
    struct mailbox made;
    enum store_result r = imap_may_create(s, name, &e);
    if (r == STORE_OK)
        r = store_mailbox_create(s->store, name, role, &e);
    if (r == STORE_OK)
        r = store_mailbox_find(s->store, name, &s->arena, &made, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (s->enabled & ENABLED_IMAP4REV2 && !str_eq(made.name, name)) /* RFC 9051 section 6.3.4 */
        imap_tell_name(s, made.name, name);
    return imap_ok(s, "[%.*s] Mailbox created", STR_ARGS(imap_mailbox_id_code(s, made.id)));
}

/* --- the others --- */

enum imap_status imap_do_delete(struct imap_session *s, struct imap_cursor *c)
{
    struct str name;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    struct mailbox m;
    enum store_result r = imap_find(s, name, RIGHT_DELETE_MAILBOX, &m, NULL, &e);
    if (r == STORE_OK)
        r = store_mailbox_delete(s->store, name, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (s->is_selected && m.id == s->mailbox)
        imap_deselect(s); /* other sessions are told BYE */
    return imap_ok(s, "Mailbox deleted");
}

enum imap_status imap_do_rename(struct imap_session *s, struct imap_cursor *c)
{
    struct str from, to;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &from) || !imap_take_space(c) ||
        !imap_take_mailbox(s, c, &to) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct err e = ERR_INIT;
    struct mailbox m;
    enum store_result r = imap_find(s, from, RIGHT_DELETE_MAILBOX, &m, NULL, &e);
    if (r == STORE_OK)
        r = imap_may_create(s, to, &e);
    if (r == STORE_OK)
        r = store_mailbox_rename(s->store, from, to, &e);
    return r == STORE_OK ? imap_ok(s, "Mailbox renamed") : imap_no_store(s, r, &e);
}

/* A guest's subscriptions are kept in the guest's own account; here they are known as long as it is. */
static enum imap_status subscribe_guest(struct imap_session *s, struct str name, bool subscribed)
{
    struct str line = arena_printf(&s->arena, "\n%.*s\n", STR_ARGS(name));
    struct str all = buf_str(&s->subscribed);
    size_t at = all.n > 0 ? str_find(all, line) : STR_NONE;
    if (subscribed && at == STR_NONE)
        buf_add(&s->subscribed, all.n > 0 ? str_from_offset(line, 1) : line);
    if (!subscribed && at != STR_NONE) {
        struct str rest = arena_copy(&s->arena, str_from_offset(all, at + line.n - 1));
        s->subscribed.n = at;
        buf_add(&s->subscribed, rest);
    }
    return imap_ok(s, subscribed ? "Subscribed" : "Unsubscribed");
}

bool imap_is_subscribed(struct imap_session *s, const struct mailbox *m)
{
    if (s->is_owner)
        return m->subscribed;
    struct str line = arena_printf(&s->arena, "\n%.*s\n", STR_ARGS(m->name));
    return str_find(buf_str(&s->subscribed), line) != STR_NONE;
}

static enum imap_status subscribe(struct imap_session *s, struct imap_cursor *c, bool subscribed)
{
    struct str name;
    if (!imap_take_space(c) || !imap_take_mailbox(s, c, &name) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (!s->is_owner)
        return s->is_from_afar
                   ? subscribe_guest(s, name, subscribed)
                   : imap_no(s, "[NOPERM] Only the owner of these mailboxes subscribes to them here");
    struct err e = ERR_INIT;
    enum store_result r = store_subscribe(s->store, name, subscribed, &e);
    return r == STORE_OK ? imap_ok(s, subscribed ? "Subscribed" : "Unsubscribed") : imap_no_store(s, r, &e);
}

enum imap_status imap_do_subscribe(struct imap_session *s, struct imap_cursor *c)
{
    return subscribe(s, c, true);
}

enum imap_status imap_do_unsubscribe(struct imap_session *s, struct imap_cursor *c)
{
    return subscribe(s, c, false);
}
