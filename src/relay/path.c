#include "relay/path.h"

#include "directory/address.h"
#include "message/address.h"
#include "message/decode.h"
#include "message/utf8.h"

#define PATH_MAX_BYTES ((size_t)4096) /* RFC 5321 section 4.5.3.1.3 says 256; who has longer ones may try */

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return decode_is_utf8(s);
}

static bool write_domain(struct str domain, struct arena *a, struct str *out)
{
    *out = domain;
    if (!utf8_is_ascii(domain) && !directory_domain_read(domain, a, out, NULL))
        return false;
    for (size_t i = 0; i < out->n; i++)
        if (out->p[i] == '<' || out->p[i] == '>' || out->p[i] == ' ')
            return false;
    return out->n > 0;
}

bool path_write(struct str address, struct arena *a, struct str *path)
{
    CLEAN_BUF struct buf out;
    size_t at = str_rfind_byte(address, '@');
    struct str local = str_slice(address, 0, at), domain;
    buf_init(&out, PATH_MAX_BYTES);
    if (at == STR_NONE || local.n == 0 || !is_plain(address) ||
        !write_domain(str_from_offset(address, at + 1), a, &domain))
        return false;
    struct str quoted = address, parsed_local, parsed_domain;
    if (local.p[0] == '"' && address_take_smtp(&quoted, true, a, &parsed_local, &parsed_domain) &&
        quoted.n == 0)
        buf_addf(&out, "%.*s@%.*s", STR_ARGS(local), STR_ARGS(domain)); /* quoted already */
    else
        address_add(&out, local, domain);
    *path = arena_copy(a, buf_str(&out));
    return !out.overflow;
}
