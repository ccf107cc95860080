/* SEARCH's keys become the store's tree; result options, orders and ranges are read. */
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
        [SEARCH_MODSEQ] = "modseq",
        [SEARCH_YOUNGER] = "younger",
        [SEARCH_OLDER] = "older",
        [SEARCH_SAVEDBEFORE] = "savedbefore",
        [SEARCH_SAVEDON] = "savedon",
        [SEARCH_SAVEDSINCE] = "savedsince",
        [SEARCH_EMAILID] = "emailid",
        [SEARCH_THREADID] = "threadid",
        [SEARCH_FUZZY] = "fuzzy",
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

static struct imap_range SAVED_RANGES[] = {{20, 30}, {50, 50}};
static const struct imap_set SAVED = {.v = SAVED_RANGES, .n = 2};

static enum search_parse_result parse(struct str text, struct arena *a, struct search_request *q)
{
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    const struct search_scope scope = {.view = &v, .saved = &SAVED};
    struct imap_cursor c = {.in = text};
    return imap_take_search(&c, &scope, a, q);
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
        {" LARGER 4294967296", "larger(4294967296)"}, /* number64 of RFC 9051 */
        {" $", "uids(20:30,50:50)"},                  /* RFC 5182 */
        {" UID $ SEEN", "and(uids(20:30,50:50) set(1))"},
        {" OR 1 $", "or(uids(10:10) uids(20:30,50:50))"},
        {" YOUNGER 259200 OLDER 5", "and(younger(259200) older(5))"},             /* RFC 5032 */
        {" FUZZY (SUBJECT \"IMAP break\")", "fuzzy(header(SUBJECT:IMAP break))"}, /* RFC 6203 section 3 */
        {" FUZZY SUBJECT work FROM user@example.com",
         "and(fuzzy(header(SUBJECT:work)) header(FROM:user@example.com))"},
        {" MODSEQ 620162338", "modseq(620162338)"}, /* RFC 7162 section 3.1.5 */
        {" MODSEQ \"/flags/\\\\draft\" all 620162338", "modseq(620162338)"},
        {" OR NOT MODSEQ 720162338 LARGER 50000", "or(not(modseq(720162338)) larger(50000))"},
        {" MODSEQ \"/flags/x\" priv 0", "modseq()"},
        {" EMAILID M12", "emailid(12)"}, /* RFC 8474 */
        {" THREADID T7", "threadid(7)"},
        {" NOT EMAILID 6d97d8", "not(uids())"}, /* never given: matches nothing */
        {" SAVEDBEFORE 2-Jan-1970 SAVEDON 2-Jan-1970", "and(savedbefore(1) savedon(1))"}, /* RFC 8514 */
        {" SAVEDSINCE \"2-Jan-1970\" SAVEDATESUPPORTED", "and(savedsince(1) all())"},
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
        {" LARGER 9223372036854775808", NULL},
        {" YOUNGER 0", NULL},
        {" OLDER", NULL},
        {" FUZZY", NULL},
        {" MODSEQ", NULL},
        {" MODSEQ x", NULL},
        {" MODSEQ 9223372036854775808", NULL},
        {" MODSEQ \"/flags/x\" 5", NULL},
        {" MODSEQ \"/flags/x\" some 5", NULL},
        {" MODSEQ \"seen\" all 5", NULL},
        {" EMAILID", NULL},
        {" EMAILID (M1)", NULL},
        {" $,1", NULL},
        {" $:3", NULL},
        {" UID $$", NULL},
        {" SAVEDON x", NULL},
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
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct search_request q;
        enum search_parse_result r = parse(str_from_c(CASES[i].text), &a, &q);
        if ((r == SEARCH_PARSED) != (CASES[i].tree != NULL))
            fail_msg("%s", CASES[i].text);
        if (r != SEARCH_PARSED)
            continue;
        CLEAN_BUF struct buf out;
        buf_init(&out, 10000);
        print(q.keys.tree, &out);
        if (!str_eq(buf_str(&out), str_from_c(CASES[i].tree)))
            fail_msg("%s became %.*s", CASES[i].text, STR_ARGS(buf_str(&out)));
    }
}

