/* Recently Deleted: a mailbox with a second row, on the same body, for what was expunged. A tombstone stays
 * where the message was as ever, written no sooner than the row here is saved, and both are kept as long. So
 * the tombstone has the body at least as long as the row, and what the row leaves behind itself need not name
 * it. */
#include "base/clock.h"
#include "base/mem.h"
#include "mailbox/internal.h"

#include <assert.h>
#include <stdio.h>

#define PURGE_BATCH  1000 /* rows of one transaction */
#define NAMES_TRIED  100  /* "Recently Deleted 2" and so on: nobody has all of them by accident */
#define NAME_ROOM    40
#define DELETED_FLAG "8" /* FLAG_DELETED */
static_assert(FLAG_DELETED == 8, "as in COPY_RUN");

MAIL_STATEMENT(FIND, "SELECT id FROM mailbox WHERE role = $1");
MAIL_STATEMENT(COPY_RUN,
               "INSERT INTO message(id, flags, modseq, keywords, received, zone, size, body, saved)"
               " SELECT id + $1, flags & ~" DELETED_FLAG ", $2, keywords, received, zone, size, body, $3"
               " FROM message WHERE id BETWEEN $4 AND $5");
MAIL_STATEMENT(SUBSCRIBE, "INSERT INTO subscription(name) VALUES($1) ON CONFLICT(name) DO NOTHING");
MAIL_STATEMENT(UNSUBSCRIBE, "DELETE FROM subscription WHERE name = (SELECT name FROM mailbox WHERE id = $1)");
MAIL_STATEMENT(OLD_ROWS, "SELECT id, flags, size FROM message WHERE id BETWEEN $1 AND $2 AND saved < $3"
                         " ORDER BY id LIMIT $4");

void store_keep_deleted(struct store *s, bool on)
{
    s->keeps_deleted = on;
}

enum store_result may_add(const struct counters *to, struct err *e)
{
    if (!to->is_recently_deleted)
        return STORE_OK;
    err_set(e, ERR_PERMANENT, "nothing can be put into \"" RECENTLY_DELETED "\"");
    return STORE_FORBIDDEN;
}

/* --- which it is --- */

bool recently_deleted_find(struct sql *db, int64_t *mailbox, struct err *e)
{
    *mailbox = 0;
    return sql_one_int(db, &FIND, SQL(sql_int(MAILBOX_RECENTLY_DELETED)), mailbox, e) >= 0;
}

/* STORE_NONE: there is none. What was remembered may be of a change that was cancelled, and its id another's.
 */
static enum store_result find(struct change *ch, struct counters **out, struct err *e)
{
    int64_t id = atomic_load(&ch->store->recently_deleted);
    enum store_result r = id > 0 ? change_mailbox(ch, id, out, e) : STORE_NONE;
    if (r == STORE_FAILED || (r == STORE_OK && (*out)->is_recently_deleted))
        return r;
    if (!recently_deleted_find(ch->db, &id, e))
        return STORE_FAILED;
    atomic_store(&ch->store->recently_deleted, id);
    return id > 0 ? change_mailbox(ch, id, out, e) : STORE_NONE;
}

/* Under the first name that is free. It is subscribed, since many clients show nothing else. */
static enum store_result make(struct change *ch, struct counters **out, struct err *e)
{
    char name[NAME_ROOM] = RECENTLY_DELETED;
    int64_t id = 0;
    enum store_result r = STORE_EXISTS;
    for (int i = 2; r == STORE_EXISTS && i < NAMES_TRIED; i++) {
        r = mailbox_make_own(ch, str_from_c(name), MAILBOX_RECENTLY_DELETED, &id, e);
        if (r == STORE_OK && !sql_exec(ch->db, &SUBSCRIBE, SQL(sql_text(str_from_c(name))), NULL, e))
            r = STORE_FAILED;
        snprintf(name, sizeof name, RECENTLY_DELETED " %d", i);
    }
    return r == STORE_OK ? change_mailbox(ch, id, out, e) : r;
}

/* --- in --- */

