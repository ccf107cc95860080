#include "smtp/needs_utf8.h"

#include "base/sealed.h"
#include "message/mime.h"
#include "message/utf8.h"

/* As deep as MIME_DEPTH_MAX. */
static bool has_utf8_header(const struct mime_part *p, struct str message) // NOLINT(misc-no-recursion)
{
    if (!utf8_is_ascii(str_slice(message, (size_t)p->header_at, (size_t)p->header_size)))
        return true;
    for (size_t i = 0; i < p->child_count; i++)
        if (has_utf8_header(p->children[i], message))
            return true;
    return false;
}

static bool has_part_header(struct incoming *m)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str bytes = buf_str(&m->small);
    if (m->memfd >= 0 && !sealed_read(m->memfd, m->size, &bytes, NULL))
        return true;
    bool found = has_utf8_header(mime_parse(bytes, &a), bytes);
    if (m->memfd >= 0)
        sealed_release(bytes);
    return found;
}

bool needs_utf8(const struct smtp_transaction *t, struct incoming *m)
{
    if (m->header_is_8bit || !utf8_is_ascii(t->sender))
        return true;
    for (size_t i = 0; i < t->target_count; i++)
        if (!utf8_is_ascii(t->targets[i].to.address))
            return true;
    return m->is_8bit && has_part_header(m);
}
