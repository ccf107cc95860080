#include "mailbox/search.h"

#include "store_fixture.h"

#include "message/date.h"

#include <time.h>

static const char *const LETTERS[] = {
    "Date: Tue, 24 Nov 2026 23:30:00 -0800\r\nFrom: Ana <ana@example.org>\r\nSubject: "
    "=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "X-Empty:\r\n\r\nPlain text about pigeons.\r\n",
    "Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nFrom: Bo <bo@example.org>\r\nSubject: folded\r\n subject\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "w4RwZmVsIHVuZCBCaXJuZW4=\r\n", /* "Äpfel und Birnen" */
    "From: nobody@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
    "Content-Type: text/html\r\n\r\n<p>needle <b>in</b> html</p><style>hidden</style>\r\n--b\r\n"
    "Content-Type: application/octet-stream\r\n\r\nbinary pigeons\r\n--b\r\n"
    "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\ninner words\r\n--b--\r\n",
    "no header at all",
};

static int64_t fill(struct fixture *f)
{
    int64_t inbox = id_of(f, "INBOX");
    static const uint32_t FLAGS[] = {FLAG_SEEN, FLAG_SEEN | FLAG_FLAGGED, 0, FLAG_DELETED};
    static const char *const KEYWORDS[] = {"", "$Junk blue", "BLUE", ""};
    for (int i = 0; i < 4; i++) {
        struct store_append item = {.mailbox = inbox,
                                    .prefix = STR("Received: from nowhere\r\n"),
                                    .bytes = str_from_c(LETTERS[i]),
                                    .flags = FLAGS[i],
                                    .keywords = str_from_c(KEYWORDS[i]),
                                    .received = date_day(2026, 11, 20 + i) * 86400 + 23 * 3600,
                                    .zone = 120}; /* the next day there */
        assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    }
    return inbox;
}

/* The uids found, as a decimal number: 13 for 1 and 3. */
static int search(struct fixture *f, const struct search_node *tree)
{
    uint32_t *uids;
    size_t n;
    uint64_t modseq = 0;
    assert_int_equal(
        store_search(f->store, id_of(f, "INBOX"), tree, &f->arena, &uids, &n, &modseq, NULL, &f->e),
        STORE_OK);
    int found = 0;
    uint64_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        found = found * 10 + (int)uids[i];
        struct message_row row = message_at(f, id_of(f, "INBOX"), uids[i]);
        highest = row.modseq > highest ? row.modseq : highest;
    }
    assert_int_equal(modseq, highest);
    return found;
}

#define FIND(...) search(f, &(struct search_node){__VA_ARGS__})

static void the_row_answers(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(FIND(SEARCH_ALL), 1234);
    assert_int_equal(FIND(SEARCH_FLAGS_SET, .flags = FLAG_SEEN), 12);
    assert_int_equal(FIND(SEARCH_FLAGS_SET, .flags = FLAG_SEEN | FLAG_FLAGGED), 2);
    assert_int_equal(FIND(SEARCH_FLAGS_UNSET, .flags = FLAG_SEEN | FLAG_DELETED), 3);
    assert_int_equal(FIND(SEARCH_KEYWORD, .text = STR("Blue")), 23);
    assert_int_equal(FIND(SEARCH_KEYWORD, .text = STR("blu")), 0);
    assert_int_equal(FIND(SEARCH_UNKEYWORD, .text = STR("$junk")), 134);
    int64_t day = date_day(2026, 11, 22);
    assert_int_equal(FIND(SEARCH_BEFORE, .day = day), 1);
    assert_int_equal(FIND(SEARCH_ON, .day = day), 2);
    assert_int_equal(FIND(SEARCH_SINCE, .day = day), 234);
    assert_int_equal(FIND(SEARCH_SENTON, .day = date_day(2026, 11, 24)), 1); /* whatever day it is here */
    assert_int_equal(FIND(SEARCH_SENTBEFORE, .day = date_day(2026, 11, 24)), 2);
    assert_int_equal(FIND(SEARCH_SENTSINCE, .day = date_day(2024, 1, 1)), 12);
    assert_int_equal(FIND(SEARCH_LARGER, .number = 120), 123);
    assert_int_equal(FIND(SEARCH_SMALLER, .number = 100), 4);
    uint64_t modseq = message_at(f, id_of(f, "INBOX"), 3).modseq;
    assert_int_equal(FIND(SEARCH_MODSEQ, .number = modseq), 34);
    struct uid_range ranges[] = {{1, 1}, {3, 9}};
    assert_int_equal(FIND(SEARCH_UIDS, .ranges = ranges, .range_count = 2), 134);
    assert_int_equal(FIND(SEARCH_UIDS, .ranges = ranges, .range_count = 0), 0);
}

static void the_message_answers(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("subject"), .text = STR("GR\xc3\x9cSSE")), 1);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("Subject"), .text = STR("folded subject")), 2);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("FROM"), .text = STR("@example.org")), 123);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("X-Empty"), .text = STR("")), 1);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("Received"), .text = STR("nowhere")), 1234);
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("Subject"), .text = STR("inside")), 0);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("PIGEONS")), 1);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("\xc3\xa4pfel")), 2);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("A\xcc\x88PFEL")), 2); /* composed otherwise */
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("needle in")), 3);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("hidden")), 0);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("inner words")), 3);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("subject: inside")), 3);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("example.org")), 0);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("Example.ORG")), 123);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("pigeons")), 1);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("received: from")), 1234);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("")), 1234);
}