static bool copy_run(struct change *ch, struct counters *to, const struct read_row *rows, size_t n,
                     int64_t now, struct err *e)
{
    int64_t first = rows[0].fetch.row.id, last = rows[n - 1].fetch.row.id;
    int64_t by = message_id(to->mailbox, to->uidnext) - first;
    if (!sql_exec(ch->db, &COPY_RUN,
                  SQL(sql_int(by), sql_int((int64_t)ch->modseq), sql_int(now), sql_int(first), sql_int(last)),
                  NULL, e))
        return false;
    to->uidnext += (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        counters_add(to, rows[i].fetch.row.flags & ~(uint32_t)FLAG_DELETED, rows[i].fetch.row.size);
    change_mark(ch, to);
    return true;
}

static bool copy(struct change *ch, const struct read_row *rows, size_t n, struct err *e)
{
    struct counters *to;
    int64_t now = clock_wall();
    enum store_result r = find(ch, &to, e);
    if (r == STORE_NONE)
        r = make(ch, &to, e);
    if (r == STORE_FAILED)
        return false;
    /* Without a mailbox, or a uid, there is no copy: whoever expunges must get rid of it. */
    if (r != STORE_OK || n > UID_MAX - to->uidnext)
        return true;
    for (size_t at = 0, length; at < n; at += length) {
        length = run_length(rows, n, at);
        if (!copy_run(ch, to, rows + at, length, now, e))
            return false;
    }
    return true;
}

bool lose_rows(struct change *ch, struct counters *c, const struct read_row *rows, size_t n, struct err *e)
{
    bool copies = ch->store->keeps_deleted && !c->is_recently_deleted && n > 0;
    return (!copies || copy(ch, rows, n, e)) && expunge_rows(ch, c, rows, n, e);
}

/* --- out --- */

static bool is_among(int64_t body, const int64_t *bodies, size_t n)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bodies[middle] < body)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && bodies[low] == body;
}

static bool forget_from(struct change *ch, struct counters *from, const int64_t *bodies, size_t n,
                        struct err *e)
{
    struct reader r;
    bool good = true;
    reader_open(&r, from->mailbox, NULL, 0, 0);
    while ((good = reader_next(&r, ch->db, e)) && r.count > 0) {
        size_t going = 0;
        for (size_t i = 0; i < r.count; i++)
            if (is_among(r.rows[i].fetch.row.body, bodies, n))
                r.rows[going++] = r.rows[i];
        if (!(good = expunge_rows(ch, from, r.rows, going, e)))
            break;
    }
    reader_close(&r);
    return good;
}

bool recently_deleted_forget(struct change *ch, const int64_t *bodies, size_t n, struct err *e)
{
    struct counters *from;
    enum store_result r = n > 0 ? find(ch, &from, e) : STORE_NONE;
    return r == STORE_NONE || (r == STORE_OK && forget_from(ch, from, bodies, n, e));
}

/* --- old --- */

/* All of them: after a clock that was set back they may lie behind younger ones, and none may stay longer
 * than the tombstone that has its body. */
static bool read_old(struct change *ch, int64_t mailbox, int64_t before, struct read_row *rows, size_t *n,
                     struct err *e)
{
    struct sql_rows q;
    *n = 0;
    if (!sql_query(ch->db, &OLD_ROWS,
                   SQL(sql_int(message_id(mailbox, 0)), sql_int(message_id(mailbox, UID_MAX)),
                       sql_int(before), sql_int(PURGE_BATCH)),
                   &q, e))
        return false;
    while (sql_next(&q)) {
        int64_t id = sql_get_int(&q, 0);
        rows[(*n)++].fetch.row = (struct message_row){.id = id,
                                                      .uid = message_uid(id),
                                                      .flags = (uint32_t)sql_get_int(&q, 1),
                                                      .size = (uint64_t)sql_get_int(&q, 2)};
    }
    return sql_end(&q, e);
}

static bool purge_batch(struct change *ch, int64_t before, struct read_row *rows, size_t *n, struct err *e)
{
    struct counters *c;
    enum store_result r = find(ch, &c, e);
    *n = 0;
    if (r != STORE_OK)
        return r == STORE_NONE;
    if (!read_old(ch, c->mailbox, before, rows, n, e) || !expunge_rows(ch, c, rows, *n, e))
        return false;
    if (ch->store->keeps_deleted || c->messages > 0)
        return true;
    return sql_exec(ch->db, &UNSUBSCRIBE, SQL(sql_int(c->mailbox)), NULL, e) &&
           mailbox_remove_own(ch, c, e) == STORE_OK;
}

bool recently_deleted_purge(struct store *s, int64_t before, struct err *e)
{
    CLEAN_FREE struct read_row *rows = mem_new(PURGE_BATCH, sizeof *rows);
    for (size_t n = PURGE_BATCH; n == PURGE_BATCH;) {
        struct change ch;
        if (change_open(s, &ch, e) != STORE_OK)
            return false;
        if (!purge_batch(&ch, before, rows, &n, e)) {
            change_cancel(&ch);
            return false;
        }
        if (change_commit(&ch, e) != STORE_OK)
            return false;
    }
    return true;
}