static void unknown_charsets_are_told_apart(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct search_request q;
    assert_int_equal(parse(STR(" CHARSET X-KLINGON ALL"), &a, &q), SEARCH_BAD_CHARSET);
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
    CLEAN_BUF struct buf text;
    struct search_request q;
    buf_init(&text, 1000000);
    buf_add_c(&text, prefix);
    for (unsigned i = 0; i < n; i++)
        buf_add_c(&text, each);
    buf_add_c(&text, last);
    enum search_parse_result r = parse(buf_str(&text), a, &q);
    *tree = q.keys.tree;
    return r;
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

/* What the keys say about themselves decides how they are answered. */
static void keys_tell_what_they_need(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has_modseq, has_fuzzy, needs_view;
    } CASES[] = {
        {" SEEN UID 1:5 $", false, false, false},  {" OR (SEEN MODSEQ 3) ALL", true, false, false},
        {" NOT FUZZY TEXT x", false, true, false}, {" OR SEEN 1:2", false, false, true},
        {" UID 5:*", false, false, true},          {" OLD", false, false, true},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct search_request q;
        assert_int_equal(parse(str_from_c(CASES[i].text), &a, &q), SEARCH_PARSED);
        assert_int_equal(q.keys.has_modseq, CASES[i].has_modseq);
        assert_int_equal(q.keys.has_fuzzy, CASES[i].has_fuzzy);
        assert_int_equal(q.keys.needs_view, CASES[i].needs_view);
    }
}

/* However often they are named, what may be as long as the mailbox is there once. */
static void long_sets_are_shared(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct search_request q;
    assert_int_equal(parse(STR(" OR $ UID $"), &a, &q), SEARCH_PARSED);
    assert_ptr_equal(q.keys.tree->first, q.keys.tree->second);
    assert_int_equal(parse(STR(" OR RECENT RECENT"), &a, &q), SEARCH_PARSED);
    assert_ptr_equal(q.keys.tree->first, q.keys.tree->second);
}

/* RFC 9586 section 3.2; and "$" where nothing is selected. */
static void scopes_refuse_what_means_nothing_in_them(void **state)
{
    (void)state;
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    struct imap_view v_uids = v;
    v_uids.enabled = ENABLED_UIDONLY;
    const struct search_scope uid_only = {.view = &v_uids, .saved = &SAVED}, none = {.view = &v};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct search_request q;
    struct imap_cursor c = {.in = STR(" SEEN 1:5")};
    assert_int_equal(imap_take_search(&c, &uid_only, &a, &q), SEARCH_SYNTAX);
    assert_true(str_starts(str_from_c(c.problem), STR("[UIDREQUIRED] ")));
    c = (struct imap_cursor){.in = STR(" UID 1:5 $")};
    assert_int_equal(imap_take_search(&c, &uid_only, &a, &q), SEARCH_PARSED);
    c = (struct imap_cursor){.in = STR(" $")};
    assert_int_equal(imap_take_search(&c, &none, &a, &q), SEARCH_SYNTAX);
}

static void result_options_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned returns; /* 0: refused */
    } CASES[] = {
        {" RETURN (MIN COUNT) FLAGGED", RETURN_MIN | RETURN_COUNT}, /* RFC 4731 */
        {" RETURN () FLAGGED", RETURN_ALL},
        {" return (save all) FLAGGED", RETURN_SAVE | RETURN_ALL}, /* RFC 5182 */
        {" RETURN (UPDATE CONTEXT) ALL", RETURN_UPDATE | RETURN_CONTEXT},
        {" RETURN (PARTIAL 1:500 MAX) ALL", RETURN_PARTIAL | RETURN_MAX},
        {" RETURN (PARTIAL -500:-1) CHARSET UTF-8 ALL", RETURN_PARTIAL},
        {" RETURN (RELEVANCY ALL) FUZZY TEXT Helo", RETURN_RELEVANCY | RETURN_ALL}, /* RFC 6203 */
        {" RETURN (RELEVANCY ALL) TEXT Helo", 0},
        {" RETURN (PARTIAL 1:500 ALL) ALL", 0}, /* RFC 5267 section 4.4 */
        {" RETURN (ALL ALL) ALL", 0},
        {" RETURN (PARTIAL 1:5 PARTIAL 6:10) ALL", 0},
        {" RETURN (PARTIAL 1:-5) ALL", 0},
        {" RETURN (PARTIAL -1:5) ALL", 0},
        {" RETURN (PARTIAL 0:5) ALL", 0},
        {" RETURN (PARTIAL 5) ALL", 0},
        {" RETURN (PARTIAL 5:*) ALL", 0},
        {" RETURN (PARTIAL) ALL", 0},
        {" RETURN ( ALL) ALL", 0},
        {" RETURN (FOO) ALL", 0},
        {" RETURN ALL", 0},
        {" RETURN (ALL)", 0},
        {" RETURN (ALL", 0},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct search_request q;
        enum search_parse_result r = parse(str_from_c(CASES[i].text), &a, &q);
        if ((r == SEARCH_PARSED) != (CASES[i].returns != 0))
            fail_msg("%s", CASES[i].text);
        if (r == SEARCH_PARSED)
            assert_int_equal(q.returns, CASES[i].returns);
    }
}

