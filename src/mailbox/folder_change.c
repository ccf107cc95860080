/* Mailboxes made, deleted and renamed: RFC 9051 sections 6.3.4 to 6.3.6. Every parent of a mailbox is a
 * mailbox itself, perhaps one that cannot be selected. */
#include "base/clock.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(BY_NAME, "SELECT id, selectable FROM mailbox WHERE name = $1 AND id > 0");
MAIL_STATEMENT(WITH_ROLE, "SELECT id FROM mailbox WHERE role = $1");
MAIL_STATEMENT(
    INSERT,
    "INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, highestmodseq, "
    "messages,"
    " unseen, deleted, size) VALUES($1, $2, $3, 1, $4, 1, 1, $5, 0, 0, 0, 0)");
MAIL_STATEMENT(SET_SELECTABLE,
               "UPDATE mailbox SET selectable = $2, role = $3, highestmodseq = $4 WHERE id = $1");
MAIL_STATEMENT(DELETE, "DELETE FROM mailbox WHERE id = $1");
MAIL_STATEMENT(HAS_CHILDREN, "SELECT 1 FROM mailbox WHERE name > $1 || '/' AND name < $1 || '0' LIMIT 1");
MAIL_STATEMENT(CHILD_NAMES, "SELECT name FROM mailbox WHERE name > $1 || '/' AND name < $1 || '0'");
MAIL_STATEMENT(RENAME, "UPDATE mailbox SET name = $2 WHERE name = $1");
MAIL_STATEMENT(RENAME_CHILDREN, "UPDATE mailbox SET name = $2 || substr(name, CAST($3 AS INTEGER)) WHERE "
                                "name > $1 || '/' AND name < $1 || '0'");

static const struct str INBOX = STR_INIT("INBOX");

static enum store_result no_such(struct str name, struct err *e)
{
    err_set(e, ERR_PERMANENT, "there is no mailbox \"%.*s\"", STR_ARGS(name));
    return STORE_NONE;
}

static enum store_result exists(struct str name, struct err *e)
{
    err_set(e, ERR_PERMANENT, "there is a mailbox \"%.*s\" already", STR_ARGS(name));
    return STORE_EXISTS;
}

static enum store_result invalid(struct err *e, const char *why)
{
    err_set(e, ERR_PERMANENT, "%s", why);
    return STORE_INVALID;
}

static enum store_result find(struct change *ch, struct str name, int64_t *id, bool *selectable,
                              struct err *e)
{
    struct sql_rows rows;
    *id = 0;
    *selectable = false;
    if (!sql_query(ch->db, &BY_NAME, SQL(sql_text(name)), &rows, e))
        return STORE_FAILED;
    bool found = sql_next(&rows);
    if (found) {
        *id = sql_get_int(&rows, 0);
        *selectable = sql_get_int(&rows, 1) != 0;
    }
    if (!sql_end(&rows, e))
        return STORE_FAILED;
    return found ? STORE_OK : no_such(name, e);
}

/* 1, 0, or -1 with the words. */
static int has_children(struct change *ch, struct str name, struct err *e)
{
    int64_t one;
    return sql_one_int(ch->db, &HAS_CHILDREN, SQL(sql_text(name)), &one, e);
}

/* --- making --- */

/* Greater than every earlier one, so that a name that comes again never looks like the old mailbox
 * (RFC 9051 section 2.3.1.1). */
static uint32_t next_uidvalidity(struct change *ch)
{
    uint32_t now = (uint32_t)clock_wall();
    ch->root.uidvalidity = ch->root.uidvalidity >= now ? ch->root.uidvalidity + 1 : now;
    return ch->root.uidvalidity;
}

static enum store_result insert(struct change *ch, struct str name, enum mailbox_role role, int64_t *id,
                                struct err *e)
{
    if (ch->root.uidnext > INT32_MAX) { /* message_id() has room for so many */
        err_set(e, ERR_PERMANENT, "the account has used up its mailbox numbers");
        return STORE_LIMIT;
    }
    *id = ch->root.uidnext++;
    change_tree(ch);
    return sql_exec(ch->db, &INSERT,
                    SQL(sql_int(*id), sql_text(name), sql_int(role), sql_int(next_uidvalidity(ch)),
                        sql_int((int64_t)ch->modseq)),
                    NULL, e) &&
                   rights_inherit(ch, *id, name, e)
               ? STORE_OK
               : STORE_FAILED;
}

static enum store_result insert_counted(struct change *ch, struct str name, enum mailbox_role role,
                                        int64_t *id, struct err *e)
{
    enum store_result r = quota_check_mailbox(ch, e);
    if (r == STORE_OK)
        r = insert(ch, name, role, id, e);
    if (r == STORE_OK)
        ch->root.unseen++; /* see ROOT_MAILBOX */
    return r;
}

/* Recently Deleted is the store's: STORE_INVALID. */
static enum store_result check_is_users(struct change *ch, int64_t id, struct err *e)
{
    struct counters *c;
    enum store_result r = change_mailbox(ch, id, &c, e);
    if (r == STORE_OK && c->is_recently_deleted)
        return invalid(e, "\"" RECENTLY_DELETED "\" is not renamed or deleted, and has none below it");
    return r == STORE_FAILED ? r : STORE_OK; /* it may be one that cannot be selected */
}

