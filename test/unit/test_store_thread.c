#include "mailbox/search.h"

#include "store_fixture.h"

#include <stdlib.h>

/* As THREAD writes them: "(1 2 (3)(4 5))"; a dummy is "()" around its children. */
static void show(struct buf *out, const struct thread_node *n)
{
    for (; n; n = n->next) {
        buf_add_byte(out, '(');
        const struct thread_node *at = n;
        for (bool first = true; at; first = false) {
            if (at->uid > 0) {
                if (!first)
                    buf_add_byte(out, ' ');
                buf_add_u64(out, at->uid);
            }
            if (!at->child || at->child->next || at->uid == 0)
                break;
            at = at->child;
        }
        if (at && at->child) {
            if (at->uid > 0)
                buf_add_byte(out, ' ');
            show(out, at->child);
        }
        buf_add_byte(out, ')');
    }
}

static void threads_are(struct fixture *f, enum thread_algorithm algorithm, const char *expected)
{
    struct thread_node *root;
    struct search_node all = {SEARCH_ALL};
    assert_int_equal(
        store_thread(f->store, id_of(f, "INBOX"), &all, algorithm, &f->arena, &root, NULL, &f->e), STORE_OK);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    show(&out, root);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

/* A message that came, and was sent, at second `at`. */
static void add(struct fixture *f, int at, const char *id, const char *references, const char *subject)
{
    struct str bytes = arena_printf(&f->arena,
                                    "Date: Mon, 1 Jan 2024 10:%02d:%02d +0000\r\nMessage-ID: <%s>\r\n"
                                    "References: %s\r\nSubject: %s\r\n\r\nx",
                                    at / 60, at % 60, id, references, subject);
    struct store_append item = {.mailbox = id_of(f, "INBOX"), .bytes = bytes, .received = at};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
}

static void add_raw(struct fixture *f, const char *bytes)
{
    append(f, id_of(f, "INBOX"), str_from_c(bytes), 0, "");
}

static void references_make_threads(void **state)
{
    struct fixture *f = *state;
    threads_are(f, THREAD_REFERENCES, "");
    add(f, 1, "a", "", "one");
    add(f, 2, "b", "<a>", "Re: one");
    add(f, 3, "c", "<a> <b>", "Re: one");
    add(f, 5, "d", "<a>", "Re: one");
    add(f, 4, "e", "<a>", "Re: one");
    add(f, 6, "f", "", "two");
    threads_are(f, THREAD_REFERENCES, "(1 (2 3)(5)(4))(6)");
    threads_are(f, THREAD_REFS, "(1 (2 3)(5)(4))(6)");
}

static void missing_messages_are_dummies_only_at_the_top(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "b", "<a>", "x");
    add(f, 2, "c", "<a>", "y");
    add(f, 3, "d", "<a> <b> <gone>", "z"); /* gone is left out */
    add(f, 4, "e", "<alone>", "w");        /* a dummy with one child goes */
    add(f, 5, "g", "<gone>", "v");
    threads_are(f, THREAD_REFERENCES, "((1 (3)(5))(2))(4)");
}

static void broken_references_do_no_harm(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "a", "<b>", "x");
    add(f, 2, "b", "<a>", "y"); /* a loop */
    add(f, 3, "c", "<c>", "z");
    add(f, 4, "a", "", "dup"); /* the same id again: nobody's parent */
    add(f, 5, "d", "<a>", "w");
    threads_are(f, THREAD_REFERENCES, "(2 1 5)(3)(4)");
    threads_are(f, THREAD_REFS, "(3)(4)(2 1 5)");
}

static void a_message_without_references_has_no_parent(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "c", "<a> <b>", "x"); /* says that a is b's parent; b says nothing */
    add(f, 2, "b", "", "y");
    add(f, 3, "a", "", "z");
    threads_are(f, THREAD_REFERENCES, "(2 1)(3)");
}

static void in_reply_to_counts_without_references(void **state)
{
    struct fixture *f = *state;
    add_raw(f, "Message-ID: <a@x>\r\nDate: 1 Jan 2024 10:00:00 +0000\r\n\r\n");
    add_raw(f, "Message-ID: <b@x>\r\nIn-Reply-To: Yours of Monday <a@x> <z@x>\r\nDate: 1 Jan 2024 11:00:00 "
               "+0000\r\n\r\n");
    add_raw(f, "Date: 1 Jan 2024 12:00:00 +0000\r\nReferences: <\"b\"@x>\r\n\r\n"); /* section 2.3: the same
                                                                                       as b@x */
    threads_are(f, THREAD_REFERENCES, "(1 2 3)");
}

static void threads_of_one_subject_are_joined(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "a", "", "one");
    add(f, 2, "b", "", "two");
    add(f, 3, "c", "", "Re: one");   /* below 1 */
    add(f, 4, "d", "", "TWO");       /* equal: a dummy above both */
    add(f, 5, "e", "", "Re: three"); /* replies alone: equal too */
    add(f, 6, "f", "", "Fwd: three");
    add(f, 7, "g", "", "");
    add(f, 8, "h", "", "Re:"); /* no subject: apart */
    add(f, 9, "i", "", "Re: two");
    threads_are(f, THREAD_REFERENCES, "(1 3)((2)(4)(9))((5)(6))(7)(8)");
    threads_are(f, THREAD_REFS, "(1)(2)(3)(4)(5)(6)(7)(8)(9)");
}

