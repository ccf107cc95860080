#include "trace/line.h"

#include "message/hex.h"

#include <string.h>

#define TIME_BYTES 24 /* 2026-11-24T12:00:00.123Z */

/* --- time --- */

static bool take_digits(struct str text, size_t at, size_t n, int64_t *out)
{
    uint32_t value;
    if (!str_to_u32(str_slice(text, at, n), &value))
        return false;
    *out = value;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar, by counting years from March. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

bool trace_time_read(struct str t, int64_t *at)
{
    static const struct {
        size_t at;
        char c;
    } MARKS[] = {{4, '-'}, {7, '-'}, {10, 'T'}, {13, ':'}, {16, ':'}, {19, '.'}, {23, 'Z'}};
    int64_t year, month, day, hour, minute, second, ms;
    if (t.n != TIME_BYTES)
        return false;
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++)
        if (t.p[MARKS[i].at] != MARKS[i].c)
            return false;
    if (!take_digits(t, 0, 4, &year) || !take_digits(t, 5, 2, &month) || !take_digits(t, 8, 2, &day) ||
        !take_digits(t, 11, 2, &hour) || !take_digits(t, 14, 2, &minute) || !take_digits(t, 17, 2, &second) ||
        !take_digits(t, 20, 3, &ms) || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60 || year < 1970)
        return false;
    *at = (((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* --- fields --- */

/* The escape that begins at the front of `in`, which is a backslash; returns its bytes. */
static size_t read_escape(struct str in, char *out)
{
    int high, low;
    if (in.n >= 6 && in.p[1] == 'u' && in.p[2] == '0' && in.p[3] == '0' && (high = hex_value(in.p[4])) >= 0 &&
        (low = hex_value(in.p[5])) >= 0) {
        *out = (char)(high << 4 | low);
        return 6;
    }
    *out = in.n >= 2 ? in.p[1] : '\\';
    return in.n >= 2 ? 2 : 1;
}

static struct str unescape(struct str raw, struct arena *a)
{
    size_t plain = str_find_byte(raw, '\\'), n = 0;
    if (plain == STR_NONE)
        return raw;
    char *to = arena_new(a, raw.n + 1, 1);
    for (; raw.n > 0; plain = str_find_byte(raw, '\\')) {
        struct str run = str_slice(raw, 0, plain);
        memcpy(to + n, run.p, run.n);
        n += run.n;
        raw = str_from_offset(raw, run.n);
        if (raw.n > 0)
            raw = str_from_offset(raw, read_escape(raw, &to[n++]));
    }
    return str_from(to, n);
}

/* Where the value ends that begins `s`: at the first quote that is not escaped. */
static size_t find_quote(struct str s)
{
    for (size_t at = 0; at < s.n; at++) {
        size_t quote = str_find_byte(str_from_offset(s, at), '"'), from;
        if (quote == STR_NONE)
            break;
        at += quote;
        for (from = at; from > 0 && s.p[from - 1] == '\\'; from--)
            continue;
        if ((at - from) % 2 == 0)
            return at;
    }
    return s.n;
}

/* The value at the front of *rest, which begins behind its opening quote; the end of the line closes it too.
 */
static struct str take_quoted(struct str *rest, struct arena *a)
{
    struct str raw = str_slice(*rest, 0, find_quote(*rest));
    *rest = str_from_offset(*rest, raw.n + 1);
    return unescape(raw, a);
}

static struct str take_word(struct str *rest)
{
    size_t end = str_find_byte(*rest, ' ');
    struct str word = str_slice(*rest, 0, end);
    *rest = str_from_offset(*rest, word.n);
    return word;
}

static bool take_field(struct str *rest, struct arena *a, struct trace_field *f)
{
    while (rest->n > 0 && rest->p[0] == ' ')
        *rest = str_from_offset(*rest, 1);
    size_t equals = str_find_byte(*rest, '=');
    if (equals == STR_NONE)
        return false;
    f->key = str_slice(*rest, 0, equals);
    *rest = str_from_offset(*rest, equals + 1);
    f->is_quoted = rest->n > 0 && rest->p[0] == '"';
    if (!f->is_quoted) {
        f->value = take_word(rest);
        return true;
    }
    *rest = str_from_offset(*rest, 1);
    f->value = take_quoted(rest, a);
    return true;
}

bool trace_line_read(struct str text, struct arena *a, struct trace_line *out)
{
    struct str rest = text, time, speaker;
    out->text = text;
    out->count = 0;
    if (!str_cut(&rest, ' ', &time) || !trace_time_read(time, &out->at) ||
        !str_cut(&rest, ' ', &out->level) || !str_cut(&rest, ' ', &speaker))
        return false;
    out->role = str_slice(speaker, 0, str_find_byte(speaker, '['));
    out->event = take_word(&rest);
    while (out->count < TRACE_FIELDS_MAX && take_field(&rest, a, &out->fields[out->count]))
        out->count++;
    return out->event.n > 0;
}

struct str trace_line_get(const struct trace_line *l, struct str key)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(l->fields[i].key, key))
            return l->fields[i].value;
    return STR("");
}
