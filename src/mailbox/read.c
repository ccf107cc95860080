#include "base/mem.h"
#include "mailbox/internal.h"

#define ROWS_START 4 /* most readers want one row or all */
/* Rows that one query is asked for: a batch's, or of such with texts as many as fill it by their bytes. A
 * server sends all that it was asked for, also what is left when the batch is full. */
#define ASK_ROWS   READ_ROWS_MAX
#define ASK_TEXTS  64
#define RUN_GAP    64 /* uids to step over inside one query: cheaper than starting another */

/* Texts only where $4 to $8 ask for them: a column that nobody touches is not decoded. */
#define ROW_COLUMNS "m.id, m.flags, m.modseq, m.keywords, m.received, m.zone, m.size, m.body, m.saved"
#define ROW_RANGE   " WHERE m.id BETWEEN $1 AND $2 ORDER BY m.id LIMIT $3"
MAIL_STATEMENT(ROWS, "SELECT " ROW_COLUMNS " FROM message m" ROW_RANGE);
#define TEXT_COLUMNS                                                                \
    " CASE WHEN $4 = 1 THEN b.envelope END, CASE WHEN $5 = 1 THEN b.structure END," \
    " CASE WHEN $6 = 1 THEN b.parts END, CASE WHEN $7 = 1 THEN b.sent END,"         \
    " CASE WHEN $8 = 1 THEN b.preview END"
MAIL_STATEMENT(ROWS_WITH_BODY, "SELECT " ROW_COLUMNS "," TEXT_COLUMNS
                               " FROM message m JOIN body b ON b.id = m.body" ROW_RANGE);
/* 1048576 is CHUNKS_MAX: the first chunk. */
MAIL_STATEMENT(ROWS_WITH_CHUNK,
               "SELECT " ROW_COLUMNS "," TEXT_COLUMNS ", CASE WHEN m.size <= $9 THEN c.data END"
               " FROM message m JOIN body b ON b.id = m.body"
               " LEFT JOIN body_chunk c ON c.id = m.body * 1048576" ROW_RANGE);
/* The same for those who want nothing else of the body; with its columns in the same places. */
MAIL_STATEMENT(ROWS_WITH_CHUNK_ALONE,
               "SELECT " ROW_COLUMNS ", NULL, NULL, NULL, NULL, NULL, CASE WHEN m.size <= $4 THEN c.data END"
               " FROM message m LEFT JOIN body_chunk c ON c.id = m.body * 1048576" ROW_RANGE);
MAIL_STATEMENT(ROWS_WITH_KEYS, "SELECT " ROW_COLUMNS
                               ", k.body, k.sent, k.is_reply, k.subject, k.sender, k.recipient, k.copied,"
                               " k.display_from, k.display_to, k.links"
                               " FROM message m LEFT JOIN body_key k ON k.body = m.body" ROW_RANGE);

/* Bodies of more bytes than this are read by themselves: a batch of rows stays small. */
#define CHUNK_WITH_ROW ((int64_t)32 * 1024)

void reader_open(struct reader *r, int64_t mailbox, const uint32_t *uids, size_t n, unsigned want)
{
    *r = (struct reader){
        .mailbox = mailbox,
        .uids = uids,
        .n = n,
        .from = 1,
        .to = UID_MAX,
        .is_done = uids && n == 0,
        .want = want,
    };
}

void reader_close(struct reader *r)
{
    arena_free(&r->arena);
    free(r->rows);
}

/* The next stretch of uids that is worth one query. */
static bool next_range(struct reader *r, struct uid_range *range)
{
    if (r->is_done)
        return false;
    if (!r->uids) {
        *range = (struct uid_range){r->from, r->to};
        return true;
    }
    while (r->at < r->n && r->uids[r->at] < r->from)
        r->at++;
    if (r->at == r->n || r->uids[r->at] > r->to)
        return false;
    *range = (struct uid_range){r->uids[r->at], r->uids[r->at]};
    for (size_t i = r->at + 1; i < r->n && r->uids[i] <= r->to && r->uids[i] - range->to <= RUN_GAP; i++)
        range->to = r->uids[i];
    return true;
}

static bool is_wanted(struct reader *r, uint32_t uid)
{
    if (!r->uids)
        return true;
    while (r->at < r->n && r->uids[r->at] < uid)
        r->at++;
    return r->at < r->n && r->uids[r->at] == uid;
}

static struct str kept(struct reader *r, const struct sql_rows *rows, int column)
{
    struct str s = sql_get_str(rows, column);
    return s.n > 0 ? arena_copy(&r->arena, s) : STR("");
}

static void read_keys(struct reader *r, const struct sql_rows *rows, struct read_row *row)
{
    row->has_keys = !sql_get_null(rows, 9);
    if (!row->has_keys)
        return;
    row->keys = (struct body_keys){
        .sent = sql_get_null(rows, 10) ? SENT_UNKNOWN : sql_get_int(rows, 10),
        .is_reply = sql_get_int(rows, 11) != 0,
        .subject = kept(r, rows, 12),
        .sender = kept(r, rows, 13),
        .recipient = kept(r, rows, 14),
        .copied = kept(r, rows, 15),
        .display_from = kept(r, rows, 16),
        .display_to = kept(r, rows, 17),
        .links = kept(r, rows, 18),
    };
}

