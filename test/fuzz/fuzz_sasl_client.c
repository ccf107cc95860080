/* What a server may say in an exchange, a challenge a line: it never makes the client believe that it knows a
 * password which it does not, and never keeps it busy. */
#include "sasl/client.h"

#include "sasl/prepare.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void talk(enum sasl_client_mechanism m, struct str challenges, bool is_plain)
{
    struct channel_bindings b = {0};
    struct sasl_client x;
    struct err e = ERR_INIT;
    struct str one;
    unsigned answers = 0;
    b.v[BINDING_TLS_EXPORTER].n = 32;
    sasl_client_begin(&x, m, STR("ana"), STR("a password that nobody knows"), &b, true);
    x.nonce = STR("rOprNGfwEbeRWgbNEkqO"); /* so that seeds can go on from it */
    while (challenges.n > 0) {
        CLEAN_BUF struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        str_cut(&challenges, '\n', &one);
        if (is_plain)
            buf_add_base64(&text, one);
        else
            buf_add(&text, one);
        if (!sasl_client_answer(&x, buf_str(&text), &e))
            break;
        answers++;
        for (size_t i = 0; i < x.response.n; i++)
            check(x.response.p[i] > ' ' && x.response.p[i] < 127);
    }
    check(answers <= 2);
    check(sasl_client_may_end(&x) == (m == SASL_CLIENT_PLAIN || m == SASL_CLIENT_LOGIN));
    sasl_client_free(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    sasl_prepare_init();
    talk((enum sasl_client_mechanism)(data[0] & 3), str_from(data + 1, size - 1), (data[0] & 4) != 0);
    return 0;
}
