/* xtext that was read, written and read again is the same; any bytes written are xtext of them; a moment that
 * was read and written is the same moment. */
#include "message/timestamp.h"
#include "message/xtext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_round(struct str bytes)
{
    CLEAN_BUF struct buf text, back;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_init(&back, BUF_MAX_DEFAULT);
    xtext_encode(bytes, &text);
    must(text.n <= 3 * bytes.n && xtext_decode(buf_str(&text), &back));
    must(str_eq(buf_str(&back), bytes));
}

static void check_moment(struct str text)
{
    CLEAN_BUF struct buf out;
    int64_t at, again;
    buf_init(&out, 64);
    if (!timestamp_parse(text, &at))
        return;
    must(text.n >= sizeof "1970-01-01T00:00:00Z" - 1);
    if (at < -62135596800 || at > 253402300799) /* a zone led out of the years 1 to 9999 */
        return;
    timestamp_add(&out, at);
    must(timestamp_parse(buf_str(&out), &again) && again == at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_BUF struct buf bytes;
    struct str in = str_from(data, size);
    buf_init(&bytes, BUF_MAX_DEFAULT);
    if (xtext_decode(in, &bytes)) {
        must(bytes.n <= in.n);
        check_round(buf_str(&bytes));
    } else {
        must(bytes.n == 0);
    }
    check_round(in);
    check_moment(in);
    return 0;
}