static void an_original_replaces_a_reply_in_the_table(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "a", "", "Re: one");
    add(f, 2, "b", "", "one");
    add(f, 3, "c", "<gone>", "one"); /* two children make a dummy that stays */
    add(f, 4, "d", "<gone>", "one");
    threads_are(f, THREAD_REFERENCES, "((1)(2)(3)(4))");
}

static void refs_puts_news_last(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "a", "", "x");
    add(f, 2, "b", "", "y");
    add(f, 3, "c", "<a>", "x");
    threads_are(f, THREAD_REFS, "(2)(1 3)");
    threads_are(f, THREAD_REFERENCES, "(1 3)(2)");
}

static void subjects_alone_make_threads(void **state)
{
    struct fixture *f = *state;
    add(f, 3, "a", "", "b");
    add(f, 2, "b", "", "A");
    add(f, 1, "c", "<a>", "Re: b");
    add(f, 4, "d", "", "a (fwd)");
    add(f, 5, "e", "", "Re: [x] a");
    threads_are(f, THREAD_ORDEREDSUBJECT, "(3 1)(2 (4)(5))");
}

static uint64_t thread_of(struct fixture *f, uint32_t uid)
{
    uint64_t thread = 0;
    int64_t body = message_at(f, id_of(f, "INBOX"), uid).body;
    assert_int_equal(store_thread_id(f->store, body, &thread, &f->e), STORE_OK);
    assert_true(thread > 0);
    return thread;
}

static void messages_that_name_each_other_share_a_thread(void **state)
{
    struct fixture *f = *state;
    add(f, 1, "a", "", "x");
    add(f, 2, "b", "<a>", "x");
    add(f, 3, "z", "", "x");
    add(f, 4, "y", "<missing>", "x");
    add(f, 5, "missing", "", "x"); /* comes after what answers it */
    assert_int_equal(thread_of(f, 1), thread_of(f, 2));
    assert_int_not_equal(thread_of(f, 1), thread_of(f, 3));
    assert_int_equal(thread_of(f, 4), thread_of(f, 5));
    uint64_t one = thread_of(f, 1), other = thread_of(f, 3);
    add(f, 6, "j", "<z> <b>", "x"); /* joins two: belongs to its parent's, and nobody's id changes */
    assert_int_equal(thread_of(f, 6), one);
    assert_int_equal(thread_of(f, 1), one);
    assert_int_equal(thread_of(f, 3), other);
    add_raw(f, "\r\n");
    add_raw(f, "\r\n");
    assert_int_not_equal(thread_of(f, 7), thread_of(f, 8));
    struct search_node tree = {SEARCH_THREADID, .number = one};
    uint32_t *uids;
    size_t n;
    assert_int_equal(
        store_search(f->store, id_of(f, "INBOX"), &tree, &f->arena, &uids, &n, NULL, NULL, &f->e), STORE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(uids[0] * 100 + uids[1] * 10 + uids[2], 126);
    assert_int_equal(store_thread_id(f->store, 999, &one, &f->e), STORE_NONE);
}

/* As long as a mailing list's, and as deep as somebody who means harm makes them. */
static void long_chains_are_threads_too(void **state)
{
    struct fixture *f = *state;
    enum { N = 3000, BATCH = 500 };
    int64_t inbox = id_of(f, "INBOX");
    struct store_append items[BATCH];
    for (int i = 0; i < N; i += BATCH) {
        for (int j = 0; j < BATCH; j++)
            items[j] = (struct store_append){
                .mailbox = inbox,
                .bytes = arena_printf(&f->arena, "Message-ID: <%d>\r\nIn-Reply-To: <%d>\r\n\r\n", i + j,
                                      i + j - 1),
                .received = i + j};
        assert_int_equal(store_append(f->store, items, BATCH, &f->e), STORE_OK);
    }
    struct thread_node *root;
    struct search_node all = {SEARCH_ALL};
    assert_int_equal(store_thread(f->store, inbox, &all, THREAD_REFERENCES, &f->arena, &root, NULL, &f->e),
                     STORE_OK);
    uint32_t depth = 0;
    for (struct thread_node *n = root; n; n = n->child) {
        assert_null(n->next);
        assert_int_equal(n->uid, ++depth);
    }
    assert_int_equal(depth, N);
    assert_int_equal(thread_of(f, 1), thread_of(f, N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(references_make_threads),
        STORE_TEST(missing_messages_are_dummies_only_at_the_top),
        STORE_TEST(broken_references_do_no_harm),
        STORE_TEST(a_message_without_references_has_no_parent),
        STORE_TEST(in_reply_to_counts_without_references),
        STORE_TEST(threads_of_one_subject_are_joined),
        STORE_TEST(an_original_replaces_a_reply_in_the_table),
        STORE_TEST(refs_puts_news_last),
        STORE_TEST(subjects_alone_make_threads),
        STORE_TEST(messages_that_name_each_other_share_a_thread),
        STORE_TEST(long_chains_are_threads_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
