#include "message/message_id.h"

/* What stands in quotes at the front of s, without them: "\" makes the next byte one like others. Returns how
 * many bytes it takes; 0: the quote is never closed. */
static size_t add_quoted(struct str s, struct buf *id)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        if (s.p[i] != '\r' && s.p[i] != '\n')
            buf_add_byte(id, s.p[i]);
    }
    return 0;
}

/* The id behind "<" at the front of s; how many bytes it takes with both brackets; 0: it is none. */
static size_t read_id(struct str s, struct buf *id)
{
    buf_reset(id);
    for (size_t i = 1, n; i < s.n; i += n) {
        char c = s.p[i];
        n = 1;
        if (c == '>')
            return id->n > 0 ? i + 1 : 0;
        if (c == '<')
            return 0; /* the next may be one */
        if (c == '"') {
            n = add_quoted(str_from_offset(s, i), id);
            if (n == 0)
                return 0;
        } else if (!ascii_is_space(c) && c != '\r' && c != '\n') {
            buf_add_byte(id, c);
        }
    }
    return 0;
}

bool message_id_take(struct str *rest, struct buf *id)
{
    for (;;) {
        size_t at = str_find_byte(*rest, '<');
        *rest = str_from_offset(*rest, at == STR_NONE ? rest->n : at);
        if (rest->n == 0)
            return false;
        size_t n = read_id(*rest, id);
        *rest = str_from_offset(*rest, n > 0 ? n : 1);
        if (n > 0)
            return true;
    }
}
