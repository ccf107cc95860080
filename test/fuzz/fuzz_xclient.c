/* What was read of XCLIENT, written and read again is the same; no value has a byte that could end a line. */
#include "message/xtext.h"
#include "smtp/xclient.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void write_again(const struct xclient *x, struct buf *out)
{
    CLEAN_BUF struct buf names;
    buf_init(&names, 1000);
    xclient_add_names(&names);
    struct str rest = str_from_offset(buf_str(&names), 1), name;
    for (size_t i = 0; i < XCLIENT_ATTRIBUTES; i++) {
        str_cut(&rest, ' ', &name);
        if (x->v[i].state == XCLIENT_UNSAID)
            continue;
        buf_addf(out, "%s%.*s=", out->n ? " " : "", STR_ARGS(name));
        if (x->v[i].state == XCLIENT_SAID)
            xtext_encode(x->v[i].value, out);
        else
            buf_add_c(out, x->v[i].state == XCLIENT_UNAVAILABLE ? "[UNAVAILABLE]" : "[TEMPUNAVAIL]");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf text;
    struct xclient x, again;
    const char *why;
    buf_init(&text, 1 << 20);
    bool good = xclient_parse(str_from(data, size), &a, &x, &why);
    must(good == !why);
    if (!good)
        return 0;
    write_again(&x, &text);
    must(xclient_parse(buf_str(&text), &a, &again, &why));
    for (size_t i = 0; i < XCLIENT_ATTRIBUTES; i++) {
        must(x.v[i].state == again.v[i].state && str_eq(x.v[i].value, again.v[i].value));
        for (size_t k = 0; k < x.v[i].value.n; k++)
            must(x.v[i].value.p[k] > ' ' && x.v[i].value.p[k] <= '~');
    }
    return 0;
}
