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
        must((unsigned char)text.p[i] >= ' ' && text.p[i] != 127);
    must(c->path.local.n > 0 || c->path.domain.n > 0 || text.n == 0 || text.p[0] == '"');
    if (c->verb == SMTP_MAIL && !smtp_path_is_ascii(&c->path))
        line = arena_printf(a, "%.*s SMTPUTF8", STR_ARGS(line));
    must(smtp_parse(line, EXTENSIONS_ALL, a, &again) == SMTP_GOOD && again.verb == c->verb);
    must(str_eq(again.path.local, c->path.local) && str_eq(again.path.domain, c->path.domain));
}

/* What is kept of the parameters fits into a frame, and cannot end a line wherever it is written. */
static void check_envelope(const struct smtp_command *c)
{
    const struct str texts[] = {c->mail.asked.id, c->rcpt.original, c->mail.solicit};
    must(texts[0].n <= ENVELOPE_ID_MAX && texts[1].n <= ENVELOPE_ORIGINAL_MAX &&
         texts[2].n <= SMTP_SOLICIT_MAX);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < texts[i].n; k++)
            must((unsigned char)texts[i].p[k] >= ' ' || texts[i].p[k] == '\t');
    must(c->mail.asked.priority >= -ENVELOPE_PRIORITY_MAX && c->mail.asked.priority <= ENVELOPE_PRIORITY_MAX);
    must(c->mail.hold_for_s >= 0 && c->mail.asked.hold_until >= 0);
    must(c->mail.asked.by != ENVELOPE_BY_RETURN || c->mail.by_s > 0);
    must(c->rcpt.notify == ENVELOPE_NOTIFY_NEVER || !(c->rcpt.notify & ENVELOPE_NOTIFY_NEVER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    enum smtp_fault fault = smtp_parse(str_from(data, size), EXTENSIONS_ALL, &a, &c);
    must(fault < SMTP_FAULT_COUNT);
    if (fault == SMTP_NO_SUCH_VERB || fault == SMTP_BAD_BYTES)
        must(c.verb == SMTP_VERB_COUNT);
    else
        must(c.verb < SMTP_VERB_COUNT);
    if (fault != SMTP_GOOD)
        return 0;
    if (c.verb == SMTP_EHLO || c.verb == SMTP_HELO || c.verb == SMTP_LHLO)
        must(c.argument.n > 0 && c.argument.n <= SMTP_HELO_MAX);
    if (c.verb == SMTP_MAIL || c.verb == SMTP_RCPT)
        check_path(&c, &a);
    if (c.verb == SMTP_MAIL || c.verb == SMTP_RCPT)
        check_envelope(&c);
    return 0;
}
