/* CATENATE (RFC 4469): a message made of texts that the client sends and of bytes that are here already,
 * which it names by URLs. */
#include "imap/append.h"
#include "imap/rights.h"

#include "config/config.h"
#include "imap/section.h"
#include "imap/url.h"
#include "message/parts.h"

#include <string.h>

/* Copied at a time. */
#define PIECE ((size_t)64 * 1024)

/* NO [BADURL "..."] with the URL in characters that a response code may hold (section 4). */
static bool bad_url(struct append *a, struct str url, const char *why)
{
    struct arena *arena = &a->session->arena;
    char *p = ARENA_ARRAY(arena, char, url.n + 1);
    for (size_t i = 0; i < url.n; i++)
        p[i] = url.p[i] > ' ' && url.p[i] < 0x7f && !strchr("\"\\]", url.p[i]) ? url.p[i] : '?';
    return append_fail(a, imap_no(a->session, "[BADURL \"%.*s\"] %s", STR_ARGS(str_from(p, url.n)), why));
}

/* The mailbox that a URL names. */
static enum store_result find_mailbox(struct imap_session *s, const struct imap_url *u, struct mailbox *m,
                                      struct err *e)
{
    struct str name = u->mailbox;
    if (name.n == 0 || u->is_below) {
        enum store_result r =
            s->is_selected ? store_mailbox_by_id(s->store, s->mailbox, &s->arena, m, e) : STORE_NONE;
        if (r != STORE_OK || name.n == 0)
            return r;
        name = arena_printf(&s->arena, "%.*s%c%.*s", STR_ARGS(m->name), MAILBOX_DELIMITER, STR_ARGS(name));
    }
    return imap_find(s, name, RIGHT_READ, m, NULL, e);
}

/* Whether it is this server and its user whom the URL means. */
static bool is_ours(const struct imap_session *s, const struct imap_url *u)
{
    return (u->host.n == 0 || str_eq_nocase(u->host, s->host->config->hostname)) &&
           (u->user.n == 0 || str_eq_nocase(u->user, s->user));
}

/* A message that is being copied from. */
struct source {
    struct append *a;
    struct incoming *to;
    struct str url;
    struct store_fetch *rows;
    const struct fetch_row *row;
};

static bool read_piece(struct source *f, uint64_t at, uint64_t n, struct buf *piece)
{
    struct err e = ERR_INIT;
    buf_reset(piece);
    enum store_result r = store_fetch_body(f->rows, at, n, piece, &e);
    if (r == STORE_OK && piece->n == n)
        return true;
    if (r == STORE_OK)
        return bad_url(f->a, f->url, "The message ends before that");
    return append_fail(f->a, imap_no_store(f->a->session, r, &e));
}

static bool add(struct source *f, struct str bytes)
{
    if (!append_room(f->a, f->to, bytes.n))
        return false;
    if (bytes.n > 0)
        memcpy(f->to->bytes + f->to->n, bytes.p, bytes.n);
    f->to->n += bytes.n;
    return true;
}

static bool add_fields(struct source *f, const struct fetch_section *s, const struct section_extent *header,
                       struct buf *piece)
{
    CLEAN_BUF struct buf chosen;
    buf_init(&chosen, BUF_MAX_DEFAULT);
    if (!read_piece(f, header->at, header->size, piece))
        return false;
    section_choose_fields(s, buf_str(piece), &chosen);
    uint64_t skip, n;
    section_clamp(s, chosen.n, &skip, &n);
    return add(f, str_slice(buf_str(&chosen), (size_t)skip, (size_t)n));
}

static bool add_extent(struct source *f, const struct fetch_section *s, const struct section_extent *e,
                       struct buf *piece)
{
    uint64_t skip, n;
    section_clamp(s, e->size, &skip, &n);
    if (!append_room(f->a, f->to, n)) /* too much is refused before any of it is read */
        return false;
    f->a->bytes -= n;
    for (uint64_t at = e->at + skip, end = at + n; at < end; at += piece->n)
        if (!read_piece(f, at, end - at < PIECE ? end - at : PIECE, piece) || !add(f, buf_str(piece)))
            return false;
    return true;
}

static bool copy_section(struct source *f, const struct fetch_section *s)
{
    CLEAN_BUF struct buf piece;
    buf_init(&piece, BUF_MAX_DEFAULT);
    struct mime_part *root =
        section_needs_parts(s) ? parts_unpack(f->row->parts, &f->a->session->arena) : NULL;
    struct section_extent e = section_locate(s, root, f->row->row.size);
    if (!e.exists)
        return bad_url(f->a, f->url, "The message has no such part");
    return section_has_fields(s) ? add_fields(f, s, &e, &piece) : add_extent(f, s, &e, &piece);
}

