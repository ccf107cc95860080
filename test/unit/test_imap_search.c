/* SEARCH's keys become the store's tree. */
#include "imap/search_parse.h"

#include "check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The tree as text: kind(children or arguments). */
static void print(const struct search_node *n, struct buf *out)
{
    static const char *const NAMES[] = {
        [SEARCH_ALL] = "all",
        [SEARCH_AND] = "and",
        [SEARCH_OR] = "or",
        [SEARCH_NOT] = "not",
        [SEARCH_UIDS] = "uids",
        [SEARCH_FLAGS_SET] = "set",
        [SEARCH_FLAGS_UNSET] = "unset",
        [SEARCH_KEYWORD] = "keyword",
        [SEARCH_UNKEYWORD] = "unkeyword",
        [SEARCH_BEFORE] = "before",
        [SEARCH_ON] = "on",
        [SEARCH_SINCE] = "since",
        [SEARCH_SENTBEFORE] = "sentbefore",
        [SEARCH_SENTON] = "senton",
        [SEARCH_SENTSINCE] = "sentsince",
        [SEARCH_LARGER] = "larger",
        [SEARCH_SMALLER] = "smaller",
        [SEARCH_HEADER] = "header",
        [SEARCH_BODY] = "body",
        [SEARCH_TEXT] = "text",
    };
    buf_addf(out, "%s(", NAMES[n->kind]);
    if (n->first)
        print(n->first, out);
    if (n->second) {
        buf_add_byte(out, ' ');
        print(n->second, out);
    }
    for (size_t i = 0; i < n->range_count; i++)
        buf_addf(out, "%s%u:%u", i ? "," : "", n->ranges[i].from, n->ranges[i].to);
    if (n->flags)
        buf_addf(out, "%u", n->flags);
    if (n->name.n)
        buf_addf(out, "%.*s:", STR_ARGS(n->name));
    buf_add(out, n->text);
    if (n->day)
        buf_addf(out, "%lld", (long long)n->day);
    if (n->number)
        buf_addf(out, "%llu", (unsigned long long)n->number);
    buf_add_byte(out, ')');
}

/* Messages 1 to 5 with uids 10, 20, ... 50; the last two are \Recent. */
static struct imap_view make_view(struct view_row *rows)
{
    for (uint32_t i = 0; i < 5; i++)
        rows[i] = (struct view_row){.uid = (i + 1) * 10, .flags = i > 2 ? VIEW_RECENT : 0};
    return (struct imap_view){.rows = {.v = rows, .n = 5, .cap = 5}, .recent = 2};
}

