#include "sendmail/message.h"

#include "message/header.h"

#include <string.h>

struct str sendmail_lines(struct str in, bool dot_is_text, struct arena *a)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    while (in.n > 0) {
        size_t end = 0;
        while (end < in.n && in.p[end] != '\n' && in.p[end] != '\r')
            end++;
        struct str line = str_slice(in, 0, end);
        bool is_crlf = end + 1 < in.n && in.p[end] == '\r' && in.p[end + 1] == '\n';
        in = str_from_offset(in, end + (is_crlf ? 2 : 1));
        if (!dot_is_text && str_eq(line, STR(".")))
            break;
        while (line.n > 0) {
            size_t nul = str_find_byte(line, '\0');
            buf_add(&out, str_slice(line, 0, nul));
            line = nul == STR_NONE ? STR("") : str_from_offset(line, nul + 1);
        }
        buf_add(&out, STR("\r\n"));
    }
    return arena_copy(a, buf_str(&out));
}

/* --- the header --- */

static bool is_folded(struct str line)
{
    return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* RFC 5322 section 2.2: a name of printable characters, and a colon; white space between them is obsolete but
 * there. */
static bool is_field(struct str line)
{
    size_t colon = str_find_byte(line, ':');
    struct str name = str_trim(str_slice(line, 0, colon));
    if (colon == STR_NONE || name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 127)
            return false;
    return true;
}

/* Bytes of the header, without the empty line. */
static size_t header_end(struct str lines)
{
    struct str rest = lines, line;
    size_t n = 0;
    while (rest.n > 0) {
        str_cut(&rest, '\n', &line);
        bool goes_on = is_field(line) || (n > 0 && is_folded(line) && str_trim(line).n > 0);
        if (!goes_on)
            break;
        n = lines.n - rest.n;
    }
    return n;
}

/* What mbox files have before each message. */
static struct str without_mbox_line(struct str lines)
{
    struct str rest = lines, line;
    if (!str_starts(lines, STR("From ")) && !str_starts(lines, STR(">From ")))
        return lines;
    str_cut(&rest, '\n', &line);
    return is_field(line) && str_find_byte(line, ':') < str_find_byte(line, ' ') ? lines : rest;
}

static void add_recipients(struct str value, struct arena *a, struct sendmail_message *out)
{
    struct address_list list = address_parse_list(value, a);
    struct address *more = ARENA_ARRAY(a, struct address, out->count + list.n + 1);
    for (size_t i = 0; i < out->count; i++)
        more[i] = out->recipients[i];
    out->recipients = more;
    for (size_t i = 0; i < list.n; i++)
        if (!list.v[i].group_start && !list.v[i].group_end && list.v[i].local.n > 0)
            more[out->count++] = list.v[i];
}

static void read_fields(struct str header, struct arena *a, struct sendmail_message *out)
{
    static const struct str PLAIN[] = {STR_INIT("To"), STR_INIT("Cc"), STR_INIT("Bcc")};
    static const struct str RESENT[] = {STR_INIT("Resent-To"), STR_INIT("Resent-Cc"), STR_INIT("Resent-Bcc")};
    struct str rest = header;
    struct header_field f;
    bool is_resent = false;
    while (header_next(&rest, &f)) {
        out->has_from |= str_eq_nocase(f.name, STR("From"));
        for (size_t i = 0; i < 3; i++)
            is_resent |= str_eq_nocase(f.name, RESENT[i]);
    }
    rest = header;
    while (header_next(&rest, &f))
        for (size_t i = 0; i < 3; i++)
            if (str_eq_nocase(f.name, is_resent ? RESENT[i] : PLAIN[i]))
                add_recipients(f.value, a, out);
}

static bool has_8bit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

void sendmail_message_read(struct str lines, struct str from, struct arena *a, struct sendmail_message *out)
{
    CLEAN_BUF struct buf text;
    *out = (struct sendmail_message){0};
    buf_init(&text, BUF_MAX_DEFAULT);
    lines = without_mbox_line(lines);
    size_t end = header_end(lines);
    struct str header = str_slice(lines, 0, end), body = str_from_offset(lines, end);
    read_fields(header, a, out);
    if (!out->has_from)
        buf_add(&text, from);
    buf_add(&text, header);
    if (!str_starts(body, STR("\r\n")))
        buf_add(&text, STR("\r\n"));
    buf_add(&text, body);
    out->has_8bit = has_8bit(buf_str(&text));
    out->text = arena_copy(a, buf_str(&text));
}
