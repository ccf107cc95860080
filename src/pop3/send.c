/* A message on its way to a POP3 client: lines that begin with a dot get another one, and the end is
 * CRLF "." CRLF whatever the message ends in (RFC 1939 section 3). */
#include "base/mem.h"
#include "pop3/maildrop.h"

#include <string.h>

/* Read at a time: a stored chunk. */
#define PIECE_BYTES BODY_CHUNK

/* --- what is written --- */

struct sender {
    struct stream *to;
    bool in_header;
    bool at_line_start;
    bool line_is_empty;  /* nothing but CR has come since the line began */
    uint64_t lines_left; /* of the body */
    char last[2];        /* bytes written */
};

static void write_bytes(struct sender *s, struct str bytes)
{
    stream_write(s->to, bytes);
    for (size_t i = bytes.n > 2 ? bytes.n - 2 : 0; i < bytes.n; i++) {
        s->last[0] = s->last[1];
        s->last[1] = bytes.p[i];
    }
}

/* The line that ended was the header's last, or one of the body. */
static void end_line(struct sender *s)
{
    if (s->in_header && s->line_is_empty)
        s->in_header = false;
    else if (!s->in_header && s->lines_left != MAILDROP_ALL_LINES)
        s->lines_left--;
    s->at_line_start = true;
    s->line_is_empty = true;
}

/* A line ends at LF: stored mail may hold bare ones, and a client that takes them for line ends must still
 * see its dots doubled. False: all lines that were asked for are out. */
static bool write_piece(struct sender *s, struct str piece)
{
    size_t written = 0, at = 0;
    while (at < piece.n && (s->in_header || s->lines_left > 0)) {
        if (s->at_line_start && piece.p[at] == '.') {
            write_bytes(s, str_slice(piece, written, at - written));
            stream_write(s->to, STR("."));
            written = at;
        }
        s->at_line_start = false;
        size_t n = str_find_byte(str_from_offset(piece, at), '\n');
        size_t end = n == STR_NONE ? piece.n : at + n;
        for (; at < end && s->line_is_empty; at++)
            s->line_is_empty = piece.p[at] == '\r';
        at = end;
        if (n != STR_NONE) {
            at++;
            end_line(s);
        }
    }
    write_bytes(s, str_slice(piece, written, at - written));
    return s->in_header || s->lines_left > 0;
}

static void write_end(struct sender *s, bool wrote_anything)
{
    if (wrote_anything && (s->last[0] != '\r' || s->last[1] != '\n'))
        stream_write(s->to, STR("\r\n"));
    stream_write(s->to, STR(".\r\n"));
}

/* --- what is read --- */

/* So many messages are asked of the store at once: a client that fetches all of them asks for one after the
 * other. Between two such requests a pack of bodies that both want is expanded again. */
#define ROWS_AT_ONCE 1024

void maildrop_rest(struct maildrop *m)
{
    if (m->fetch)
        store_fetch_close(m->fetch, NULL);
    m->fetch = NULL;
    m->piece_of = SIZE_MAX;
    buf_free(&m->piece);
}

static bool open_at(struct maildrop *m, size_t i, struct err *e)
{
    uint32_t uids[ROWS_AT_ONCE];
    size_t n = m->n - i < ROWS_AT_ONCE ? m->n - i : ROWS_AT_ONCE;
    for (size_t k = 0; k < n; k++)
        uids[k] = m->v[i + k].uid;
    maildrop_rest(m);
    m->fetch_next = i;
    return store_fetch_open(m->store, m->mailbox, uids, n, 0, &m->fetch, e) == STORE_OK;
}

static bool find_next_row(struct maildrop *m, size_t i)
{
    const struct fetch_row *row;
    if (!m->fetch || m->fetch_next != i || !store_fetch_next(m->fetch, &row))
        return false;
    m->fetch_next = i + 1;
    return row->row.uid == m->v[i].uid;
}

/* Puts `fetch` at v[i]: its next row, or the first of a new batch. The row of a batch may be that of a
 * message which another client has deleted since: its bytes are kept for days, and this session has it. */
static bool seek(struct maildrop *m, size_t i, struct err *e)
{
    struct err failure = ERR_INIT;
    if (find_next_row(m, i) || (open_at(m, i, e) && find_next_row(m, i)))
        return true;
    if (m->fetch && store_fetch_close(m->fetch, &failure) != STORE_OK)
        err_set(e, failure.kind, "%s", failure.text);
    else
        err_set(e, ERR_PERMANENT, "message %u was deleted by another client", m->v[i].uid);
    m->fetch = NULL;
    maildrop_rest(m);
    return false;
}

/* The database connection goes back at once: others need it while the client reads. */
static bool read_piece(struct maildrop *m, uint64_t offset, struct err *e)
{
    buf_reset(&m->piece);
    if (store_fetch_body(m->fetch, offset, PIECE_BYTES, &m->piece, e) == STORE_OK)
        return true;
    maildrop_rest(m);
    return false;
}

static bool read_first_piece(struct maildrop *m, size_t i, struct err *e)
{
    if (m->piece_of == i)
        return true;
    m->piece_of = SIZE_MAX;
    if (!seek(m, i, e) || !read_piece(m, 0, e))
        return false;
    m->piece_of = i;
    return true;
}

void maildrop_read_ahead(struct maildrop *m, size_t i)
{
    read_first_piece(m, i, NULL);
}

enum maildrop_sent maildrop_send(struct maildrop *m, size_t i, uint64_t lines, struct stream *to,
                                 struct err *e)
{
    struct sender s = {
        .to = to, .in_header = true, .at_line_start = true, .line_is_empty = true, .lines_left = lines};
    const uint32_t size = m->v[i].size;
    if (!read_first_piece(m, i, e))
        return MAILDROP_GONE;
    m->piece_of = SIZE_MAX; /* from here on it may be another piece */
    stream_writef(to, "+OK %u octets\r\n", size);
    uint64_t at = m->piece.n;
    while (write_piece(&s, buf_str(&m->piece)) && at < size && to->write_failed == STREAM_OK) {
        if (!read_piece(m, at, e))
            return MAILDROP_BROKEN;
        if (m->piece.n == 0)
            break;
        at += m->piece.n;
    }
    write_end(&s, at > 0);
    return MAILDROP_SENT;
}
