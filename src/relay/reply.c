#include "relay/reply.h"

#include <string.h>

static void add_byte(struct reply *r, char c)
{
    if (r->n < sizeof r->text)
        r->text[r->n++] = c;
}

/* Printable ASCII only: the text goes into logs, reports and commands' output. */
static void add_text(struct reply *r, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i] == '\t' ? ' ' : s.p[i];
        add_byte(r, c >= ' ' && c < 127 ? c : '?');
    }
}

struct str reply_enhanced(struct str s)
{
    static const size_t MOST[] = {1, 3, 3}; /* digits: RFC 3463 section 2 */
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t from = at;
        while (at < s.n && at - from < MOST[part] && ascii_is_digit(s.p[at]))
            at++;
        if (at == from || (part < 2 && (at >= s.n || s.p[at++] != '.')))
            return STR("");
    }
    if ((at < s.n && s.p[at] != ' ') || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5'))
        return STR("");
    return str_slice(s, 0, at);
}

static bool take_code(struct str line, unsigned *code)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
        !ascii_is_digit(line.p[2]))
        return false;
    *code =
        (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
    return true;
}

/* A further line: without the status that the text has already. */
static struct str without_known_status(const struct reply *r, struct str words)
{
    struct str known = reply_enhanced(str_from_offset(reply_text(r), 4));
    struct str again = reply_enhanced(words);
    return again.n > 0 && str_eq(known, again) ? str_trim(str_from_offset(words, again.n)) : words;
}

enum reply_step reply_add_line(struct reply *r, struct str line, struct str *words)
{
    unsigned code;
    if (!take_code(line, &code) || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-') ||
        (r->lines > 0 && code != r->code) || ++r->lines > REPLY_LINES_MAX)
        return REPLY_BAD;
    bool more = line.n > 3 && line.p[3] == '-';
    *words = str_from_offset(line, 4);
    if (r->lines == 1) {
        r->code = code;
        add_text(r, str_slice(line, 0, 3));
    }
    struct str text = str_trim(r->lines == 1 ? *words : without_known_status(r, *words));
    if (text.n > 0) {
        add_byte(r, ' ');
        add_text(r, text);
    }
    return more ? REPLY_MORE : REPLY_DONE;
}

struct str reply_text(const struct reply *r)
{
    return str_from(r->text, r->n);
}

bool reply_is_good(const struct reply *r)
{
    return r->code >= 200 && r->code < 300;
}

enum queue_fate reply_fate(const struct reply *r)
{
    return reply_is_good(r) ? QUEUE_SENT : r->code >= 500 ? QUEUE_FAILED : QUEUE_DEFERRED;
}

bool reply_is_busy(const struct reply *r)
{
    struct str status = reply_enhanced(str_from_offset(reply_text(r), 4));
    return r->code == 421 ||
           (r->code / 100 == 4 && (str_eq(status, STR("4.3.2")) || str_eq(status, STR("4.4.5"))));
}
