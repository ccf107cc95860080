#include "mailbox/internal.h"

MAIL_STATEMENT(
    COUNTERS,
    "SELECT selectable, uidvalidity, uidnext, first_recent, highestmodseq, messages, unseen, deleted, size,"
    " deleted_size, role FROM mailbox WHERE id = $1");
MAIL_STATEMENT(
    WRITE_COUNTERS,
    "UPDATE mailbox SET uidvalidity = $2, uidnext = $3, first_recent = $4, highestmodseq = $5, messages = $6,"
    " unseen = $7, deleted = $8, size = $9, deleted_size = $10 WHERE id = $1");

static int read_counters(struct sql *db, int64_t mailbox, struct counters *c, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &COUNTERS, SQL(sql_int(mailbox)), &rows, e))
        return -1;
    bool found = sql_next(&rows);
    if (found)
        *c = (struct counters){
            .mailbox = mailbox,
            .selectable = sql_get_int(&rows, 0) != 0,
            .uidvalidity = (uint32_t)sql_get_int(&rows, 1),
            .uidnext = (uint32_t)sql_get_int(&rows, 2),
            .first_recent = (uint32_t)sql_get_int(&rows, 3),
            .highestmodseq = (uint64_t)sql_get_int(&rows, 4),
            .messages = (uint32_t)sql_get_int(&rows, 5),
            .unseen = (uint32_t)sql_get_int(&rows, 6),
            .deleted = (uint32_t)sql_get_int(&rows, 7),
            .size = (uint64_t)sql_get_int(&rows, 8),
            .deleted_size = (uint64_t)sql_get_int(&rows, 9),
            .is_recently_deleted = sql_get_int(&rows, 10) == MAILBOX_RECENTLY_DELETED,
        };
    return sql_end(&rows, e) ? found : -1;
}

static bool write_counters(struct sql *db, const struct counters *c, struct err *e)
{
    return sql_exec(db, &WRITE_COUNTERS,
                    SQL(sql_int(c->mailbox), sql_int(c->uidvalidity), sql_int(c->uidnext),
                        sql_int(c->first_recent), sql_int((int64_t)c->highestmodseq), sql_int(c->messages),
                        sql_int(c->unseen), sql_int(c->deleted), sql_int((int64_t)c->size),
                        sql_int((int64_t)c->deleted_size)),
                    NULL, e);
}

static void release(struct change *ch)
{
    arena_free(&ch->arena);
    pool_give(&ch->store->pool, ch->connection);
    if (ch->locks_out)
        arrivals_let_in(ch->store);
    pthread_mutex_unlock(&ch->store->writer);
}

bool change_plan(struct change *ch, struct err *e)
{
    int found = read_counters(ch->db, ROOT_MAILBOX, &ch->root, e);
    if (found == 0)
        err_set(e, ERR_INTERNAL, "%s: the account's own counters are missing",
                ch->store->path ? ch->store->path : "the database");
    if (found == 1)
        ch->modseq = ch->root.highestmodseq + 1;
    return found == 1;
}

/* With store->writer. */
static enum store_result begin(struct store *s, struct change *ch, struct err *e)
{
    *ch = (struct change){.store = s, .arena = ARENA_INIT, .locks_out = ch->locks_out};
    ch->connection = pool_take(&s->pool, e);
    if (!ch->connection) {
        if (ch->locks_out)
            arrivals_let_in(s);
        pthread_mutex_unlock(&s->writer);
        return STORE_FAILED;
    }
    ch->db = ch->connection->db;
    if (sql_begin_write(ch->db, e) && change_plan(ch, e))
        return STORE_OK;
    change_cancel(ch);
    return STORE_FAILED;
}

enum store_result change_begin(struct store *s, struct change *ch, struct err *e)
{
    ch->locks_out = false;
    pthread_mutex_lock(&s->writer);
    return begin(s, ch, e);
}

/* What was acknowledged comes first: it has been told its uids, and counts. */
enum store_result change_open(struct store *s, struct change *ch, struct err *e)
{
    while (arrivals_settle(s, e)) {
        pthread_mutex_lock(&s->writer);
        if (atomic_load(&s->arrivals.count) == 0) {
            ch->locks_out = arrivals_lock_out(s, e);
            if (ch->locks_out)
                return begin(s, ch, e);
            pthread_mutex_unlock(&s->writer);
            return STORE_FAILED;
        }
        pthread_mutex_unlock(&s->writer); /* something came in between */
    }
    return STORE_FAILED;
}

