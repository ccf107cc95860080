/* A message as it goes over the wire: every line ends in CRLF and none is a lone dot, and a receiver that
 * takes the dots away has the message again, but for bare CR and LF, which have become CRLF. */
#include "base/buf.h"
#include "relay/body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The slow and plain way to say what must come out. */
static void normalise(struct str in, struct buf *out)
{
    bool in_line = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c != '\r' && c != '\n') {
            buf_add_byte(out, c);
            in_line = true;
            continue;
        }
        if (c == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
            i++;
        buf_add_c(out, "\r\n");
        in_line = false;
    }
    if (in_line)
        buf_add_c(out, "\r\n");
}

static void unstuff(struct str wire, struct buf *out)
{
    while (wire.n > 0) {
        size_t end = str_find(wire, STR("\r\n"));
        check(end != STR_NONE);
        struct str line = str_slice(wire, 0, end);
        check(!str_eq(line, STR(".")));
        check(str_find_byte(line, '\r') == STR_NONE && str_find_byte(line, '\n') == STR_NONE);
        buf_add(out, str_starts(line, STR(".")) ? str_from_offset(line, 1) : line);
        buf_add_c(out, "\r\n");
        wire = str_from_offset(wire, end + 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_BUF struct buf wire, got, expected;
    struct str message = str_from(data, size), piece;
    struct body b = body_of(message);
    buf_init(&wire, BUF_MAX_DEFAULT);
    buf_init(&got, BUF_MAX_DEFAULT);
    buf_init(&expected, BUF_MAX_DEFAULT);
    while (body_next(&b, &piece)) {
        check(piece.n > 0);
        buf_add(&wire, piece);
    }
    unstuff(buf_str(&wire), &got);
    normalise(message, &expected);
    check(str_eq(buf_str(&got), buf_str(&expected)));
    return 0;
}
