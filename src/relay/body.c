#include "relay/body.h"

#include <string.h>

struct body body_of(struct str message)
{
    return (struct body){.rest = message, .at = BODY_LINE_START};
}

/* Where the bytes stop that can be sent as they are, seen from within a line. */
struct stop {
    size_t at;   /* so many bytes come first */
    size_t skip; /* and so many after them are dropped: a bare CR or LF */
    bool is_line_end;
};

static size_t find(struct str s, size_t from, size_t to, char c)
{
    const char *p = memchr(s.p + from, c, to - from);
    return p ? (size_t)(p - s.p) : to;
}

static struct stop find_stop(struct str s)
{
    size_t line = 0;
    for (;;) {
        size_t lf = find(s, line, s.n, '\n');
        bool has_lf = lf < s.n, is_crlf = has_lf && lf > line && s.p[lf - 1] == '\r';
        size_t text_end = is_crlf ? lf - 1 : lf;
        size_t cr = find(s, line, text_end, '\r');
        if (cr < text_end)
            return (struct stop){.at = cr, .skip = 1, .is_line_end = true};
        if (has_lf && !is_crlf)
            return (struct stop){.at = lf, .skip = 1, .is_line_end = true};
        if (!has_lf)
            return (struct stop){.at = s.n};
        line = lf + 1;
        if (line < s.n && s.p[line] == '.')
            return (struct stop){.at = line};
    }
}

bool body_next(struct body *b, struct str *piece)
{
    bool ends_in_line = b->rest.n == 0 && b->at == BODY_IN_LINE;
    if (b->at == BODY_OWES_CRLF || ends_in_line) {
        b->at = BODY_LINE_START;
        *piece = STR("\r\n");
        return true;
    }
    if (b->rest.n == 0)
        return false;
    if (b->at == BODY_LINE_START && b->rest.p[0] == '.') {
        b->at = BODY_IN_LINE;
        *piece = STR(".");
        return true;
    }
    struct stop stop = find_stop(b->rest);
    *piece = str_slice(b->rest, 0, stop.at);
    b->rest = str_from_offset(b->rest, stop.at + stop.skip);
    if (stop.is_line_end)
        b->at = BODY_OWES_CRLF;
    else
        b->at = str_ends(*piece, STR("\r\n")) ? BODY_LINE_START : BODY_IN_LINE;
    return piece->n > 0 || body_next(b, piece);
}

bool body_is_lines(struct str s)
{
    size_t line = 0;
    while (line < s.n) {
        size_t lf = find(s, line, s.n, '\n');
        if (lf == s.n || lf == line || find(s, line, lf, '\r') != lf - 1)
            return false;
        line = lf + 1;
    }
    return true;
}
