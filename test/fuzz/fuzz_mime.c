/* Of any message: every part lies inside its parent and behind its elder sibling, numbers find their parts,
 * the packed table is read back the same, and the IMAP forms have balanced parentheses outside of strings. */
#include "message/decode.h"
#include "message/imap_form.h"
#include "message/mime.h"
#include "message/parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_tree(struct str message, const struct mime_part *part, unsigned depth)
{
    uint64_t at = part->body_at, end = part->body_at + part->body_size;
    require(depth < MIME_DEPTH_MAX);
    require(part->header_at + part->header_size == part->body_at && end <= message.n);
    require(part->type.n > 0 && part->subtype.n > 0);
    require(!(part->is_multipart || part->is_message) || part->child_count > 0);
    uint32_t lines = 0;
    for (uint64_t i = part->body_at; i < end; i++)
        lines += message.p[i] == '\n';
    require(lines == part->lines);
    for (size_t i = 0; i < part->child_count; i++) {
        const struct mime_part *child = part->children[i];
        require(child->parent == part && child->header_at >= at && child->body_at + child->body_size <= end);
        at = child->body_at + child->body_size;
        check_tree(message, child, depth + 1);
    }
}

static void check_same(const struct mime_part *a, const struct mime_part *b)
{
    require(a->header_at == b->header_at && a->header_size == b->header_size && a->body_at == b->body_at &&
            a->body_size == b->body_size && a->lines == b->lines && a->encoding == b->encoding &&
            a->is_multipart == b->is_multipart && a->is_message == b->is_message &&
            a->child_count == b->child_count && str_eq(a->type, b->type) && str_eq(a->subtype, b->subtype));
    for (size_t i = 0; i < a->child_count; i++)
        check_same(a->children[i], b->children[i]);
}

/* One parenthesised value as a client would read it. */
static void check_form(struct buf *form)
{
    struct str rest = buf_str(form);
    size_t depth = 0;
    while (rest.n > 0) {
        char c = rest.p[0];
        rest = str_from_offset(rest, 1);
        depth += c == '(';
        if (c == ')')
            require(depth-- > 0);
        require(depth > 0 || rest.n == 0);
        if (c == '"') {
            for (; require(rest.n > 0), rest.p[0] != '"'; rest = str_from_offset(rest, 1)) {
                if (rest.p[0] == '\\')
                    rest = str_from_offset(rest, 1);
                require(rest.n > 0 && rest.p[0] != '\r' && rest.p[0] != '\n' && rest.p[0] != '\0');
            }
            rest = str_from_offset(rest, 1);
        } else if (c == '{') {
            uint32_t n = 0;
            size_t brace = str_find_byte(rest, '}');
            require(str_to_u32(str_slice(rest, 0, brace), &n));
            rest = str_from_offset(rest, brace + 1);
            require(str_starts(rest, STR("\r\n")) && rest.n >= 2 + n);
            require(!n || !memchr(rest.p + 2, '\0', n));
            rest = str_from_offset(rest, 2 + n);
        } else {
            require(c == '(' || c == ')' || c == ' ' || (c >= '0' && c <= '9') ||
                    memchr("NIL", c, 3) != NULL);
        }
    }
    require(depth == 0 && form->n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str message = str_from(data, size);
    struct mime_part *root = mime_parse(message, &a);
    check_tree(message, root, 0);
    require(root->header_at == 0 && root->body_at + root->body_size == message.n);
    for (uint32_t i = 0; i < root->child_count && root->is_multipart; i++)
        require(mime_find(root, (uint32_t[]){i + 1}, 1) == root->children[i]);

    CLEAN_BUF struct buf packed, form, text;
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&form, BUF_MAX_DEFAULT);
    buf_init(&text, BUF_MAX_DEFAULT);
    parts_pack(root, &packed);
    struct mime_part *again = parts_unpack(buf_str(&packed), &a);
    require(again != NULL);
    check_same(root, again);

    imap_form_envelope(message, &a, &form);
    check_form(&form);
    buf_reset(&form);
    imap_form_structure(message, root, &a, &form);
    check_form(&form);
    decode_text_part(message, again, &text);
    require(decode_is_utf8(buf_str(&text)));
    return 0;
}
