/* How much an account may hold. What it holds is counted in the root's row, with every change and without
 * asking anything; the limits are read once a change, and only by one that adds something. */
#include "mailbox/internal.h"

MAIL_STATEMENT(LIMITS, "SELECT resource, given, own FROM quota");
MAIL_STATEMENT(USE, "SELECT messages, size, unseen FROM mailbox WHERE id = 0");
MAIL_STATEMENT(
    SET_GIVEN,
    "INSERT INTO quota(resource, given) VALUES($1, $2) ON CONFLICT(resource) DO UPDATE SET given = $2");
MAIL_STATEMENT(
    SET_OWN, "INSERT INTO quota(resource, own) VALUES($1, $2) ON CONFLICT(resource) DO UPDATE SET own = $2");

/* --- reading --- */

static uint64_t limit_of(const struct sql_rows *rows, int column)
{
    return sql_get_null(rows, column) ? QUOTA_NONE : (uint64_t)sql_get_int(rows, column);
}

/* limit = the lesser of what is given and what the owner wants. */
static bool read_limits(struct sql *db, uint64_t given[QUOTA_RESOURCES], uint64_t limit[QUOTA_RESOURCES],
                        struct err *e)
{
    struct sql_rows rows;
    for (int i = 0; i < QUOTA_RESOURCES; i++)
        given[i] = limit[i] = i == QUOTA_MAILBOXES ? (uint64_t)MAILBOX_COUNT_MAX : QUOTA_NONE;
    if (!sql_query(db, &LIMITS, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        int64_t resource = sql_get_int(&rows, 0);
        if (resource < 0 || resource >= QUOTA_RESOURCES)
            continue; /* of a newer program */
        uint64_t own = limit_of(&rows, 2);
        if (resource != QUOTA_MAILBOXES)
            given[resource] = limit_of(&rows, 1);
        limit[resource] = own < given[resource] ? own : given[resource];
    }
    return sql_end(&rows, e);
}

static bool read_use(struct sql *db, uint64_t used[QUOTA_RESOURCES], struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &USE, SQL_NONE, &rows, e))
        return false;
    if (sql_next(&rows)) {
        used[QUOTA_MESSAGES] = (uint64_t)sql_get_int(&rows, 0);
        used[QUOTA_BYTES] = (uint64_t)sql_get_int(&rows, 1);
        used[QUOTA_MAILBOXES] = (uint64_t)sql_get_int(&rows, 2);
    }
    return sql_end(&rows, e);
}

enum store_result store_quota(struct store *s, struct quota *out, struct err *e)
{
    *out = (struct quota){0};
    struct connection *c = store_peek(s, e);
    if (!c)
        return STORE_FAILED;
    bool good = read_use(c->db, out->used, e) && read_limits(c->db, out->given, out->limit, e);
    if (s->arrivals.plan)
        change_use(s->arrivals.plan, &out->used[QUOTA_MESSAGES], &out->used[QUOTA_BYTES]);
    store_peeked(s, c);
    return good ? STORE_OK : STORE_FAILED;
}

/* --- holding to it --- */

static enum store_result know_limits(struct change *ch, struct err *e)
{
    uint64_t given[QUOTA_RESOURCES];
    if (!ch->knows_limits && !read_limits(ch->db, given, ch->limits, e))
        return STORE_FAILED;
    ch->knows_limits = true;
    return STORE_OK;
}

static bool is_beyond(uint64_t used, uint64_t more, uint64_t limit)
{
    return more > limit || used > limit - more;
}

enum store_result quota_check(struct change *ch, uint64_t messages, uint64_t bytes, struct err *e)
{
    uint64_t has_messages, has_bytes;
    if (know_limits(ch, e) != STORE_OK)
        return STORE_FAILED;
    change_use(ch, &has_messages, &has_bytes);
    const uint64_t *limits = ch->limits;
    if (is_beyond(has_bytes, bytes, limits[QUOTA_BYTES])) {
        err_set(e, ERR_TEMPORARY, "the account has %llu bytes and may have %llu: no room for %llu more",
                (unsigned long long)has_bytes, (unsigned long long)limits[QUOTA_BYTES],
                (unsigned long long)bytes);
        return STORE_OVERQUOTA;
    }
    if (is_beyond(has_messages, messages, limits[QUOTA_MESSAGES])) {
        err_set(e, ERR_TEMPORARY, "the account has %llu messages and may have %llu: no room for %llu more",
                (unsigned long long)has_messages, (unsigned long long)limits[QUOTA_MESSAGES],
                (unsigned long long)messages);
        return STORE_OVERQUOTA;
    }
    return STORE_OK;
}

