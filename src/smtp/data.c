#include "smtp/data.h"

#include <string.h>

static void set_fault(struct data_scanner *s, enum data_fault fault)
{
    if (s->fault == DATA_CLEAN)
        s->fault = fault;
}

/* Lines, from a line start or from inside one: all that the block holds, or with `to_dot` those before one
 * that begins with a dot. Returns their bytes. Every byte of a message passes here, so it is libc that looks
 * at them. */
static size_t scan_lines(struct data_scanner *s, struct str in, bool to_dot)
{
    size_t at = 0;
    do {
        const char *line = in.p + at, *lf = memchr(line, '\n', in.n - at);
        size_t n = lf ? (size_t)(lf - line) : in.n - at;
        bool ends_in_cr = n > 0 && line[n - 1] == '\r';
        if (memchr(line, '\r', n - ends_in_cr))
            set_fault(s, DATA_BARE_CR);
        if (!lf) {
            s->state = ends_in_cr ? DATA_CR : DATA_TEXT;
            return in.n;
        }
        if (!ends_in_cr)
            set_fault(s, DATA_BARE_LF);
        s->state = ends_in_cr ? DATA_LINE_START : DATA_TEXT; /* a dot behind what is no line end is text */
        at += n + 1;
    } while (at < in.n && !(to_dot && s->state == DATA_LINE_START && in.p[at] == '.'));
    return at;
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
            bool in_lines = s->state == DATA_LINE_START || s->state == DATA_TEXT;
            if (in_lines)
                at += scan_lines(s, str_from_offset(in, at), true);
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
            at += scan_lines(s, str_from_offset(in, at), false);
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