static void conditions_combine(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct uid_range two = {2, 3};
    struct search_node seen = {SEARCH_FLAGS_SET, .flags = FLAG_SEEN},
                       text = {SEARCH_BODY, .text = STR("pigeons")},
                       uids = {SEARCH_UIDS, .ranges = &two, .range_count = 1},
                       from = {SEARCH_HEADER, .name = STR("From"), .text = STR("bo")},
                       not_text = {SEARCH_NOT, .first = &text}, all = {SEARCH_ALL};
    assert_int_equal(FIND(SEARCH_AND, &seen, &text), 1);
    assert_int_equal(FIND(SEARCH_AND, &text, &seen), 1);
    assert_int_equal(FIND(SEARCH_AND, &text, &uids), 0);
    assert_int_equal(FIND(SEARCH_AND, &uids, &not_text), 23);
    assert_int_equal(FIND(SEARCH_OR, &text, &from), 123); /* "nobody" holds "bo" */
    assert_int_equal(FIND(SEARCH_OR, &uids, &text), 123);
    assert_int_equal(FIND(SEARCH_OR, &text, &all), 1234);
    assert_int_equal(FIND(SEARCH_NOT, &text), 234);
    assert_int_equal(FIND(SEARCH_NOT, &not_text), 1);
    struct search_node either = {SEARCH_OR, &text, &from}, neither = {SEARCH_NOT, &either};
    assert_int_equal(FIND(SEARCH_AND, &neither, &all), 4);
    struct search_node not_uids = {SEARCH_NOT, &uids};
    assert_int_equal(FIND(SEARCH_AND, &not_uids, &all), 14);
}

static void accents_and_scripts_do_not_matter(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    append(f, inbox, STR("Subject: Čačak\r\n\r\nЂорђе пише"), 0, "");
    append(f, inbox, STR("Subject: =?utf-8?b?0KfQsNGH0LDQug==?=\r\n\r\nDjordje\r\npise iz kuće"), 0, "");
    assert_int_equal(FIND(SEARCH_HEADER, .name = STR("Subject"), .text = STR("cacak")), 12);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("ЧАЧАК")), 12);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("đorđe")), 12);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("đorđe piše")), 12); /* across a line end */
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("kuce")), 2);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("dordje")), 0);
}

static void attachments_have_names(void **state)
{
    struct fixture *f = *state;
    append(f, id_of(f, "INBOX"),
           STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/pdf; "
               "name=other.bin\r\n"
               "Content-Disposition: attachment; filename*=utf-8''ra%C4%8Dun.pdf\r\n\r\nsecret\r\n--b--\r\n"),
           0, "");
    append(f, id_of(f, "INBOX"),
           STR("Content-Type: image/png; name=\"=?utf-8?q?ra=C4=8Dun?=\"\r\n\r\nsecret"), 0, "");
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("račun")), 12);
    assert_int_equal(FIND(SEARCH_TEXT, .text = STR("other.bin")), 1);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("secret")), 0);
}

static void dates_and_ids_answer(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX"), now = (int64_t)time(NULL);
    static const int AGES[] = {10, 1000, 100000};
    for (int i = 0; i < 3; i++) {
        struct store_append item = {.mailbox = inbox, .bytes = STR("x"), .received = now - AGES[i]};
        assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    }
    assert_int_equal(FIND(SEARCH_YOUNGER, .number = 500), 1);
    assert_int_equal(FIND(SEARCH_OLDER, .number = 500), 23);
    assert_int_equal(FIND(SEARCH_YOUNGER, .number = UINT64_MAX), 123);
    assert_int_equal(FIND(SEARCH_OLDER, .number = UINT64_MAX), 0);
    /* They were all saved today, or the test runs over midnight. */
    int64_t today = date_day_at((int64_t)time(NULL), date_local_zone((int64_t)time(NULL)));
    assert_int_equal(FIND(SEARCH_SAVEDSINCE, .day = today - 1), 123);
    assert_int_equal(FIND(SEARCH_SAVEDBEFORE, .day = today - 1), 0);
    assert_int_equal(FIND(SEARCH_SAVEDBEFORE, .day = today + 1), 123);
    assert_int_equal(FIND(SEARCH_SAVEDON, .day = today - 5), 0);
    uint64_t body = (uint64_t)message_at(f, inbox, 2).body;
    assert_int_equal(FIND(SEARCH_EMAILID, .number = body), 2);
    assert_true(message_at(f, inbox, 3).saved >= now);
    /* A copy is the same body and is saved now. */
    uint32_t *from, *to, two = 2, uidvalidity;
    size_t n;
    assert_int_equal(store_copy(f->store, inbox, &two, 1, inbox, false, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(FIND(SEARCH_EMAILID, .number = body), 24);
    assert_true(message_at(f, inbox, 4).saved >= now);
}

static void a_text_across_chunks_is_found(void **state)
{
    struct fixture *f = *state;
    enum { N = 600 * 1024 };
    char *bytes = malloc(N);
    memset(bytes, 'a', N);
    memcpy(bytes, "\r\n", 2);
    memcpy(bytes + BODY_CHUNK - 3, "needle", 6);
    append(f, id_of(f, "INBOX"), str_from(bytes, N), 0, "");
    free(bytes);
    append(f, id_of(f, "INBOX"), STR("\r\nsmall"), 0, "");
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("NEEDLE")), 1);
    assert_int_equal(FIND(SEARCH_BODY, .text = STR("small")), 2);
    uint32_t *uids;
    size_t n;
    struct search_node all = {SEARCH_ALL};
    assert_int_equal(store_search(f->store, 999, &all, &f->arena, &uids, &n, NULL, NULL, &f->e), STORE_OK);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_row_answers),
        STORE_TEST(the_message_answers),
        STORE_TEST(conditions_combine),
        STORE_TEST(accents_and_scripts_do_not_matter),
        STORE_TEST(attachments_have_names),
        STORE_TEST(dates_and_ids_answer),
        STORE_TEST(a_text_across_chunks_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
