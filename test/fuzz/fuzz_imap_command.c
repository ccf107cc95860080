/* A command's arguments: values lie within the input or the arena (ASan sees to that), what is written by
 * imap_add_astring is read back the same, FETCH's labels are FETCH items that give the same label again, and
 * a SEARCH tree is within its bounds. */
#include "imap/fetch_parse.h"
#include "imap/flags.h"
#include "imap/search_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_within(const struct imap_cursor *c)
{
    check(c->at <= c->in.n);
}

static void strings_come_back(struct imap_cursor c, struct arena *a)
{
    struct str s;
    while (imap_take_space(&c) && imap_take_astring(&c, a, &s)) {
        check_within(&c);
        CLEAN_BUF struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        imap_add_astring(&out, s);
        struct imap_cursor again = {.in = buf_str(&out)};
        struct str back;
        check(imap_take_astring(&again, a, &back) && imap_take_end(&again) && str_eq(s, back));
    }
}

static void fetch_labels_come_back(struct imap_cursor c, struct arena *a)
{
    struct imap_set set;
    struct fetch_request q;
    if (!imap_take_space(&c) || !imap_take_set(&c, a, &set) || !imap_take_space(&c) ||
        !imap_take_fetch_request(&c, a, &q))
        return;
    check_within(&c);
    check(q.section_count <= FETCH_SECTIONS_MAX && (q.items != 0 || q.section_count > 0));
    for (size_t i = 0; i < q.section_count; i++) {
        CLEAN_BUF struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        buf_add(&text, q.sections[i].label);
        if (q.sections[i].is_partial) {
            buf_truncate(&text, text.n - 1);
            buf_addf(&text, ".%u>", q.sections[i].length);
        }
        struct imap_cursor again = {.in = buf_str(&text)};
        struct fetch_request back;
        check(imap_take_fetch_request(&again, a, &back) && imap_take_end(&again) && back.section_count == 1);
        check(str_eq(back.sections[0].label, q.sections[i].label));
    }
}

static size_t check_tree(const struct search_node *n, size_t depth)
{
    if (!n)
        return 0;
    check(depth <= SEARCH_DEPTH_MAX + 16);
    for (size_t i = 0; i < n->range_count; i++) {
        check(n->ranges[i].from <= n->ranges[i].to);
        check(i == 0 || n->ranges[i].from > n->ranges[i - 1].to);
    }
    return 1 + check_tree(n->first, depth + 1) + check_tree(n->second, depth + 1);
}

static void searches_are_bounded(struct imap_cursor c, struct arena *a)
{
    struct view_row rows[9];
    for (uint32_t i = 0; i < 9; i++)
        rows[i] = (struct view_row){.uid = 3 + i * i, .flags = i % 3 ? 0 : VIEW_RECENT};
    const struct imap_view v = {.rows = {.v = rows, .n = 9, .cap = 9}, .recent = 3};
    struct search_node *tree;
    if (imap_take_search(&c, &v, a, &tree) == SEARCH_PARSED)
        check(check_tree(tree, 0) <= 4 * SEARCH_KEYS_MAX);
    check_within(&c);
}

static void flags_are_sorted(struct imap_cursor c, struct arena *a)
{
    struct imap_flags flags;
    if (!imap_take_space(&c) || !imap_take_store_flags(&c, a, &flags))
        return;
    check_within(&c);
    check((flags.system & ~FLAG_ALL) == 0 && str_trim(flags.keywords).n == flags.keywords.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_command command;
    if (!imap_parse_command(str_from(data, size), &command)) {
        check(command.args.problem != NULL);
        return 0;
    }
    check(command.tag.n > 0 && command.tag.n <= IMAP_TAG_MAX && command.name.n > 0);
    check_within(&command.args);
    strings_come_back(command.args, &a);
    fetch_labels_come_back(command.args, &a);
    searches_are_bounded(command.args, &a);
    flags_are_sorted(command.args, &a);
    return 0;
}