enum store_result change_mailbox(struct change *ch, int64_t mailbox, struct counters **out, struct err *e)
{
    for (struct counters *c = ch->touched; c; c = c->next)
        if (c->mailbox == mailbox) {
            *out = c;
            return STORE_OK;
        }
    struct counters read;
    int found = mailbox > ROOT_MAILBOX ? read_counters(ch->db, mailbox, &read, e) : 0;
    if (found < 0)
        return STORE_FAILED;
    if (found == 0 || !read.selectable) {
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
        return STORE_NONE;
    }
    struct counters *c = ARENA_NEW(&ch->arena, struct counters);
    *c = read;
    c->messages_before = c->messages;
    c->size_before = c->size;
    c->next = ch->touched;
    ch->touched = c;
    *out = c;
    return STORE_OK;
}

void change_use(const struct change *ch, uint64_t *messages, uint64_t *size)
{
    *messages = ch->root.messages;
    *size = ch->root.size;
    for (const struct counters *c = ch->touched; c; c = c->next) {
        if (c->is_recently_deleted)
            continue;
        *messages += c->messages - (uint64_t)c->messages_before;
        *size += c->size - c->size_before;
    }
}

void change_mark(struct change *ch, struct counters *c)
{
    c->highestmodseq = ch->root.highestmodseq = ch->modseq;
    c->is_dirty = ch->root.is_dirty = ch->is_visible = true;
}

/* What the change does to the mailboxes it does to the account. */
static void sum_up(struct change *ch)
{
    struct counters *root = &ch->root;
    uint64_t messages = root->messages, size = root->size;
    change_use(ch, &messages, &size);
    root->is_dirty |= messages != root->messages || size != root->size;
    root->messages = (uint32_t)messages;
    root->size = size;
}

void change_tree(struct change *ch)
{
    ch->root.highestmodseq = ch->modseq;
    ch->root.is_dirty = ch->is_visible = true;
}

enum store_result change_commit(struct change *ch, struct err *e)
{
    sum_up(ch);
    quota_note(ch);
    bool good = !ch->root.is_dirty || write_counters(ch->db, &ch->root, e);
    for (struct counters *c = ch->touched; good && c; c = c->next)
        if (c->is_dirty)
            good = write_counters(ch->db, c, e);
    if (!good || !sql_commit(ch->db, e)) {
        change_cancel(ch);
        return STORE_FAILED;
    }
    if (ch->root.is_dirty)
        store_note_modseq(ch->store, (int64_t)ch->root.highestmodseq);
    struct watch *w = &ch->store->watch;
    for (struct counters *c = ch->touched; c; c = c->next)
        if (c->is_dirty || c->is_gone)
            watch_set(w, c->mailbox, c->is_gone ? 0 : c->highestmodseq);
    if (ch->is_of_rights) /* when they hold, and before anybody is woken to look at them */
        atomic_fetch_add(&ch->store->rights_version, 1);
    bool wake = ch->is_visible, has_bodies = ch->has_bodies;
    struct store *s = ch->store;
    release(ch);
    if (wake)
        watch_wake(w);
    if (has_bodies && s->on_append)
        s->on_append(s->on_append_context);
    return STORE_OK;
}

void change_cancel(struct change *ch)
{
    sql_rollback(ch->db);
    release(ch);
}

void counters_add(struct counters *c, uint32_t flags, uint64_t size)
{
    c->messages++;
    c->unseen += !(flags & FLAG_SEEN);
    c->size += size;
    if (flags & FLAG_DELETED) {
        c->deleted++;
        c->deleted_size += size;
    }
}

void counters_remove(struct counters *c, uint32_t flags, uint64_t size)
{
    c->messages--;
    c->unseen -= !(flags & FLAG_SEEN);
    c->size -= size;
    if (flags & FLAG_DELETED) {
        c->deleted--;
        c->deleted_size -= size;
    }
}

void counters_reflag(struct counters *c, uint32_t before, uint32_t after, uint64_t size)
{
    c->unseen += !(after & FLAG_SEEN);
    c->unseen -= !(before & FLAG_SEEN);
    c->deleted += !!(after & FLAG_DELETED);
    c->deleted -= !!(before & FLAG_DELETED);
    c->deleted_size += after & FLAG_DELETED ? size : 0;
    c->deleted_size -= before & FLAG_DELETED ? size : 0;
}

enum store_result counters_take_uid(struct counters *c, uint32_t *uid, struct err *e)
{
    if (c->uidnext == UID_MAX) {
        err_set(e, ERR_PERMANENT, "the mailbox has used up its uids; make a new one");
        return STORE_LIMIT;
    }
    *uid = c->uidnext++;
    return STORE_OK;
}
