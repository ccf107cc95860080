/* The arguments of GETMETADATA and SETMETADATA: names that are taken are names, and values that are written
 * are read back as they were. */
#include "imap/metadata_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(struct str name, bool may_be_root)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    struct str again;
    buf_init(&out, BUF_MAX_DEFAULT);
    check(name.n <= METADATA_NAME_MAX && str_starts(name, STR("/")));
    imap_add_astring(&out, name);
    struct imap_cursor c = {.in = buf_str(&out)};
    check(imap_take_metadata_name(&c, &a, may_be_root, &again) && imap_take_end(&c) && str_eq(again, name));
    check(imap_metadata_is_within(name, name, DEPTH_0));
}

static void check_values(const struct metadata_list *list)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < list->n; i++) {
        const struct metadata_entry *entry = &list->v[i];
        CLEAN_BUF struct buf out;
        struct metadata_list again;
        buf_init(&out, BUF_MAX_DEFAULT);
        check_name(entry->name, false);
        buf_add_byte(&out, '(');
        imap_add_astring(&out, entry->name);
        buf_add_byte(&out, ' ');
        imap_add_metadata_value(&out, entry->value, entry->is_nil);
        buf_add_byte(&out, ')');
        if (out.overflow)
            continue;
        struct imap_cursor c = {.in = buf_str(&out)};
        check(imap_take_metadata_values(&c, &a, &again) && imap_take_end(&c) && again.n == 1);
        check(again.v[0].is_nil == entry->is_nil && str_eq(again.v[0].value, entry->value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_cursor c = {.in = str_from(data, size)};
    struct getmetadata_options options;
    struct metadata_list values;
    struct str *names;
    size_t n;
    if (imap_is_getmetadata_options(&c) && imap_take_getmetadata_options(&c, &options)) {
        check(c.at <= size && options.depth <= DEPTH_INFINITY);
        if (imap_peek(&c) == ' ')
            imap_take_space(&c);
    }
    struct imap_cursor at_values = c;
    if (imap_take_metadata_names(&c, &a, &names, &n))
        for (size_t i = 0; i < n; i++)
            check_name(names[i], true);
    else
        check(c.problem != NULL && c.at <= size);
    if (imap_take_metadata_values(&at_values, &a, &values))
        check_values(&values);
    else
        check(at_values.problem != NULL && at_values.at <= size);
    return 0;
}
