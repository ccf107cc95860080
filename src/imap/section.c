#include "imap/section.h"

#include "message/header.h"

static struct section_extent header_of(const struct mime_part *part)
{
    return (struct section_extent){.exists = true, .at = part->header_at, .size = part->header_size};
}

static struct section_extent body_of(const struct mime_part *part)
{
    return (struct section_extent){.exists = true, .at = part->body_at, .size = part->body_size};
}

bool section_needs_parts(const struct fetch_section *s)
{
    return s->path_count > 0 || s->text != SECTION_WHOLE;
}

struct section_extent section_locate(const struct fetch_section *s, struct mime_part *root, uint64_t size)
{
    const struct section_extent none = {0};
    if (!section_needs_parts(s))
        return (struct section_extent){.exists = true, .size = size};
    if (!root)
        return none;
    if (s->path_count == 0) {
        if (s->text == SECTION_TEXT)
            return (struct section_extent){.exists = true, .at = root->body_at, .size = size - root->body_at};
        return header_of(root);
    }
    struct mime_part *part = mime_find(root, s->path, s->path_count);
    if (!part)
        return none;
    if (s->text == SECTION_WHOLE) {
        struct section_extent e = body_of(part);
        e.part = part;
        return e;
    }
    if (s->text == SECTION_MIME)
        return header_of(part);
    if (!part->is_message || part->child_count != 1)
        return none;
    return s->text == SECTION_TEXT ? body_of(part->children[0]) : header_of(part->children[0]);
}

bool section_has_fields(const struct fetch_section *s)
{
    return s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT;
}

static bool is_listed(const struct fetch_section *s, struct str name)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (str_eq_nocase(s->fields[i], name))
            return true;
    return false;
}

void section_choose_fields(const struct fetch_section *s, struct str header, struct buf *chosen)
{
    struct header_field field;
    while (header_next(&header, &field))
        if (is_listed(s, field.name) == (s->text == SECTION_FIELDS))
            buf_add(chosen, field.whole);
    if (chosen->n > 0 && !str_ends(buf_str(chosen), STR("\n")))
        buf_add(chosen, STR("\r\n")); /* a message that ends within its header */
    buf_add(chosen, STR("\r\n"));
}

void section_clamp(const struct fetch_section *s, uint64_t size, uint64_t *skip, uint64_t *n)
{
    *skip = 0;
    *n = size;
    if (!s->is_partial)
        return;
    *skip = s->from < size ? s->from : size;
    *n = size - *skip;
    if (*n > s->length)
        *n = s->length;
}
