/* Any line is a command within its bounds, or a fault; a path that was read, written and read again is the
 * same.
 */
#include "smtp/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_path(const struct smtp_command *c, struct arena *a)
{
    struct str text = smtp_path_text(&c->path, a);
    struct str line =
        arena_printf(a, "%s:<%.*s>", c->verb == SMTP_MAIL ? "MAIL FROM" : "RCPT TO", STR_ARGS(text));
    struct smtp_command again;
    for (size_t i = 0; i < text.n; i++)
        must((unsigned char)text.p[i] >= ' ' && (unsigned char)text.p[i] < 127);
    must(c->path.local.n > 0 || c->path.domain.n > 0 || text.n == 0 || text.p[0] == '"');
    must(smtp_parse(line, a, &again) == SMTP_GOOD && again.verb == c->verb);
    must(str_eq(again.path.local, c->path.local) && str_eq(again.path.domain, c->path.domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    enum smtp_fault fault = smtp_parse(str_from(data, size), &a, &c);
    must(fault < SMTP_FAULT_COUNT);
    if (fault == SMTP_NO_SUCH_VERB || fault == SMTP_BAD_BYTES)
        must(c.verb == SMTP_VERB_COUNT);
    else
        must(c.verb < SMTP_VERB_COUNT);
    if (fault != SMTP_GOOD)
        return 0;
    if (c.verb == SMTP_EHLO || c.verb == SMTP_HELO)
        must(c.argument.n > 0 && c.argument.n <= SMTP_HELO_MAX);
    if (c.verb == SMTP_MAIL || c.verb == SMTP_RCPT)
        check_path(&c, &a);
    return 0;
}
