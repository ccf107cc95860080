/* A message on its way to a POP3 client: lines that begin with a dot get another one, and the end is
 * CRLF "." CRLF whatever the message ends in (RFC 1939 section 3). */
#include "base/mem.h"
#include "pop3/maildrop.h"

#include <string.h>

/* Read at a time: a stored chunk. */
#define PIECE_BYTES BODY_CHUNK

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

/* The bytes at `offset`. The database connection goes back at once: others need it while the client reads. */
static bool read_piece(struct maildrop *m, uint32_t uid, uint64_t offset, struct buf *piece, struct err *e)
{
    struct store_fetch *f;
    const struct fetch_row *row;
    buf_reset(piece);
    if (store_fetch_open(m->store, m->mailbox, &uid, 1, 0, &f, e) != STORE_OK)
        return false;
    if (!store_fetch_next(f, &row))
        return store_fetch_close(f, e) == STORE_OK &&
               err_set(e, ERR_PERMANENT, "message %u was deleted by another client", uid);
    bool read = store_fetch_body(f, offset, PIECE_BYTES, piece, e) == STORE_OK;
    return store_fetch_close(f, read ? e : NULL) == STORE_OK && read;
}

enum maildrop_sent maildrop_send(struct maildrop *m, const struct drop_message *message, uint64_t lines,
                                 struct stream *to, struct err *e)
{
    struct sender s = {
        .to = to, .in_header = true, .at_line_start = true, .line_is_empty = true, .lines_left = lines};
    CLEAN_BUF struct buf piece;
    buf_init(&piece, PIECE_BYTES);
    if (!read_piece(m, message->uid, 0, &piece, e))
        return MAILDROP_GONE;
    stream_writef(to, "+OK %llu octets\r\n", (unsigned long long)message->size);
    uint64_t at = piece.n;
    while (write_piece(&s, buf_str(&piece)) && at < message->size && to->write_failed == STREAM_OK) {
        if (!read_piece(m, message->uid, at, &piece, e))
            return MAILDROP_BROKEN;
        if (piece.n == 0)
            break;
        at += piece.n;
    }
    write_end(&s, at > 0);
    return MAILDROP_SENT;
}
