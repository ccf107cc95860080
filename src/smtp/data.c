#include "smtp/data.h"

#include <string.h>

static void set_fault(struct data_scanner *s, enum data_fault fault)
{
    if (s->fault == DATA_CLEAN)
        s->fault = fault;
}

/* One line, or the piece of one that the block holds, from a line start or from inside. Returns its bytes,
 * with CRLF. */
static size_t scan_line(struct data_scanner *s, struct str in)
{
    size_t lf = str_find_byte(in, '\n');
    struct str line = str_slice(in, 0, lf);
    size_t cr = str_find_byte(line, '\r');
    bool ends_in_cr = cr != STR_NONE && cr == line.n - 1;
    if (cr != STR_NONE && !ends_in_cr)
        set_fault(s, DATA_BARE_CR);
    if (lf == STR_NONE) {
        bool maybe_crlf = line.n > 0 && line.p[line.n - 1] == '\r';
        s->state = maybe_crlf ? DATA_CR : DATA_TEXT;
        return line.n;
    }
    if (line.n == 0 || line.p[line.n - 1] != '\r') {
        set_fault(s, DATA_BARE_LF);
        s->state = DATA_TEXT; /* not a line end: a dot behind it is text */
    } else {
        s->state = DATA_LINE_START;
    }
    return lf + 1;
}

/* The states that hang on a single byte. Returns whether that byte is content and has been taken. */
static bool step(struct data_scanner *s, char c)
{
    switch (s->state) {
    case DATA_CR:
        if (c == '\n') {
            s->state = DATA_LINE_START;
            return true;
        }
        set_fault(s, DATA_BARE_CR);
        break;
    case DATA_DOT_CR: set_fault(s, DATA_BARE_CR); break;
    default: break;
    }
    s->state = DATA_TEXT; /* the byte is looked at again, as the beginning of text */
    return false;
}

static void check_nul(struct data_scanner *s, struct str content)
{
    if (content.n > 0 && memchr(content.p, '\0', content.n))
        set_fault(s, DATA_NUL);
}

size_t data_scan(struct data_scanner *s, struct str in, struct str *content)
{
    size_t at = 0, from = 0;
    bool in_content = false; /* content lies at [from, at) */
    while (at < in.n && s->state != DATA_END) {
        char c = in.p[at];
        if (s->state == DATA_LINE_START && c == '.') {
            if (in_content)
                break; /* the dot parts what is before it from what is after it */
            s->state = DATA_DOT;
            at++;
        } else if (s->state == DATA_DOT && c == '\r') {
            s->state = DATA_DOT_CR;
            at++;
        } else if (s->state == DATA_DOT_CR && c == '\n') {
            s->state = DATA_END;
            at++;
        } else {
            if (!in_content)
                from = at;
            in_content = true;
            bool per_line = s->state == DATA_LINE_START || s->state == DATA_TEXT;
            if (per_line)
                at += scan_line(s, str_from_offset(in, at));
            else if (step(s, c))
                at++;
        }
    }
    *content = in_content ? str_slice(in, from, at - from) : str_slice(in, at, 0);
    check_nul(s, *content);
    return at;
}

void data_check(struct data_scanner *s, struct str in)
{
    size_t at = 0;
    while (at < in.n) {
        if (s->state != DATA_CR)
            at += scan_line(s, str_from_offset(in, at));
        else if (step(s, in.p[at]))
            at++;
    }
    check_nul(s, in);
}

void data_check_end(struct data_scanner *s)
{
    if (s->state == DATA_CR)
        set_fault(s, DATA_BARE_CR);
}
