#include "imap/structure.h"

#include "imap/parse.h"
#include "message/mime.h"

/* The parts of message/rfc822 are two levels here: the message, and what it holds. */
#define STRUCTURE_DEPTH_MAX (2 * MIME_DEPTH_MAX + 8)

/* Steps over one value: a word, a string, or a list with all that is in it. */
static bool skip_value(struct imap_cursor *c)
{
    size_t depth = 0;
    do {
        struct str ignored;
        switch (imap_peek(c)) {
        case -1: return false;
        case '(': depth += imap_take_byte(c, '('); break;
        case ')':
            if (depth == 0)
                return false;
            depth -= imap_take_byte(c, ')');
            break;
        case ' ':
            if (depth == 0)
                return false;
            imap_take_space(c);
            break;
        case '"':
        case '{': {
            CLEAN_ARENA struct arena escapes = ARENA_INIT; /* the value itself is of no interest */
            if (!imap_take_string(c, &escapes, &ignored))
                return false;
            break;
        }
        default:
            if (!imap_take_atom(c, &ignored))
                return false;
        }
    } while (depth > 0);
    return true;
}

/* Copies `n` values that follow, with the spaces in front of all but the first. */
static bool copy_values(struct imap_cursor *c, unsigned n, struct buf *out)
{
    size_t from = c->at;
    for (unsigned i = 0; i < n; i++)
        if ((i > 0 && !imap_take_space(c)) || !skip_value(c))
            return false;
    return buf_add(out, str_slice(c->in, from, c->at - from));
}

static bool skip_to_close(struct imap_cursor *c)
{
    while (imap_peek(c) == ' ')
        if (!imap_take_space(c) || !skip_value(c))
            return false;
    return imap_take_byte(c, ')');
}

static bool copy_body(struct imap_cursor *c, unsigned depth, struct buf *out);

/* 1*body SP media-subtype */
static bool copy_multipart(struct imap_cursor *c, unsigned depth, struct buf *out)
{
    while (imap_peek(c) == '(')
        if (!copy_body(c, depth + 1, out))
            return false;
    return imap_take_space(c) && buf_add_byte(out, ' ') && copy_values(c, 1, out);
}

/* What stands behind the seven fields of every single part: of text its lines, of message/rfc822 its
 * envelope, its body and its lines; of all others nothing but extension data. */
static bool copy_type_fields(struct imap_cursor *c, struct str type, unsigned depth, struct buf *out)
{
    struct imap_cursor next = *c;
    if (!imap_take_space(&next))
        return true;
    if (str_eq_nocase(type, STR("\"text\"")) && imap_peek(&next) != '(') {
        *c = next;
        return buf_add_byte(out, ' ') && copy_values(c, 1, out);
    }
    if (str_eq_nocase(type, STR("\"message\"")) && imap_peek(&next) == '(') {
        *c = next;
        return buf_add_byte(out, ' ') && copy_values(c, 1, out) && imap_take_space(c) &&
               buf_add_byte(out, ' ') && copy_body(c, depth + 1, out) && imap_take_space(c) &&
               buf_add_byte(out, ' ') && copy_values(c, 1, out);
    }
    return true;
}

static bool copy_body(struct imap_cursor *c, unsigned depth, struct buf *out)
{
    if (depth > STRUCTURE_DEPTH_MAX || !imap_take_byte(c, '('))
        return false;
    buf_add_byte(out, '(');
    if (imap_peek(c) == '(') {
        if (!copy_multipart(c, depth, out))
            return false;
    } else {
        size_t at = c->at;
        if (!copy_values(c, 1, out))
            return false;
        struct str type = str_slice(c->in, at, c->at - at);
        if (!imap_take_space(c) || !buf_add_byte(out, ' ') || !copy_values(c, 6, out) ||
            !copy_type_fields(c, type, depth, out))
            return false;
    }
    return skip_to_close(c) && buf_add_byte(out, ')');
}

bool imap_add_body(struct buf *out, struct str bodystructure)
{
    struct imap_cursor c = {.in = bodystructure};
    size_t before = out->n;
    if (copy_body(&c, 0, out) && imap_take_end(&c))
        return true;
    buf_truncate(out, before);
    return false;
}