static void partial_ranges_count_from_either_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n, first, count;
    } CASES[] = {
        {"1:500", 1000, 0, 500},   {"500:1", 1000, 0, 500},    {"501:1000", 700, 500, 200},
        {"701:800", 700, 0, 0},    {"-1:-100", 700, 600, 100}, {"-100:-1", 700, 600, 100},
        {"-101:-200", 150, 0, 50}, {"-3:-3", 3, 0, 1},         {"-4:-9", 3, 0, 0},
        {"1:4294967295", 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct imap_partial p;
        size_t first, count;
        assert_true(imap_take_partial(&c, &p) && imap_take_end(&c));
        assert_true(p.from <= p.to);
        assert_int_equal(imap_partial_slice(&p, CASES[i].n, &first, &count), CASES[i].count > 0);
        assert_int_equal(first, CASES[i].first);
        assert_int_equal(count, CASES[i].count);
    }
}

/* RFC 5256 section 3, RFC 5957, RFC 6203 section 6 */
static void sort_criteria_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *criteria; /* NULL: refused */
    } CASES[] = {
        {" (SUBJECT) UTF-8 SINCE 1-Feb-1994", "5"},
        {" (REVERSE DATE) UTF-8 ALL", "-2"},
        {" (SUBJECT REVERSE DATE) US-ASCII ALL", "5-2"},
        {" (arrival cc from size to displayfrom displayto) utf-8 ALL", "0134678"},
        {" RETURN (MIN MAX) (REVERSE CC) UTF-8 ALL", "-1"},
        {" (RELEVANCY) UTF-8 FUZZY SUBJECT \"Helo\"", "9"},
        {" (RELEVANCY) UTF-8 SUBJECT \"Helo\"", NULL},
        {" () UTF-8 ALL", NULL},
        {" (REVERSE) UTF-8 ALL", NULL},
        {" (REVERSE REVERSE DATE) UTF-8 ALL", NULL},
        {" (COLOUR) UTF-8 ALL", NULL},
        {" (DATE) ALL", NULL}, /* ALL is taken for the charset, and keys are missing */
        {" DATE UTF-8 ALL", NULL},
        {" (DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE) UTF-8 ALL",
         NULL},
    };
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    const struct search_scope scope = {.view = &v, .saved = &SAVED};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct search_request q;
        CLEAN_BUF struct buf out;
        buf_init(&out, 100);
        enum search_parse_result r = imap_take_sort(&c, &scope, &a, &q);
        if ((r == SEARCH_PARSED) != (CASES[i].criteria != NULL))
            fail_msg("%s", CASES[i].text);
        for (size_t k = 0; r == SEARCH_PARSED && k < q.criteria_count; k++)
            buf_addf(&out, "%s%d", q.criteria[k].reverse ? "-" : "", (int)q.criteria[k].key);
        if (r == SEARCH_PARSED)
            assert_true(str_eq(buf_str(&out), str_from_c(CASES[i].criteria)));
    }
}

static void threads_name_their_algorithm(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum search_parse_result result;
        enum thread_algorithm algorithm;
    } CASES[] = {
        {" ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000", SEARCH_PARSED, THREAD_ORDEREDSUBJECT},
        {" references US-ASCII TEXT \"gewp\"", SEARCH_PARSED, THREAD_REFERENCES},
        {" REFS UTF-8 ALL", SEARCH_PARSED, THREAD_REFS},
        {" REFS X-KLINGON ALL", SEARCH_BAD_CHARSET, THREAD_REFS},
        {" COLOUR UTF-8 ALL", SEARCH_SYNTAX, THREAD_REFS},
        {" REFS UTF-8", SEARCH_SYNTAX, THREAD_REFS},
        {" REFS", SEARCH_SYNTAX, THREAD_REFS},
    };
    struct view_row rows[5];
    struct imap_view v = make_view(rows);
    const struct search_scope scope = {.view = &v, .saved = &SAVED};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct search_request q;
        assert_int_equal(imap_take_thread(&c, &scope, &a, &q), CASES[i].result);
        if (CASES[i].result == SEARCH_PARSED)
            assert_int_equal(q.algorithm, CASES[i].algorithm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_become_a_tree),      cmocka_unit_test(unknown_charsets_are_told_apart),
        cmocka_unit_test(trees_are_bounded),       cmocka_unit_test(keys_tell_what_they_need),
        cmocka_unit_test(long_sets_are_shared),    cmocka_unit_test(scopes_refuse_what_means_nothing_in_them),
        cmocka_unit_test(result_options_are_read), cmocka_unit_test(partial_ranges_count_from_either_end),
        cmocka_unit_test(sort_criteria_are_read),  cmocka_unit_test(threads_name_their_algorithm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
