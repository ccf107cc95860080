/* Any two responses to PLAIN or LOGIN (chosen by the first byte): the exchange ends after two at most, and
 * what it calls done has a user and perhaps a password, which lie in what was decoded. */
#include "sasl/sasl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_in(struct str part, struct str whole)
{
    if (part.n == 0 || part.p < whole.p || part.p + part.n > whole.p + whole.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > SASL_LINE_MAX)
        return 0;
    CLEAN_SASL struct sasl x;
    struct str second = str_from(data + 1, size - 1), first;
    bool is_plain = data[0] % 2;
    if (!sasl_init(&x, is_plain ? STR("PLAIN") : STR("login")))
        abort();
    if (!str_cut(&second, '\n', &first))
        first = str_from(data + 1, size - 1);
    enum sasl_result r = data[0] % 4 < 2 ? sasl_begin(&x, &first) : sasl_begin(&x, NULL);
    if (r == SASL_ASK)
        r = sasl_answer(&x, data[0] % 4 < 2 ? second : first);
    if (r == SASL_ASK) {
        if (is_plain)
            abort();
        r = sasl_answer(&x, second);
    }
    if (r == SASL_ASK)
        abort();
    if (r == SASL_DONE || r == SASL_FOREIGN)
        must_lie_in(x.user, buf_str(&x.secret));
    if (r == SASL_DONE && x.password.n > 0)
        must_lie_in(x.password, buf_str(&x.secret));
    return 0;
}
