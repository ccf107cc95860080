/* What was read from a list, written as a clean list, is read again as the same. An address that SMTP takes
 * is written so that it is taken again. */
#include "message/address.h"
#include "message/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_quoted(struct buf *out, struct str s)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, s.p[i]);
    }
    buf_add_byte(out, '"');
}

/* Only what a header can carry is written: no line ends, which a quoted string drops. */
static void check_list(struct str value, struct arena *a)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct address_list list = address_parse_list(value, a);
    size_t opened = 0;
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.v[i];
        opened += x->group_start;
        opened -= x->group_end;
        if (opened > 1 || x->name.n + x->route.n + x->local.n + x->domain.n > value.n)
            abort();
        if (x->group_end)
            continue;
        buf_reset(&out);
        add_quoted(&out, x->name);
        if (x->group_start) {
            buf_add(&out, STR(":;"));
        } else {
            buf_add(&out, STR(" <"));
            add_quoted(&out, x->local);
            buf_add(&out, STR("@x.test>"));
        }
        struct address_list again = address_parse_list(buf_str(&out), a);
        bool has_line_end =
            str_find_byte(x->name, '\r') != STR_NONE || str_find_byte(x->local, '\r') != STR_NONE ||
            str_find_byte(x->name, '\n') != STR_NONE || str_find_byte(x->local, '\n') != STR_NONE;
        if (!has_line_end && (again.n != (x->group_start ? 2 : 1) || !str_eq(again.v[0].name, x->name) ||
                              !str_eq(again.v[0].local, x->local)))
            abort();
    }
    if (opened != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str value = str_from(data, size);
    check_list(value, &a);
    for (int utf8 = 0; utf8 <= 1; utf8++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        struct str in = value, local, domain, local_again, domain_again;
        if (!address_take_smtp(&in, utf8, &a, &local, &domain))
            continue;
        if (utf8 && (!decode_is_utf8(local) || !decode_is_utf8(domain)))
            abort();
        address_add(&out, local, domain);
        struct str again = buf_str(&out);
        if (!address_take_smtp(&again, utf8, &a, &local_again, &domain_again) || again.n > 0 ||
            !str_eq(local, local_again) || !str_eq(domain, domain_again))
            abort();
    }
    return 0;
}
