/* What another server answers: any lines give a bounded, printable text, a code that fits its lines, or
 * nothing. */
#include "relay/ehlo.h"
#include "relay/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_from(data, size), line, words;
    struct reply r = REPLY_INIT;
    struct ehlo ehlo = {0};
    while (rest.n > 0) {
        str_cut(&rest, '\n', &line);
        if (str_ends(line, STR("\r")))
            line.n--;
        enum reply_step step = reply_add_line(&r, line, &words);
        if (step == REPLY_BAD)
            return 0;
        check(r.code >= 200 && r.code <= 599 && r.lines <= REPLY_LINES_MAX);
        check(words.n <= line.n);
        ehlo_add_line(&ehlo, words);
        struct str text = reply_text(&r);
        check(text.n >= 3 && text.n <= QUEUE_REPLY_MAX);
        for (size_t i = 0; i < text.n; i++)
            check(text.p[i] >= ' ' && text.p[i] < 127);
        uint32_t code = 0;
        check(str_to_u32(str_slice(text, 0, 3), &code) && code == r.code);
        if (step == REPLY_DONE)
            r = (struct reply)REPLY_INIT;
    }
    return 0;
}