static void keys_become_a_tree(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tree; /* NULL: not a search */
    } CASES[] = {
        {" ALL", "all()"},
        {" FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", /* RFC 3501 section 6.4.4 */
         "and(set(4) and(since(8797) not(header(FROM:Smith))))"},
        {" TEXT \"string not in mailbox\"", "text(string not in mailbox)"},
        {" CHARSET UTF-8 TEXT {6}\r\n\xd0\x96\xd0\xb0\xd0\xb1", "text(\xd0\x96\xd0\xb0\xd0\xb1)"},
        {" CHARSET iso-8859-1 SUBJECT {1}\r\n\xe4", "header(SUBJECT:\xc3\xa4)"},
        {" SUBJECT {2}\r\n\xc3\xa4", "header(SUBJECT:\xc3\xa4)"},
        {" SUBJECT \"\"", "header(SUBJECT:)"},
        {" HEADER \"List-Id\" x", "header(List-Id:x)"},
        {" 2:4,1", "uids(10:40)"},
        {" *", "uids(50:50)"},
        {" 4:*", "uids(40:50)"},
        {" 7:9", "uids()"}, /* numbers that are not in use match nothing */
        {" 4:9", "uids(40:50)"},
        {" UID 15:*", "uids(15:50)"},
        {" UID 60:*", "uids(50:60)"},
        {" RECENT", "uids(40:50)"},
        {" NEW", "and(uids(40:50) unset(1))"},
        {" OLD", "not(uids(40:50))"},
        {" OR SEEN (DELETED LARGER 100)", "or(set(1) and(set(8) larger(100)))"},
        {" UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
         "and(and(unset(2) unset(8)) and(unset(16) and(unset(4) unset(1))))"},
        {" KEYWORD $Forwarded unkeyword x", "and(keyword($Forwarded) unkeyword(x))"},
        {" BEFORE \"02-Jan-1970\" ON 3-jan-1970", "and(before(1) on(2))"},
        {" SENTBEFORE 2-Jan-1970 SENTON 2-Jan-1970 SENTSINCE 2-Jan-1970",
         "and(sentbefore(1) and(senton(1) sentsince(1)))"},
        {" ((SEEN))", "set(1)"},
        {" NOT NOT SEEN", "not(not(set(1)))"},
        {"", NULL},
        {" ", NULL},
        {"  ALL", NULL},
        {" ALL ", NULL},
        {" FOO", NULL},
        {" ()", NULL},
        {" (SEEN", NULL},
        {" SEEN)", NULL},
        {" NOT", NULL},
        {" OR SEEN", NULL},
        {" FROM", NULL},
        {" HEADER x", NULL},
        {" HEADER \"\" x", NULL},
        {" LARGER x", NULL},
        {" LARGER 4294967296", NULL},
        {" BEFORE 32-Jan-1970", NULL},
        {" BEFORE 30-Feb-1970", NULL},
        {" BEFORE 0-Jan-1970", NULL},
        {" BEFORE 1-Foo-1970", NULL},
        {" BEFORE 1-anf-1970", NULL},
        {" BEFORE 1-Jan-70", NULL},
        {" BEFORE 1-Jan-19700", NULL},
        {" BEFORE \"1-Jan-1970", NULL},
        {" UID", NULL},
        {" UID x", NULL},
        {" 0", NULL},
        {" KEYWORD \\Seen", NULL},
        {" CHARSET UTF-8", NULL},
    };
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct search_node *tree;
        enum search_parse_result r = imap_take_search(&c, &v, &a, &tree);
        if ((r == SEARCH_PARSED) != (CASES[i].tree != NULL))
            fail_msg("%s", CASES[i].text);
        if (r != SEARCH_PARSED)
            continue;
        CLEAN_BUF struct buf out;
        buf_init(&out, 10000);
        print(tree, &out);
        if (!str_eq(buf_str(&out), str_from_c(CASES[i].tree)))
            fail_msg("%s became %.*s", CASES[i].text, STR_ARGS(buf_str(&out)));
    }
}

static void unknown_charsets_are_told_apart(void **state)
{
    (void)state;
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_cursor c = {.in = STR(" CHARSET X-KLINGON ALL")};
    struct search_node *tree;
    assert_int_equal(imap_take_search(&c, &v, &a, &tree), SEARCH_BAD_CHARSET);
}

static unsigned depth_of(const struct search_node *n)
{
    if (!n)
        return 0;
    unsigned first = depth_of(n->first), second = depth_of(n->second);
    return 1 + (first > second ? first : second);
}

static enum search_parse_result parse_many(const char *prefix, const char *each, unsigned n, const char *last,
                                           struct arena *a, struct search_node **tree)
{
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    CLEAN_BUF struct buf text;
    buf_init(&text, 1000000);
    buf_add_c(&text, prefix);
    for (unsigned i = 0; i < n; i++)
        buf_add_c(&text, each);
    buf_add_c(&text, last);
    struct imap_cursor c = {.in = buf_str(&text)};
    return imap_take_search(&c, &v, a, tree);
}

static void trees_are_bounded(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct search_node *tree;
    assert_int_equal(parse_many("", " SEEN", SEARCH_KEYS_MAX, "", &a, &tree), SEARCH_PARSED);
    assert_true(depth_of(tree) <= 11); /* many keys are wide, not deep */
    assert_int_equal(parse_many("", " SEEN", SEARCH_KEYS_MAX + 1, "", &a, &tree), SEARCH_SYNTAX);
    assert_int_equal(parse_many(" ", "NOT ", SEARCH_DEPTH_MAX - 1, "ALL", &a, &tree), SEARCH_PARSED);
    assert_int_equal(parse_many(" ", "NOT ", SEARCH_DEPTH_MAX, "ALL", &a, &tree), SEARCH_SYNTAX);
    assert_int_equal(parse_many(" ", "(", 10000, "ALL", &a, &tree), SEARCH_SYNTAX);
    assert_int_equal(parse_many(" ", "OR SEEN ", 10000, "ALL", &a, &tree), SEARCH_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_become_a_tree),
        cmocka_unit_test(unknown_charsets_are_told_apart),
        cmocka_unit_test(trees_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
