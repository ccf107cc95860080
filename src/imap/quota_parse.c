#include "imap/quota_parse.h"

static const struct {
    struct str name;
    uint64_t unit;
} RESOURCES[QUOTA_RESOURCES] = {
    [QUOTA_BYTES] = {STR_INIT("STORAGE"), QUOTA_STORAGE_UNIT},
    [QUOTA_MESSAGES] = {STR_INIT("MESSAGE"), 1},
    [QUOTA_MAILBOXES] = {STR_INIT("MAILBOX"), 1},
};

static bool take_limit(struct imap_cursor *c, uint64_t limits[QUOTA_RESOURCES])
{
    uint64_t n;
    size_t i = 0;
    while (i < QUOTA_RESOURCES && !imap_take_word(c, RESOURCES[i].name))
        i++;
    if (i == QUOTA_RESOURCES) {
        c->problem = "expected STORAGE, MESSAGE or MAILBOX";
        return false;
    }
    if (!imap_take_space(c) || !imap_take_number64(c, &n))
        return false;
    limits[i] = n < QUOTA_NONE / RESOURCES[i].unit ? n * RESOURCES[i].unit : QUOTA_NONE;
    return true;
}

bool imap_take_quota_limits(struct imap_cursor *c, uint64_t limits[QUOTA_RESOURCES])
{
    for (int i = 0; i < QUOTA_RESOURCES; i++)
        limits[i] = QUOTA_NONE;
    if (!imap_take_byte(c, '('))
        return false;
    if (imap_peek(c) != ')' && !take_limit(c, limits))
        return false;
    while (imap_peek(c) == ' ')
        if (!imap_take_space(c) || !take_limit(c, limits))
            return false;
    return imap_take_byte(c, ')');
}

void imap_add_quota(struct buf *out, const uint64_t used[QUOTA_RESOURCES],
                    const uint64_t limit[QUOTA_RESOURCES])
{
    const char *separator = "";
    buf_add_byte(out, '(');
    for (size_t i = 0; i < QUOTA_RESOURCES; i++) {
        if (limit[i] >= QUOTA_NONE)
            continue;
        uint64_t unit = RESOURCES[i].unit;
        buf_addf(out, "%s%.*s ", separator, STR_ARGS(RESOURCES[i].name));
        buf_add_u64(out, used[i] / unit + (used[i] % unit > 0));
        buf_add_byte(out, ' ');
        buf_add_u64(out, limit[i] / unit);
        separator = " ";
    }
    buf_add_byte(out, ')');
}
