/* Any line is a command whose arguments lie inside it and are in their bounds, or is refused with words. */
#include "pop3/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_in(struct str part, struct str whole)
{
    if (part.n > 0 && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = str_from(data, size);
    struct pop3_command c;
    const char *problem = NULL;
    if (!pop3_parse(line, &c, &problem))
        return problem ? 0 : (abort(), 0);
    if (c.verb == POP3_UNKNOWN || (c.has_number && c.number == 0))
        abort();
    if (str_find_byte(line, '\0') != STR_NONE || str_find_byte(line, '\r') != STR_NONE)
        abort();
    must_lie_in(c.text, line);
    must_lie_in(c.response, line);
    if ((c.verb == POP3_USER || c.verb == POP3_PASS) && c.text.n + 5 != line.n)
        abort();
    return 0;
}
