#include "imap/objectid.h"

void imap_add_objectid(struct buf *out, enum imap_object kind, int64_t number)
{
    buf_add_byte(out, (char)kind);
    buf_add_u64(out, (uint64_t)number);
}

static bool is_objectid_char(char byte)
{
    return ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '_' || byte == '-';
}

/* Ids are compared byte by byte (section 4): "m42" and "M042" are not "M42". */
static int64_t number_of(struct str id, enum imap_object kind)
{
    struct str digits = str_from_offset(id, 1);
    uint64_t number;
    bool is_ours = id.p[0] == (char)kind && !str_starts(digits, STR("0")) && str_to_u64(digits, &number) &&
                   number <= INT64_MAX;
    return is_ours ? (int64_t)number : 0;
}

bool imap_take_objectid(struct imap_cursor *c, enum imap_object kind, int64_t *number)
{
    struct str rest = str_from_offset(c->in, c->at);
    size_t n = 0;
    while (n < rest.n && is_objectid_char(rest.p[n]))
        n++;
    if (n == 0 || n > IMAP_OBJECTID_MAX) {
        c->problem = "expected an object id of 1 to 255 letters, digits, _ and -";
        return false;
    }
    *number = number_of(str_slice(rest, 0, n), kind);
    c->at += n;
    return true;
}