static bool copy_message(struct source *f, const struct mailbox *m, const struct imap_url *u)
{
    struct err e = ERR_INIT, closing = ERR_INIT;
    enum store_result r = store_fetch_open(f->a->session->store, m->id, &u->uid, 1, WANT_PARTS, &f->rows, &e);
    if (r != STORE_OK)
        return append_fail(f->a, imap_no_store(f->a->session, r, &e));
    bool found = store_fetch_next(f->rows, &f->row);
    bool good = found && copy_section(f, &u->section);
    r = store_fetch_close(f->rows, &closing);
    if (!found && r == STORE_OK)
        return bad_url(f->a, f->url, "There is no such message");
    return good || (found ? false : append_fail(f->a, imap_no_store(f->a->session, r, &closing)));
}

static bool add_url(struct append *a, struct incoming *to, struct str text)
{
    struct imap_session *s = a->session;
    struct imap_url u;
    struct mailbox m;
    struct err e = ERR_INIT;
    const char *problem;
    if (!imap_parse_url(text, &s->arena, &u, &problem))
        return bad_url(a, text, problem);
    if (!is_ours(s, &u))
        return bad_url(a, text, "Only messages of this account can be used");
    enum store_result r = find_mailbox(s, &u, &m, &e);
    if (r == STORE_NONE || r == STORE_INVALID || (r == STORE_OK && !m.selectable))
        return bad_url(a, text, "There is no such mailbox");
    if (r != STORE_OK)
        return append_fail(a, imap_no_store(s, r, &e));
    if (u.uidvalidity != 0 && u.uidvalidity != m.uidvalidity)
        return bad_url(a, text, "The mailbox has another UIDVALIDITY");
    struct source f = {.a = a, .to = to, .url = text};
    return copy_message(&f, &m, &u);
}

/* astring, which may be a literal that is not read yet: it is, with the line behind it. */
static bool take_url(struct append *a, struct str *url)
{
    struct imap_reader *r = &a->session->reader;
    enum imap_read_result got = IMAP_READ_DONE;
    if (imap_peek(a->c) == '{' && r->has_literal) {
        struct deadline d = deadline_in(IMAP_COMMAND_MS);
        got = imap_read_literal(r, d);
        if (got == IMAP_READ_DONE)
            got = imap_read_line(r, d);
        a->c->in = buf_str(&r->command);
    }
    if (got == IMAP_READ_CLOSED || got == IMAP_READ_TIMEOUT || got == IMAP_READ_TOO_LONG)
        return append_fail(a, IMAP_LOST);
    if (got == IMAP_READ_TOO_BIG)
        return append_fail(
            a, imap_bad(a->session, "[TOOBIG] The command is longer than %zu bytes", IMAP_COMMAND_MAX));
    if (got == IMAP_READ_BARE_LF)
        return append_fail(a, imap_bad(a->session, "Lines end in CRLF, not in LF alone"));
    if (!imap_take_astring(a->c, &a->session->arena, url))
        return append_fail_syntax(a);
    *url = arena_copy(&a->session->arena, *url); /* the line that it stands in goes with the next literal */
    return true;
}

/* cat-part, with utf8-literal of RFC 6855 section 4 */
static bool take_part(struct append *a, struct incoming *m)
{
    struct imap_cursor *c = a->c;
    struct str url = STR("");
    if (imap_take_word(c, STR("URL"))) {
        if (!imap_take_space(c))
            return append_fail_syntax(a);
        return take_url(a, &url) && add_url(a, m, url);
    }
    if (imap_take_word(c, STR("TEXT")))
        return (imap_take_space(c) || append_fail_syntax(a)) && append_take_literal(a, m, true);
    if (imap_take_word(c, STR("UTF8")) && imap_take_space(c) && imap_take_byte(c, '('))
        return append_take_literal(a, m, true) && (imap_take_byte(c, ')') || append_fail_syntax(a));
    c->problem = "expected URL, TEXT or UTF8";
    return append_fail_syntax(a);
}

bool append_take_catenate(struct append *a, struct incoming *m)
{
    struct imap_cursor *c = a->c;
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return append_fail_syntax(a);
    do {
        if (!take_part(a, m))
            return false;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    if (!imap_take_byte(c, ')'))
        return append_fail_syntax(a);
    return m->n > 0 || append_fail(a, imap_no(a->session, "[CANNOT] A message has at least one byte"));
}
