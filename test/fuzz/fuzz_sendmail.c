/* What a program pipes into sendmail: whatever it is, what comes out is a message that smtp takes: every line
 * ends in CRLF and has no other CR, LF or NUL, there is an empty line, made again it stays the same, and its
 * recipients are addresses that can stand in a command. And a file of the maildrop, which any user may write.
 */
#include "sendmail/drop.h"
#include "sendmail/message.h"

#include <stdlib.h>

static void check_lines(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) ||
            (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
            abort();
    if (s.n > 0 && !str_ends(s, STR("\r\n")))
        abort();
}

static void check_path(struct str p)
{
    for (size_t i = 0; i < p.n; i++)
        if ((unsigned char)p.p[i] < ' ' || p.p[i] == 127 || p.p[i] == '<' || p.p[i] == '>')
            abort();
}

static void check_drop(struct str in, struct arena *a)
{
    struct sendmail_letter l;
    if (!drop_read(in, a, &l, NULL))
        return;
    check_path(l.sender);
    for (size_t i = 0; i < l.count; i++)
        check_path(l.recipients[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from(data, size), from = STR("From: <me@x.test>\r\n"), path;
    struct arena a = ARENA_INIT;
    struct sendmail_message m, again;
    struct str lines = sendmail_lines(in, size % 2 == 0, &a);
    check_lines(lines);
    sendmail_message_read(lines, from, &a, &m);
    check_lines(m.text);
    if (str_find(m.text, STR("\r\n\r\n")) == STR_NONE && !str_starts(m.text, STR("\r\n")))
        abort();
    for (size_t i = 0; i < m.count; i++)
        if (sendmail_path(m.recipients[i].local, m.recipients[i].domain, &a, &path))
            check_path(path);
    sendmail_message_read(m.text, from, &a, &again);
    if (!str_starts(m.text, STR("From ")) && !str_starts(m.text, STR(">From ")) &&
        (!str_eq(m.text, again.text) || m.count != again.count))
        abort();
    check_drop(in, &a);
    arena_free(&a);
    return 0;
}
