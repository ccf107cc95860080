#include "mailbox/search.h"

#include "store_fixture.h"

#include "message/date.h"

struct letter {
    const char *header;
    int64_t received;
};

/* As RFC 5256 section 3 and RFC 5957 sort them. */
static const struct letter LETTERS[] = {
    {"Date: Mon, 1 Jan 2024 10:00:00 +0200\r\nFrom: Čeda <zoran@b.example>\r\nTo: b@x.example\r\n"
     "Cc: x@x.example\r\nSubject: Re: alpha\r\n",
     500},
    {"Date: Mon, 1 Jan 2024 09:00:00 +0000\r\nFrom: ana@b.example\r\nTo: =?utf-8?q?=C3=84nne?= "
     "<a@x.example>\r\n"
     "Subject: [list] Beta (fwd)\r\n",
     400},
    {"From: \"Bo\" <Ana@a.example>\r\nTo: friends: c@x.example;\r\nSubject: alpha\r\n", 300},
    {"Date: nonsense\r\nFrom: Äda <ada@a.example>\r\nCc: a@x.example\r\nSubject: =?utf-8?q?=C3=84lpha?=\r\n",
     200},
    {"", 100},
};

static int64_t fill(struct fixture *f)
{
    int64_t inbox = id_of(f, "INBOX");
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
        struct str bytes = arena_printf(&f->arena, "%s\r\n%*s", LETTERS[i].header, (int)(i * 97 % 300), "x");
        struct store_append item = {.mailbox = inbox, .bytes = bytes, .received = LETTERS[i].received};
        assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    }
    return inbox;
}

static int sort_by(struct fixture *f, const struct search_node *tree, const struct sort_criterion *criteria,
                   size_t n)
{
    uint32_t *uids;
    size_t count;
    uint64_t modseq = 0;
    assert_int_equal(
        store_sort(f->store, id_of(f, "INBOX"), tree, criteria, n, &f->arena, &uids, &count, &modseq, &f->e),
        STORE_OK);
    int order = 0;
    for (size_t i = 0; i < count; i++)
        order = order * 10 + (int)uids[i];
    return order;
}

static const struct search_node ALL = {SEARCH_ALL};
#define SORT(...)                                                  \
    sort_by(f, &ALL, (const struct sort_criterion[]){__VA_ARGS__}, \
            sizeof((const struct sort_criterion[]){__VA_ARGS__}) / sizeof(struct sort_criterion))

static void every_key_sorts(void **state)
{
    struct fixture *f = *state;
    fill(f);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(SORT({SORT_ARRIVAL, false}), 54321);
        assert_int_equal(SORT({SORT_ARRIVAL, true}), 12345);
        assert_int_equal(SORT({SORT_DATE, false}), 54312); /* 1 at 8:00 UTC; without a date as received */
        assert_int_equal(SORT({SORT_FROM, false}), 54231); /* "", ada, ana, Ana, zoran */
        assert_int_equal(SORT({SORT_TO, false}), 45213);   /* "", "", a, b, "friends" */
        assert_int_equal(SORT({SORT_CC, false}), 23541);
        assert_int_equal(SORT({SORT_SUBJECT, false}), 51342); /* "", alpha, alpha, älpha, Beta */
        assert_int_equal(SORT({SORT_DISPLAYFROM, false}), 52431);
        assert_int_equal(SORT({SORT_DISPLAYTO, false}), 45213);
        assert_int_equal(SORT({SORT_SUBJECT, false}, {SORT_ARRIVAL, false}), 53142);
        assert_int_equal(SORT({SORT_SUBJECT, true}, {SORT_ARRIVAL, true}), 24135);
        assert_int_equal(SORT({SORT_SUBJECT, true}), 24135); /* equal ones stay in the order of uids */
    }
}

static void sizes_sort_and_a_search_chooses(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct search_node subject = {SEARCH_HEADER, .name = STR("Subject"), .text = STR("alpha")};
    assert_int_equal(sort_by(f, &subject, &(struct sort_criterion){SORT_ARRIVAL, false}, 1), 431);
    struct search_node none = {SEARCH_BODY, .text = STR("nowhere")};
    assert_int_equal(sort_by(f, &none, &(struct sort_criterion){SORT_SUBJECT, false}, 1), 0);
    int order = SORT({SORT_SIZE, false});
    uint64_t last = 0;
    for (int divisor = 10000; divisor > 0; divisor /= 10) {
        uint64_t size = message_at(f, id_of(f, "INBOX"), (uint32_t)(order / divisor % 10)).size;
        assert_true(size >= last);
        last = size;
    }
}

static void new_mail_sorts_with_the_old(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = fill(f);
    assert_int_equal(SORT({SORT_SUBJECT, false}), 51342);
    append(f, inbox, STR("Subject: aaa\r\n\r\n"), 0, "");
    assert_int_equal(SORT({SORT_SUBJECT, false}), 561342);
    uint32_t *gone, two = 2;
    size_t n;
    assert_int_equal(store_expunge(f->store, inbox, &two, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(SORT({SORT_SUBJECT, false}), 56134);
}

/* As for mail that comes while others are being sorted, and where the disk has no room for keys. */
static void what_has_no_keys_yet_is_read(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement REMOVE = {.text = "DELETE FROM body_key"};
    fill(f);
    assert_int_equal(SORT({SORT_SUBJECT, false}), 51342);
    fixture_exec(f, &REMOVE, SQL_NONE);
    assert_int_equal(SORT({SORT_SUBJECT, false}), 51342);
    assert_int_equal(SORT({SORT_ARRIVAL, true}), 12345);
}

static void the_more_relevant_comes_first(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    append(f, inbox, STR("Subject: a\r\n\r\nThe pigeons of Belgrade"), 0, "");
    append(f, inbox, STR("Subject: b\r\n\r\nBelgrade offers a pigoen"), 0, "");
    append(f, inbox, STR("Subject: c\r\n\r\nof Belgrade, a pigeon"), 0, "");
    append(f, inbox, STR("Subject: d\r\n\r\nsomething else of Belgrade"), 0, "");
    append(f, inbox, STR("Subject: e\r\n\r\na pigeon of Belgrade"), 0, "");
    struct search_node text = {SEARCH_TEXT, .text = STR("PIGEON of belgrade")}, fuzzy = {SEARCH_FUZZY, &text};
    uint32_t *uids;
    uint8_t *relevance;
    size_t n;
    assert_int_equal(store_search(f->store, inbox, &fuzzy, &f->arena, &uids, &n, NULL, &relevance, &f->e),
                     STORE_OK);
    assert_int_equal(n, 4);
    static const uint32_t UIDS[] = {1, 2, 3, 5};
    static const uint8_t SCORES[] = {(75 + 90 + 90) / 3, (50 + 75 + 90) / 3, 90,
                                     100}; /* "offers" holds "of" */
    assert_memory_equal(uids, UIDS, sizeof UIDS);
    assert_memory_equal(relevance, SCORES, sizeof SCORES);
    assert_int_equal(sort_by(f, &fuzzy, &(struct sort_criterion){SORT_RELEVANCE, false}, 1), 5312);
    assert_int_equal(sort_by(f, &text, &(struct sort_criterion){SORT_RELEVANCE, false}, 1), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_key_sorts),
        STORE_TEST(sizes_sort_and_a_search_chooses),
        STORE_TEST(new_mail_sorts_with_the_old),
        STORE_TEST(what_has_no_keys_yet_is_read),
        STORE_TEST(the_more_relevant_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
