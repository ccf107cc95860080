#include "message/header.h"

#include <string.h>

/* Length of the line end in front of `at`: CRLF, a bare LF, or nothing at the end of the bytes. */
static size_t line_end_before(struct str s, size_t at)
{
    if (at == 0 || s.p[at - 1] != '\n')
        return 0;
    return at >= 2 && s.p[at - 2] == '\r' ? 2 : 1;
}

/* Bytes of the first field with its continuation lines (RFC 5322 section 2.2.3): lines that start with white
 * space. *first_line is the length of its first line. */
static size_t field_length(struct str s, size_t *first_line)
{
    size_t at = 0;
    *first_line = 0;
    do {
        const char *lf = memchr(s.p + at, '\n', s.n - at);
        at = lf ? (size_t)(lf - s.p) + 1 : s.n;
        if (*first_line == 0)
            *first_line = at;
    } while (at < s.n && ascii_is_space(s.p[at]));
    return at;
}

/* The field name in front of the colon (RFC 5322 section 2.2, with the white space before the colon of
 * section 4.5); empty when it is none, as in mbox's "From joe Mon Jan 1 00:00:00". */
static struct str field_name(struct str line, size_t colon)
{
    struct str name = str_slice(line, 0, colon);
    while (name.n > 0 && ascii_is_space(name.p[name.n - 1]))
        name.n--;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f)
            return str_slice(name, 0, 0);
    return name;
}

bool header_next(struct str *rest, struct header_field *f)
{
    *f = (struct header_field){STR(""), STR(""), STR("")};
    if (rest->n == 0)
        return false;
    size_t empty_line = rest->p[0] == '\n'                                         ? 1
                        : rest->n >= 2 && rest->p[0] == '\r' && rest->p[1] == '\n' ? 2
                                                                                   : 0;
    if (empty_line > 0) {
        *rest = str_from_offset(*rest, empty_line);
        return false;
    }
    size_t first_line;
    f->whole = str_slice(*rest, 0, field_length(*rest, &first_line));
    *rest = str_from_offset(*rest, f->whole.n);

    struct str all = str_slice(f->whole, 0, f->whole.n - line_end_before(f->whole, f->whole.n));
    size_t colon = str_find_byte(str_slice(all, 0, first_line), ':');
    if (colon != STR_NONE)
        f->name = field_name(all, colon);
    f->value = f->name.n > 0 ? str_from_offset(all, colon + 1) : all;
    return true;
}

bool header_find(struct str message, struct str name, struct header_field *f)
{
    while (header_next(&message, f))
        if (str_eq_nocase(f->name, name))
            return true;
    return false;
}

size_t header_size(struct str message)
{
    /* The empty line is the first line, or follows a line end; nothing else can look like it, so that
     * fields need not be taken apart. */
    size_t at = 0;
    while (at < message.n) {
        const char *line = message.p + at;
        if (line[0] == '\n')
            return at + 1;
        if (line[0] == '\r' && message.n - at >= 2 && line[1] == '\n')
            return at + 2;
        const char *lf = memchr(line, '\n', message.n - at);
        at = lf ? (size_t)(lf - message.p) + 1 : message.n;
    }
    return message.n;
}

struct str header_unfold(struct str value, struct arena *a)
{
    value = str_trim(value);
    if (str_find_byte(value, '\n') == STR_NONE)
        return value;
    char *to = ARENA_ARRAY(a, char, value.n);
    size_t n = 0;
    while (value.n > 0) {
        size_t lf = str_find_byte(value, '\n');
        size_t line = lf == STR_NONE ? value.n : lf + 1;
        size_t keep = line - line_end_before(value, line);
        memcpy(to + n, value.p, keep);
        n += keep;
        value = str_from_offset(value, line);
    }
    return str_from(to, n);
}