static void read_row(struct reader *r, const struct sql_rows *rows, struct read_row *row)
{
    int64_t id = sql_get_int(rows, 0);
    *row = (struct read_row){.sent = SENT_UNKNOWN}; /* its place may have held another row */
    row->fetch.row = (struct message_row){
        .id = id,
        .uid = message_uid(id),
        .flags = (uint32_t)sql_get_int(rows, 1),
        .modseq = (uint64_t)sql_get_int(rows, 2),
        .keywords = kept(r, rows, 3),
        .received = sql_get_int(rows, 4),
        .zone = (int16_t)sql_get_int(rows, 5),
        .size = (uint64_t)sql_get_int(rows, 6),
        .body = sql_get_int(rows, 7),
        .saved = sql_get_int(rows, 8),
    };
    if (row->fetch.row.saved == 0)
        row->fetch.row.saved = row->fetch.row.received;
    if (r->want & WANT_KEYS) {
        read_keys(r, rows, row);
        return;
    }
    row->fetch.envelope = r->want & WANT_ENVELOPE ? kept(r, rows, 9) : STR("");
    row->fetch.structure = r->want & WANT_STRUCTURE ? kept(r, rows, 10) : STR("");
    row->fetch.parts = r->want & WANT_PARTS ? kept(r, rows, 11) : STR("");
    row->sent = r->want & WANT_SENT && !sql_get_null(rows, 12) ? sql_get_int(rows, 12) : SENT_UNKNOWN;
    row->fetch.has_preview = r->want & WANT_PREVIEW && !sql_get_null(rows, 13);
    row->fetch.preview = row->fetch.has_preview ? kept(r, rows, 13) : STR("");
    row->packed = r->want & WANT_BODY ? kept(r, rows, 14) : STR("");
}

static struct read_row *next_row(struct reader *r)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : ROWS_START;
        r->rows = mem_resize(r->rows, r->cap, sizeof *r->rows);
    }
    return &r->rows[r->count++];
}

static bool is_full(const struct reader *r)
{
    return r->count == READ_ROWS_MAX || r->arena.used >= READ_BYTES_MAX;
}

static size_t ask_for(const struct reader *r)
{
    size_t left = READ_ROWS_MAX - r->count, most = r->want ? ASK_TEXTS : ASK_ROWS;
    return left < most ? left : most;
}

static bool start(struct reader *r, struct sql *db, struct uid_range range, struct sql_rows *rows,
                  struct err *e)
{
    struct sql_value from = sql_int(message_id(r->mailbox, range.from)),
                     to = sql_int(message_id(r->mailbox, range.to)), limit = sql_int((int64_t)ask_for(r));
    if (r->want & WANT_KEYS)
        return sql_query(db, &ROWS_WITH_KEYS, SQL(from, to, limit), rows, e);
    if (!r->want)
        return sql_query(db, &ROWS, SQL(from, to, limit), rows, e);
    if (r->want == WANT_BODY)
        return sql_query(db, &ROWS_WITH_CHUNK_ALONE, SQL(from, to, limit, sql_int(CHUNK_WITH_ROW)), rows, e);
    struct sql_value envelope = sql_int(!!(r->want & WANT_ENVELOPE)),
                     structure = sql_int(!!(r->want & WANT_STRUCTURE)),
                     parts = sql_int(!!(r->want & WANT_PARTS)), sent = sql_int(!!(r->want & WANT_SENT)),
                     preview = sql_int(!!(r->want & WANT_PREVIEW));
    if (r->want & WANT_BODY)
        return sql_query(
            db, &ROWS_WITH_CHUNK,
            SQL(from, to, limit, envelope, structure, parts, sent, preview, sql_int(CHUNK_WITH_ROW)), rows,
            e);
    return sql_query(db, &ROWS_WITH_BODY, SQL(from, to, limit, envelope, structure, parts, sent, preview),
                     rows, e);
}

/* The rows of a range, as many as fit. *seen is the last uid that was looked at. */
static bool read_range(struct reader *r, struct sql *db, struct uid_range range, uint32_t *seen,
                       struct err *e)
{
    struct sql_rows rows;
    size_t limit = ask_for(r), n = 0;
    if (!start(r, db, range, &rows, e))
        return false;
    *seen = range.to;
    while (sql_next(&rows)) {
        uint32_t uid = message_uid(sql_get_int(&rows, 0));
        if (is_wanted(r, uid))
            read_row(r, &rows, next_row(r));
        if (++n == limit || is_full(r)) {
            *seen = uid;
            break;
        }
    }
    return sql_end(&rows, e);
}

bool reader_next(struct reader *r, struct sql *db, struct err *e)
{
    arena_reset(&r->arena);
    r->count = 0;
    for (struct uid_range range; !is_full(r) && next_range(r, &range);) {
        uint32_t seen;
        if (!read_range(r, db, range, &seen, e))
            return false;
        r->is_done = seen == r->to;
        r->from = r->is_done ? seen : seen + 1;
    }
    return true;
}

size_t run_length(const struct read_row *rows, size_t n, size_t at)
{
    size_t end = at + 1;
    while (end < n && rows[end].fetch.row.uid == rows[end - 1].fetch.row.uid + 1)
        end++;
    return end - at;
}
