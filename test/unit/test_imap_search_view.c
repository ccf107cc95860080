/* What the view answers of searches is what the store answers. */
#include "imap/search_view.h"

#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

#define MESSAGES 60
#define TREES    2000

static unsigned random_state = 1;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 16) % n;
}

static struct search_node *random_uids(struct arena *a)
{
    struct search_node *node = ARENA_NEW(a, struct search_node);
    node->kind = SEARCH_UIDS;
    node->ranges = ARENA_ARRAY(a, struct uid_range, 4);
    for (uint32_t at = 1 + random_below(10); node->range_count < random_below(4); at += 2) {
        uint32_t to = at + random_below(15);
        node->ranges[node->range_count++] = (struct uid_range){at, to};
        at = to;
    }
    return node;
}

static struct search_node *random_tree(struct arena *a, unsigned depth)
{
    static const enum search_kind LEAVES[] = {SEARCH_ALL,     SEARCH_FLAGS_SET, SEARCH_FLAGS_UNSET,
                                              SEARCH_KEYWORD, SEARCH_UNKEYWORD, SEARCH_MODSEQ};
    static const enum search_kind INNER[] = {SEARCH_AND, SEARCH_OR, SEARCH_NOT};
    static const struct str KEYWORDS[] = {STR_INIT("$Work"), STR_INIT("$later"), STR_INIT("$None")};
    if (random_below(6) == 0)
        return random_uids(a);
    struct search_node *node = ARENA_NEW(a, struct search_node);
    if (depth > 0 && random_below(3) > 0) {
        node->kind = INNER[random_below(3)];
        node->first = random_tree(a, depth - 1);
        if (node->kind != SEARCH_NOT)
            node->second = random_tree(a, depth - 1);
        return node;
    }
    node->kind = LEAVES[random_below(6)];
    node->flags = 1 + random_below(FLAG_ALL);
    node->number = random_below(3 * MESSAGES);
    node->text = KEYWORDS[random_below(3)];
    return node;
}

/* Some are flagged, some have keywords, a few are gone. */
static void change(struct store *s, int64_t mailbox, struct arena *a)
{
    static const struct str KEYWORDS[] = {STR_INIT("$Work"), STR_INIT("$Later"), STR_INIT("$Work $Later"),
                                          STR_INIT("")};
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < MESSAGES; i++) {
        uint32_t uid = 1 + random_below(MESSAGES), *expunged;
        size_t n;
        const struct flag_store to = {.how = FLAGS_REPLACE,
                                      .flags = random_below(FLAG_ALL + 1),
                                      .keywords = KEYWORDS[random_below(4)],
                                      .unchanged_since = UINT64_MAX};
        assert_int_equal(store_flags(s, mailbox, &uid, 1, &to, a, NULL, NULL, NULL, &e), STORE_OK);
        if (i % 10 == 0)
            assert_int_equal(store_expunge(s, mailbox, &uid, 1, true, a, &expunged, &n, &e), STORE_OK);
    }
}

static void the_view_answers_as_the_store_does(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    for (unsigned i = 0; i < MESSAGES; i++)
        imap_deliver(&f, MESSAGE_PLAIN);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct mailbox inbox;
    struct imap_view v;
    assert_int_equal(store_mailbox_find(f.store, STR("INBOX"), &a, &inbox, &e), STORE_OK);
    change(f.store, inbox.id, &a);
    assert_int_equal(imap_view_open(&v, f.store, inbox.id, ENABLED_CONDSTORE, UINT32_MAX, &e), STORE_OK);
    size_t found = 0;
    for (unsigned i = 0; i < TREES; i++) {
        CLEAN_ARENA struct arena scratch = ARENA_INIT;
        const struct search_node *tree = random_tree(&scratch, 4);
        uint32_t *seen, *stored;
        size_t n, stored_count;
        assert_true(imap_search_view(&v, tree, &scratch, &seen, &n));
        assert_int_equal(
            store_search(f.store, inbox.id, tree, &scratch, &stored, &stored_count, NULL, NULL, &e),
            STORE_OK);
        assert_int_equal(n, stored_count);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(seen[k], stored[k]);
        found += n;
    }
    assert_true(found > TREES && found < (size_t)TREES * (MESSAGES - 1)); /* the trees are not all the same */
    imap_view_close(&v);
    imap_close_fixture(&f);
}

static void what_it_does_not_know_it_leaves_to_the_store(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const struct imap_view v = {0};
    uint32_t *uids;
    size_t n;
    struct search_node all = {.kind = SEARCH_ALL}, leaf = {.kind = SEARCH_LARGER};
    const struct search_node both = {.kind = SEARCH_OR, .first = &all, .second = &leaf};
    assert_false(imap_search_view(&v, &both, &a, &uids, &n));
    leaf.kind = SEARCH_MODSEQ; /* which this view does not keep */
    assert_false(imap_search_view(&v, &both, &a, &uids, &n));
    leaf.kind = SEARCH_TEXT;
    assert_false(imap_search_view(&v, &both, &a, &uids, &n));
    assert_true(imap_search_view(&v, &all, &a, &uids, &n));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_view_answers_as_the_store_does),
        cmocka_unit_test(what_it_does_not_know_it_leaves_to_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
