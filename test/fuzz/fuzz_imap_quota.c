/* Limits of SETQUOTA: what was read is written and read back the same, in whole units. */
#include "imap/quota_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t USED[QUOTA_RESOURCES] = {UINT64_MAX, 1, 0};
    struct imap_cursor c = {.in = str_from(data, size)};
    uint64_t limits[QUOTA_RESOURCES], again[QUOTA_RESOURCES];
    if (!imap_take_quota_limits(&c, limits)) {
        check(c.problem != NULL && c.at <= size);
        return 0;
    }
    check(c.at <= size && limits[QUOTA_BYTES] <= QUOTA_NONE);
    check(limits[QUOTA_BYTES] == QUOTA_NONE || limits[QUOTA_BYTES] % QUOTA_STORAGE_UNIT == 0);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    imap_add_quota(&out, USED, limits);
    /* usage stands before each limit: it is left out by hand */
    CLEAN_BUF struct buf bare;
    buf_init(&bare, BUF_MAX_DEFAULT);
    struct str rest = str_slice(buf_str(&out), 1, out.n - 2), name, used, limit;
    buf_add_byte(&bare, '(');
    while (rest.n > 0) {
        check(str_cut(&rest, ' ', &name) && str_cut(&rest, ' ', &used));
        str_cut(&rest, ' ', &limit); /* the last one: all that is left */
        buf_addf(&bare, "%s%.*s %.*s", bare.n > 1 ? " " : "", STR_ARGS(name), STR_ARGS(limit));
    }
    buf_add_byte(&bare, ')');
    struct imap_cursor b = {.in = buf_str(&bare)};
    check(imap_take_quota_limits(&b, again) && imap_take_end(&b));
    for (int i = 0; i < QUOTA_RESOURCES; i++)
        check(again[i] == limits[i]);
    return 0;
}
