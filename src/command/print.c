/* What other servers answered and senders wrote, on a terminal or as JSON. */
#include "base/buf.h"
#include "command/parts.h"
#include "message/utf8.h"

#include <stdio.h>
#include <time.h>

void command_print_clean(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        putchar(c < ' ' || c == 127 ? ' ' : text.p[i]);
    }
}

void command_print_json(struct str text)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 6 * text.n + 8);
    buf_add_byte(&out, '"');
    for (size_t at = 0; at < text.n;) {
        uint32_t c = utf8_next(text, &at);
        if (c < ' ' || c == 127)
            buf_addf(&out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_addf(&out, "\\%c", (char)c);
        else
            utf8_add(&out, c);
    }
    buf_add_byte(&out, '"');
    fwrite(out.p, 1, out.n, stdout);
}

void command_print_moment(int64_t ms, bool with_day)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm = {0};
    localtime_r(&t, &tm);
    if (with_day)
        printf("%04d-%02d-%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    printf("%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

void command_print_transcript(struct str text)
{
    struct str line, moment;
    while (text.n > 0) {
        uint64_t ms;
        str_cut(&text, '\n', &line);
        if (!str_cut(&line, ' ', &moment) || !str_to_u64(moment, &ms))
            continue;
        printf("      ");
        command_print_moment((int64_t)ms, false);
        putchar(' ');
        command_print_clean(line);
        putchar('\n');
    }
}
