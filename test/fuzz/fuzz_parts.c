/* Any bytes are either no part table, or one whose parts lie inside each other and which, packed again, is
 * read back. */
#include "message/parts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(const struct mime_part *part)
{
    for (size_t i = 0; i < part->child_count; i++) {
        const struct mime_part *child = part->children[i];
        if (child->parent != part || child->header_at < part->body_at ||
            child->body_at + child->body_size > part->body_at + part->body_size)
            abort();
        check_tree(child);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf packed;
    buf_init(&packed, BUF_MAX_DEFAULT);
    struct mime_part *root = parts_unpack(str_from(data, size), &a);
    if (!root)
        return 0;
    check_tree(root);
    parts_pack(root, &packed);
    if (!parts_unpack(buf_str(&packed), &a))
        abort();
    return 0;
}
