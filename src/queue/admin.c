#include "queue/admin.h"

#include "base/mem.h"
#include "queue/transit.h"

#define PAGE_ROWS 500

/* Pages in the order of the keys, which is that of the messages. */
QUEUE_STATEMENT(
    ADMIN_PAGE,
    "SELECT r.id, r.message, r.address, r.domain, r.state, r.attempts, r.next_attempt, r.host, r.reply,"
    " m.sender, m.size, m.arrived FROM recipient r JOIN message m ON m.id = r.message"
    " WHERE r.id >= $1 AND r.id < $2 ORDER BY r.id LIMIT $3");
QUEUE_STATEMENT(ADMIN_ATTEMPTS,
                "SELECT coalesce(r.address, ''), a.host, a.reply, a.transcript, a.at FROM attempt a"
                " LEFT JOIN recipient r ON r.id = a.recipient WHERE a.message = $1 ORDER BY a.id");
QUEUE_STATEMENT(ADMIN_DESTINATIONS,
                "SELECT domain, CAST(sum(waiting) AS BIGINT), CAST(sum(held) AS BIGINT), "
                "coalesce(min(next_attempt), 0) FROM"
                " (SELECT domain, count(*) AS waiting, 0 AS held, min(next_attempt) AS next_attempt"
                "   FROM recipient WHERE state = 0 AND at_hand = 0 GROUP BY domain"
                "  UNION ALL SELECT domain, count(*), 0, min(next_attempt)"
                "   FROM recipient WHERE state = 0 AND at_hand = 1 GROUP BY domain"
                "  UNION ALL SELECT domain, 0, count(*), NULL FROM recipient WHERE state = 3 GROUP BY "
                "domain) AS by_index"
                " GROUP BY domain ORDER BY domain");

/* --- patterns --- */

bool queue_admin_matches(const char *pattern, struct str text)
{
    const char *star = NULL; /* the last one, and where what it stands for ends */
    size_t at = 0, star_at = 0;
    while (at < text.n) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern && (*pattern == '?' || ascii_lower(*pattern) == ascii_lower(text.p[at]))) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool is_wanted(const struct queue_admin_filter *f, struct str sender, struct str recipient,
                      struct str destination)
{
    return (!f->sender || queue_admin_matches(f->sender, sender)) &&
           (!f->recipient || queue_admin_matches(f->recipient, recipient)) &&
           (!f->destination || queue_admin_matches(f->destination, destination));
}

/* --- list --- */

struct listing {
    const struct queue_admin_filter *filter;
    void (*each)(void *context, const struct queue_admin_message *m);
    void *context;
    struct queue_admin_message message; /* the one that is being put together; id 0: none */
    size_t room;
    size_t count, limit;
    bool more;
    struct arena arena; /* of that one */
};

static void finish_message(struct listing *l)
{
    if (l->message.id == 0)
        return;
    if (l->count < l->limit)
        l->each(l->context, &l->message);
    else
        l->more = true;
    l->count++;
    l->message = (struct queue_admin_message){0};
    l->room = 0;
    arena_reset(&l->arena);
}

static void add_recipient(struct listing *l, struct queue_admin_recipient r)
{
    struct queue_admin_message *m = &l->message;
    if (m->recipient_count == l->room) {
        l->room = l->room ? l->room * 2 : 4;
        struct queue_admin_recipient *more = ARENA_ARRAY(&l->arena, struct queue_admin_recipient, l->room);
        for (size_t i = 0; i < m->recipient_count; i++)
            more[i] = m->recipients[i];
        m->recipients = more;
    }
    m->recipients[m->recipient_count++] = r;
}

static void take_row(struct listing *l, const struct sql_rows *rows)
{
    struct arena *a = &l->arena;
    int64_t message = sql_get_int(rows, 1);
    struct str address = sql_get_str(rows, 2), domain = sql_get_str(rows, 3), sender = sql_get_str(rows, 9);
    if (message != l->message.id)
        finish_message(l);
    if (!is_wanted(l->filter, sender, address, domain))
        return;
    if (l->message.id == 0)
        l->message = (struct queue_admin_message){.id = message,
                                                  .sender = arena_copy(a, sender),
                                                  .size = (uint64_t)sql_get_int(rows, 10),
                                                  .arrived = sql_get_int(rows, 11)};
    add_recipient(l, (struct queue_admin_recipient){.address = arena_copy(a, address),
                                                    .destination = arena_copy(a, domain),
                                                    .state = (enum queue_state)sql_get_int(rows, 4),
                                                    .attempts = (unsigned)sql_get_int(rows, 5),
                                                    .next_attempt = sql_get_int(rows, 6),
                                                    .host = arena_copy(a, sql_get_str(rows, 7)),
                                                    .reply = arena_copy(a, sql_get_str(rows, 8))});
}

static int64_t first_key(const struct queue_admin_filter *f)
{
    return f->id == QUEUE_ADMIN_ANY ? 0 : queue_db_first_recipient(f->id);
}

static int64_t past_key(const struct queue_admin_filter *f)
{
    return f->id == QUEUE_ADMIN_ANY ? INT64_MAX : queue_db_past_recipient(f->id);
}