enum store_result quota_check_mailbox(struct change *ch, struct err *e)
{
    if (know_limits(ch, e) != STORE_OK)
        return STORE_FAILED;
    uint64_t limit = ch->limits[QUOTA_MAILBOXES];
    if (!is_beyond(ch->root.unseen, 1, limit))
        return STORE_OK;
    err_set(e, ERR_PERMANENT, "the account may have at most %llu mailboxes", (unsigned long long)limit);
    return limit < MAILBOX_COUNT_MAX ? STORE_OVERQUOTA : STORE_LIMIT;
}

static bool is_near(uint64_t used, uint64_t limit)
{
    return limit != QUOTA_NONE && used >= limit - limit / 100 * (100 - QUOTA_SOFT_PERCENT);
}

void quota_note(struct change *ch)
{
    if (ch->knows_limits)
        atomic_store(&ch->store->near_quota, is_near(ch->root.size, ch->limits[QUOTA_BYTES]) ||
                                                 is_near(ch->root.messages, ch->limits[QUOTA_MESSAGES]));
}

bool store_quota_is_near(struct store *s)
{
    return atomic_load(&s->near_quota);
}

/* --- setting --- */

static bool write(struct change *ch, const struct sql_statement *set, int resource, uint64_t limit,
                  struct err *e)
{
    return sql_exec(ch->db, set,
                    SQL(sql_int(resource), limit >= QUOTA_NONE ? sql_null() : sql_int((int64_t)limit)), NULL,
                    e);
}

static enum store_result finish(struct change *ch, enum store_result r, struct err *e)
{
    if (r == STORE_OK)
        return change_commit(ch, e);
    change_cancel(ch);
    return r;
}

enum store_result store_set_quota(struct store *s, uint64_t bytes, uint64_t messages, struct err *e)
{
    struct quota now;
    struct change ch;
    enum store_result r = store_quota(s, &now, e);
    if (r != STORE_OK || (now.given[QUOTA_BYTES] == bytes && now.given[QUOTA_MESSAGES] == messages))
        return r;
    r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    if (!write(&ch, &SET_GIVEN, QUOTA_BYTES, bytes, e) ||
        !write(&ch, &SET_GIVEN, QUOTA_MESSAGES, messages, e))
        r = STORE_FAILED;
    return finish(&ch, r, e);
}

static enum store_result set_own(struct change *ch, const uint64_t limits[QUOTA_RESOURCES], struct err *e)
{
    static const char *const NAMES[QUOTA_RESOURCES] = {
        [QUOTA_BYTES] = "bytes", [QUOTA_MESSAGES] = "messages", [QUOTA_MAILBOXES] = "mailboxes"};
    uint64_t given[QUOTA_RESOURCES], limit[QUOTA_RESOURCES];
    if (!read_limits(ch->db, given, limit, e))
        return STORE_FAILED;
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        if (limits[i] < QUOTA_NONE && limits[i] > given[i]) {
            err_set(e, ERR_PERMANENT, "the account may have at most %llu %s", (unsigned long long)given[i],
                    NAMES[i]);
            return STORE_LIMIT;
        }
        if (!write(ch, &SET_OWN, i, limits[i], e))
            return STORE_FAILED;
    }
    return STORE_OK;
}

enum store_result store_set_own_quota(struct store *s, const uint64_t limits[QUOTA_RESOURCES], struct err *e)
{
    struct change ch;
    enum store_result r = change_open(s, &ch, e);
    return r == STORE_OK ? finish(&ch, set_own(&ch, limits, e), e) : r;
}
