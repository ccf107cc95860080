#include "relay/transcript.h"

#include "base/clock.h"
#include "base/format.h"
#include "message/control.h"
#include "message/utf8.h"

#include <string.h>

#define HEAD_BYTES_MAX (TRANSCRIPT_BYTES_MAX / 2)
#define USUAL_BYTES    ((size_t)1024) /* of a message over a connection that is open */

void transcript_begin(struct transcript *t)
{
    *t = (struct transcript){0};
    buf_init(&t->text, 2 * TRANSCRIPT_BYTES_MAX);
}

void transcript_free(struct transcript *t)
{
    buf_free(&t->text);
}

/* It goes into a database, onto terminals and into reports: printable UTF-8. */
static void add_printable(struct buf *out, struct str s)
{
    size_t plain = 0;
    if (utf8_is_ascii(s) && !control_is_in(s)) { /* nearly every line */
        buf_add(out, s);
        return;
    }
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        uint32_t c = utf8_next(s, &at);
        bool is_bad = c < ' ' || (c >= 127 && c < 160) || (c == 0xfffd && at - from == 1);
        if (!is_bad)
            continue;
        buf_add(out, str_slice(s, plain, from - plain));
        buf_add_byte(out, '?');
        plain = at;
    }
    buf_add(out, str_from_offset(s, plain));
}

/* Takes the oldest line behind the head out. */
static void drop_line(struct transcript *t)
{
    struct str tail = str_from_offset(buf_str(&t->text), t->head);
    size_t end = str_find_byte(tail, '\n');
    size_t n = end == STR_NONE ? tail.n : end + 1;
    memmove(t->text.p + t->head, t->text.p + t->head + n, tail.n - n);
    buf_truncate(&t->text, t->text.n - n);
    t->left_out++;
}

static void add_moment(struct transcript *t)
{
    int64_t now_ms = clock_wall_ms();
    if (now_ms == t->moment_ms) {
        buf_add(&t->text, str_from(t->moment, t->moment_n));
        return;
    }
    size_t from = t->text.n;
    buf_add_u64(&t->text, (uint64_t)now_ms);
    t->moment_ms = now_ms;
    t->moment_n = t->text.n - from;
    memcpy(t->moment, t->text.p + from, t->moment_n);
}

void transcript_add(struct transcript *t, enum transcript_mark mark, struct str line)
{
    if (!t)
        return;
    const char before[] = {' ', (char)mark, ' '};
    size_t from = t->text.n;
    if (from == 0)
        buf_room(&t->text, USUAL_BYTES);
    add_moment(t);
    buf_add(&t->text, str_from(before, sizeof before));
    add_printable(&t->text, str_slice(line, 0, TRANSCRIPT_LINE_MAX));
    buf_add_byte(&t->text, '\n');
    if (t->head == from && t->text.n <= HEAD_BYTES_MAX)
        t->head = t->text.n;
    while (t->text.n > TRANSCRIPT_BYTES_MAX)
        drop_line(t);
}

void transcript_addf(struct transcript *t, enum transcript_mark mark, const char *format, ...)
{
    char line[TRANSCRIPT_LINE_MAX + 1];
    if (!t)
        return;
    va_list args;
    va_start(args, format);
    size_t n = format_text(line, sizeof line, format, args);
    va_end(args);
    transcript_add(t, mark, str_from(line, n < sizeof line ? n : sizeof line - 1));
}

struct str transcript_text(const struct transcript *t, struct arena *a)
{
    struct str all = buf_str(&t->text), head = str_slice(all, 0, t->head);
    struct str tail = str_from_offset(all, t->head), rest = tail, when;
    if (t->left_out == 0 || !str_cut(&rest, ' ', &when))
        return all;
    return arena_printf(a, "%.*s%.*s * %zu lines are left out here\n%.*s", STR_ARGS(head), STR_ARGS(when),
                        t->left_out, STR_ARGS(tail));
}