/* Returns how many rows there were, -1 for an error; *last is the key of the last one. */
static int64_t read_page(struct sql *db, struct listing *l, int64_t from, int64_t past, int64_t *last,
                         struct err *e)
{
    struct sql_rows rows;
    int64_t n = 0;
    if (!sql_query(db, &ADMIN_PAGE, SQL(sql_int(from), sql_int(past), sql_int(PAGE_ROWS)), &rows, e))
        return -1;
    for (; sql_next(&rows); n++) {
        *last = sql_get_int(&rows, 0);
        take_row(l, &rows);
    }
    return sql_end(&rows, e) ? n : -1;
}

static bool list(struct sql *db, struct listing *l, struct err *e)
{
    int64_t from = first_key(l->filter), past = past_key(l->filter), last = 0, n = PAGE_ROWS;
    while (n == PAGE_ROWS && !l->more) {
        n = read_page(db, l, from, past, &last, e);
        from = last + 1;
    }
    if (n >= 0)
        finish_message(l);
    return n >= 0;
}

bool queue_admin_list(const struct config *c, const struct queue_admin_filter *f, size_t limit,
                      void (*each)(void *context, const struct queue_admin_message *m), void *context,
                      bool *more, struct err *e)
{
    CLEAN_CLOSE int lock = -1;
    CLEAN_SQL struct sql *db = transit_beside(c, &lock, e);
    struct listing l = {.filter = f, .each = each, .context = context, .limit = limit};
    bool good = db && list(db, &l, e);
    *more = l.more;
    arena_free(&l.arena);
    return good;
}

bool queue_admin_destinations(const struct config *c,
                              void (*each)(void *context, const struct queue_admin_destination *d),
                              void *context, struct err *e)
{
    CLEAN_CLOSE int lock = -1;
    CLEAN_SQL struct sql *db = transit_beside(c, &lock, e);
    struct sql_rows rows;
    if (!db || !sql_query(db, &ADMIN_DESTINATIONS, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows))
        each(context, &(struct queue_admin_destination){.domain = sql_get_str(&rows, 0),
                                                        .waiting = (uint64_t)sql_get_int(&rows, 1),
                                                        .held = (uint64_t)sql_get_int(&rows, 2),
                                                        .next_attempt = sql_get_int(&rows, 3)});
    return sql_end(&rows, e);
}

/* --- show --- */

struct copying {
    struct arena *arena;
    struct queue_admin_message *to;
};

static void copy_message(void *context, const struct queue_admin_message *m)
{
    struct copying *c = context;
    *c->to = *m;
    c->to->sender = arena_copy(c->arena, m->sender);
    c->to->recipients = ARENA_ARRAY(c->arena, struct queue_admin_recipient, m->recipient_count);
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct queue_admin_recipient *r = &c->to->recipients[i];
        *r = m->recipients[i];
        r->address = arena_copy(c->arena, r->address);
        r->destination = arena_copy(c->arena, r->destination);
        r->host = arena_copy(c->arena, r->host);
        r->reply = arena_copy(c->arena, r->reply);
    }
}

static bool read_attempts(struct sql *db, struct arena *a, struct queue_admin_message *m, struct err *e)
{
    struct sql_rows rows;
    size_t room = 0;
    if (!sql_query(db, &ADMIN_ATTEMPTS, SQL(sql_int(m->id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        if (m->attempt_count == room) {
            room = room ? room * 2 : 8;
            struct queue_admin_attempt *more = ARENA_ARRAY(a, struct queue_admin_attempt, room);
            for (size_t i = 0; i < m->attempt_count; i++)
                more[i] = m->attempts[i];
            m->attempts = more;
        }
        m->attempts[m->attempt_count++] =
            (struct queue_admin_attempt){.address = arena_copy(a, sql_get_str(&rows, 0)),
                                         .host = arena_copy(a, sql_get_str(&rows, 1)),
                                         .reply = arena_copy(a, sql_get_str(&rows, 2)),
                                         .transcript = arena_copy(a, sql_get_str(&rows, 3)),
                                         .at = sql_get_int(&rows, 4)};
    }
    return sql_end(&rows, e);
}

static bool no_such_message(int64_t id, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "there is no message %lld in the queue", (long long)id);
}

bool queue_admin_show(const struct config *c, int64_t id, struct arena *a, struct queue_admin_message *out,
                      struct err *e)
{
    CLEAN_CLOSE int lock = -1;
    CLEAN_SQL struct sql *db = transit_beside(c, &lock, e);
    struct queue_admin_filter filter = {.id = id};
    struct copying copy = {a, out};
    struct listing l = {.filter = &filter, .each = copy_message, .context = &copy, .limit = 1};
    *out = (struct queue_admin_message){0};
    if (!db || (id > 0 && !list(db, &l, e)))
        return false;
    arena_free(&l.arena);
    if (out->id == 0)
        return no_such_message(id, e);
    CLEAN_BUF struct buf start;
    buf_init(&start, QUEUE_ADMIN_HEADER_MAX);
    if (!read_attempts(db, a, out, e) || !queue_db_start(db, id, &start, e))
        return false;
    struct str header = buf_str(&start);
    size_t end = str_find(header, STR("\r\n\r\n"));
    out->header = arena_copy(a, end == STR_NONE ? header : str_slice(header, 0, end + 2));
    return true;
}