static enum store_result check_name(struct change *ch, struct str name, struct err *e)
{
    return ch->store->keeps_deleted && str_eq(name, STR(RECENTLY_DELETED))
               ? invalid(e, "\"" RECENTLY_DELETED "\" is made by the server, when a message is expunged")
               : STORE_OK;
}

/* The missing ones, from the top down. */
static enum store_result make_parents(struct change *ch, struct str name, struct err *e)
{
    struct str parent;
    int64_t id;
    bool selectable;
    if (!name_parent(name, &parent))
        return STORE_OK;
    enum store_result r = find(ch, parent, &id, &selectable, e);
    if (r == STORE_OK)
        return check_is_users(ch, id, e);
    if (r != STORE_NONE)
        return r;
    r = make_parents(ch, parent, e);
    return r == STORE_OK ? insert_counted(ch, parent, MAILBOX_NO_ROLE, &id, e) : r;
}

static enum store_result check_role(struct change *ch, enum mailbox_role role, struct err *e)
{
    int64_t id;
    if (role == MAILBOX_NO_ROLE)
        return STORE_OK;
    int found = sql_one_int(ch->db, &WITH_ROLE, SQL(sql_int(role)), &id, e);
    if (found == 1)
        err_set(e, ERR_PERMANENT, "another mailbox has that special use");
    return found < 0 ? STORE_FAILED : found ? STORE_EXISTS : STORE_OK;
}

static bool set_selectable(struct change *ch, int64_t id, bool selectable, enum mailbox_role role,
                           struct err *e)
{
    change_tree(ch);
    return sql_exec(ch->db, &SET_SELECTABLE,
                    SQL(sql_int(id), sql_int(selectable), sql_int(role), sql_int((int64_t)ch->modseq)), NULL,
                    e);
}

/* One that was deleted and kept for its children comes back as it was: empty, its uids going on. */
static enum store_result create(struct change *ch, struct str name, enum mailbox_role role, int64_t *id,
                                struct err *e)
{
    bool selectable;
    enum store_result r = check_role(ch, role, e);
    if (r != STORE_OK)
        return r;
    r = find(ch, name, id, &selectable, e);
    if (r == STORE_OK && selectable)
        return exists(name, e);
    if (r == STORE_OK)
        return set_selectable(ch, *id, true, role, e) ? STORE_OK : STORE_FAILED;
    if (r == STORE_NONE)
        r = check_name(ch, name, e);
    if (r == STORE_OK)
        r = make_parents(ch, name, e);
    return r == STORE_OK ? insert_counted(ch, name, role, id, e) : r;
}

static enum store_result finish(struct change *ch, enum store_result r, struct err *e)
{
    if (r == STORE_OK)
        return change_commit(ch, e);
    change_cancel(ch);
    return r;
}

enum store_result store_mailbox_create(struct store *s, struct str name, enum mailbox_role role,
                                       struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct change ch;
    int64_t id;
    enum store_result r = name_normal(name, &a, &name, e);
    if (r == STORE_OK)
        r = change_open(s, &ch, e);
    return r == STORE_OK ? finish(&ch, create(&ch, name, role, &id, e), e) : r;
}

/* --- messages of a mailbox that goes --- */

/* All of them: into `to`, or with NULL nowhere. */
static enum store_result empty(struct change *ch, struct counters *from, struct counters *to, struct err *e)
{
    enum store_result result = STORE_OK;
    struct reader r;
    reader_open(&r, from->mailbox, NULL, 0, 0);
    while (result == STORE_OK) {
        if (!reader_next(&r, ch->db, e))
            result = STORE_FAILED;
        else if (r.count == 0)
            break;
        else if (to)
            result = copy_rows(ch, to, r.rows, r.count, COPY_ONLY, e);
        if (result == STORE_OK && !(to ? expunge_rows : lose_rows)(ch, from, r.rows, r.count, e))
            result = STORE_FAILED;
    }
    reader_close(&r);
    return result;
}

/* --- deleting --- */

static enum store_result delete_row(struct change *ch, int64_t id, struct err *e)
{
    change_tree(ch);
    return rights_remove(ch, id, e) && metadata_remove(ch, id, e) &&
                   sql_exec(ch->db, &DELETE, SQL(sql_int(id)), NULL, e)
               ? STORE_OK
               : STORE_FAILED;
}

