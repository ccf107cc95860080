/* Up to three responses to any mechanism (chosen by the first byte): the exchange ends, what it calls done
 * has a user and perhaps a password, which lie in what was decoded, and SCRAM goes its two steps and no
 * other. */
#include "sasl/sasl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct channel_bindings BINDINGS = {.v[BINDING_TLS_EXPORTER] = {{'b'}, 1}};

static void must_lie_in(struct str part, struct str whole)
{
    if (part.n == 0 || part.p < whole.p || part.p + part.n > whole.p + whole.n)
        abort();
}

static void check(const struct sasl *x, enum sasl_result r)
{
    if (r == SASL_DONE)
        must_lie_in(x->user, buf_str(&x->secret));
    if (r == SASL_DONE && x->password.n > 0)
        must_lie_in(x->password, buf_str(&x->secret));
    if ((r == SASL_NEEDS_SALT && x->responses != 1) || (r == SASL_NEEDS_VERDICT && x->responses != 2) ||
        (r == SASL_PROVEN && x->responses != 3))
        abort();
}

/* What the directory would do: it says yes to everybody. */
static enum sasl_result step(struct sasl *x, enum sasl_result r)
{
    static const unsigned char SIGNATURE[SCRAM_KEY_BYTES];
    if (r == SASL_NEEDS_SALT) {
        struct str nonce = arena_printf(&x->arena, "%.*s+", STR_ARGS(x->scram.first.nonce));
        return sasl_salted(x, &(struct scram_salted){nonce, STR("salt"), 4096});
    }
    return r == SASL_NEEDS_VERDICT ? sasl_signed(x, SIGNATURE) : r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str MECHANISMS[] = {STR_INIT("login"), STR_INIT("PLAIN"), STR_INIT("SCRAM-SHA-256"),
                                            STR_INIT("SCRAM-SHA-256-PLUS")};
    if (size == 0 || size > SASL_LINE_MAX)
        return 0;
    CLEAN_SASL struct sasl x;
    struct str rest = str_from(data + 1, size - 1), line;
    if (!sasl_init(&x, MECHANISMS[data[0] % 4], &BINDINGS))
        abort();
    str_cut(&rest, '\n', &line);
    enum sasl_result r = data[0] % 8 < 4 ? sasl_begin(&x, &line) : sasl_begin(&x, NULL);
    for (int i = 0; i < 4; i++) {
        check(&x, r);
        r = step(&x, r);
        if (r != SASL_ASK)
            return 0;
        str_cut(&rest, '\n', &line);
        r = sasl_answer(&x, line);
    }
    abort(); /* it goes on for ever */
}
