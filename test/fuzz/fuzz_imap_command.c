/* A command's arguments: values lie within the input or the arena (ASan sees to that), what is written by
 * imap_add_astring is read back the same, and FETCH's labels are FETCH items that give the same label again.
 */
#include "imap/fetch_parse.h"
#include "imap/flags.h"
#include "imap/qresync.h"

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
    imap_take_fetch_modifiers(&c, &q);
    check_within(&c);
    check(q.changed_since <= INT64_MAX);
    check(q.section_count <= FETCH_SECTIONS_MAX && (q.items != 0 || q.section_count > 0));
    for (size_t i = 0; i < q.section_count; i++) {
        CLEAN_BUF struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        buf_add(&text, q.sections[i].label);
        if (q.sections[i].is_partial) {
            buf_truncate(&text, text.n - 1);
            buf_addf(&text, ".%llu>", (unsigned long long)q.sections[i].length);
        }
        struct imap_cursor again = {.in = buf_str(&text)};
        struct fetch_request back;
        check(imap_take_fetch_request(&again, a, &back) && imap_take_end(&again) && back.section_count == 1);
        check(str_eq(back.sections[0].label, q.sections[i].label));
    }
}

static uint64_t count_numbers(const struct imap_set *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        check(set->v[i].from > 0 && set->v[i].from <= set->v[i].to); /* no "*" is left */
        n += (uint64_t)(set->v[i].to - set->v[i].from) + 1;
    }
    return n;
}

static void what_is_known_is_bounded(struct imap_cursor c, struct arena *a)
{
    struct str name;
    struct select_parameters p;
    if (!imap_take_space(&c) || !imap_take_astring(&c, a, &name) || !imap_take_space(&c) ||
        !imap_take_select_parameters(&c, a, &p))
        return;
    check_within(&c);
    check(p.condstore || p.has_qresync);
    check(p.qresync.modseq <= INT64_MAX);
    count_numbers(&p.qresync.known);
    check(count_numbers(&p.qresync.numbers) == count_numbers(&p.qresync.uids));
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
    what_is_known_is_bounded(command.args, &a);
    flags_are_sorted(command.args, &a);
    return 0;
}