static enum store_result remove_one(struct change *ch, struct str name, struct err *e)
{
    int64_t id;
    bool selectable;
    enum store_result r = find(ch, name, &id, &selectable, e);
    if (r != STORE_OK)
        return r;
    int children = has_children(ch, name, e);
    if (children < 0)
        return STORE_FAILED;
    if (!selectable) {
        if (children)
            return invalid(e, "the mailbox is deleted already and stays for the mailboxes below it");
        ch->root.unseen--;
        return delete_row(ch, id, e);
    }
    struct counters *c;
    r = change_mailbox(ch, id, &c, e);
    if (r == STORE_OK)
        r = check_is_users(ch, id, e);
    if (r == STORE_OK)
        r = empty(ch, c, NULL, e);
    if (r != STORE_OK)
        return r;
    c->is_gone = true;
    change_tree(ch);
    if (!children) {
        ch->root.unseen--;
        return delete_row(ch, id, e);
    }
    c->is_dirty = true;
    c->highestmodseq = ch->modseq;
    return rights_remove(ch, id, e) && metadata_remove(ch, id, e) &&
                   set_selectable(ch, id, false, MAILBOX_NO_ROLE, e)
               ? STORE_OK
               : STORE_FAILED;
}

enum store_result store_mailbox_delete(struct store *s, struct str name, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str normal;
    if (name_normal(name, &a, &normal, NULL) != STORE_OK)
        return no_such(name, e);
    if (str_eq(normal, INBOX))
        return invalid(e, "INBOX cannot be deleted");
    struct change ch;
    enum store_result r = change_open(s, &ch, e);
    return r == STORE_OK ? finish(&ch, remove_one(&ch, normal, e), e) : r;
}

/* --- the store's own --- */

enum store_result mailbox_make_own(struct change *ch, struct str name, enum mailbox_role role, int64_t *id,
                                   struct err *e)
{
    bool selectable;
    enum store_result r = find(ch, name, id, &selectable, e);
    if (r == STORE_OK)
        return exists(name, e);
    return r == STORE_NONE ? insert(ch, name, role, id, e) : r;
}

enum store_result mailbox_remove_own(struct change *ch, struct counters *c, struct err *e)
{
    c->is_gone = true;
    return delete_row(ch, c->mailbox, e);
}

/* --- renaming --- */

/* Whether the children's new names keep to the limits. */
static enum store_result check_children(struct change *ch, struct str from, struct str to, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sql_rows rows;
    enum store_result r = STORE_OK;
    if (!sql_query(ch->db, &CHILD_NAMES, SQL(sql_text(from)), &rows, e))
        return STORE_FAILED;
    while (r == STORE_OK && sql_next(&rows)) {
        struct str rest = str_from_offset(sql_get_str(&rows, 0), from.n), normal;
        r = name_normal(arena_printf(&a, "%.*s%.*s", STR_ARGS(to), STR_ARGS(rest)), &a, &normal, e);
    }
    return sql_end(&rows, e) ? r : STORE_FAILED;
}

/* Section 6.3.6: INBOX stays, its messages go to a new mailbox, and the mailboxes below it stay too. */
static enum store_result rename_inbox(struct change *ch, int64_t inbox, struct str to, struct err *e)
{
    int64_t id;
    struct counters *from, *made;
    enum store_result r = create(ch, to, MAILBOX_NO_ROLE, &id, e);
    if (r == STORE_OK)
        r = change_mailbox(ch, inbox, &from, e);
    if (r == STORE_OK)
        r = change_mailbox(ch, id, &made, e);
    if (r == STORE_OK && !metadata_copy(ch, inbox, id, e))
        r = STORE_FAILED;
    return r == STORE_OK ? empty(ch, from, made, e) : r;
}

static enum store_result rename_tree(struct change *ch, struct str from, struct str to, struct err *e)
{
    enum store_result r = check_children(ch, from, to, e);
    if (r == STORE_OK)
        r = make_parents(ch, to, e);
    if (r != STORE_OK)
        return r;
    change_tree(ch);
    return sql_exec(ch->db, &RENAME, SQL(sql_text(from), sql_text(to)), NULL, e) &&
                   sql_exec(ch->db, &RENAME_CHILDREN,
                            SQL(sql_text(from), sql_text(to), sql_int((int64_t)name_characters(from) + 1)),
                            NULL, e)
               ? STORE_OK
               : STORE_FAILED;
}

static enum store_result rename_one(struct change *ch, struct str from, struct str to, struct err *e)
{
    int64_t id, other;
    bool selectable;
    enum store_result r = find(ch, to, &other, &selectable, e);
    if (r == STORE_OK)
        return exists(to, e);
    if (r != STORE_NONE)
        return r;
    r = find(ch, from, &id, &selectable, e);
    if (r == STORE_OK)
        r = check_is_users(ch, id, e);
    if (r == STORE_OK)
        r = check_name(ch, to, e);
    if (r != STORE_OK)
        return r;
    if (str_eq(from, INBOX))
        return rename_inbox(ch, id, to, e);
    if (str_starts(to, from) && to.n > from.n && to.p[from.n] == MAILBOX_DELIMITER)
        return invalid(e, "a mailbox cannot be moved below itself");
    return rename_tree(ch, from, to, e);
}

enum store_result store_mailbox_rename(struct store *s, struct str from, struct str to, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str old, new;
    if (name_normal(from, &a, &old, NULL) != STORE_OK)
        return no_such(from, e);
    enum store_result r = name_normal(to, &a, &new, e);
    struct change ch;
    if (r == STORE_OK)
        r = change_open(s, &ch, e);
    return r == STORE_OK ? finish(&ch, rename_one(&ch, old, new, e), e) : r;
}
