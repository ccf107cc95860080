#include "store_fixture.h"

#include "message/mime.h"
#include "message/parts.h"

#include <sys/eventfd.h>
#include <unistd.h>

static const struct str LETTER = STR_INIT("Date: Tue, 24 Nov 2026 12:00:00 +0100\r\n"
                                          "From: Ana <ana@example.org>\r\n"
                                          "To: bo@example.org\r\n"
                                          "Subject: hello\r\n"
                                          "Content-Type: multipart/mixed; boundary=b\r\n"
                                          "\r\n"
                                          "--b\r\n"
                                          "\r\n"
                                          "the text\r\n"
                                          "--b\r\n"
                                          "Content-Type: message/rfc822\r\n"
                                          "\r\n"
                                          "Subject: inner\r\n"
                                          "\r\n"
                                          "inner text\r\n"
                                          "--b--\r\n");

static enum store_result flag(struct fixture *f, int64_t mailbox, struct flag_store change,
                              const uint32_t *uids, size_t n, struct view_changes *changed)
{
    return store_flags(f->store, mailbox, uids, n, &change, &f->arena, changed, NULL, NULL, &f->e);
}

static struct str part_bytes(struct fixture *f, int64_t mailbox, uint32_t uid, const uint32_t *numbers,
                             size_t n)
{
    struct store_fetch *fetch;
    const struct fetch_row *row;
    assert_int_equal(store_fetch_open(f->store, mailbox, &uid, 1, WANT_PARTS, &fetch, &f->e), STORE_OK);
    assert_true(store_fetch_next(fetch, &row));
    struct mime_part *part = mime_find(parts_unpack(row->parts, &f->arena), numbers, n);
    assert_non_null(part);
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    assert_int_equal(store_fetch_body(fetch, part->body_at, part->body_size, &out, &f->e), STORE_OK);
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    return arena_copy(&f->arena, buf_str(&out));
}

static void an_append_is_there(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    struct store_append items[] = {
        {.mailbox = inbox,
         .prefix = STR("Return-Path: <ana@example.org>\r\n"),
         .bytes = LETTER,
         .flags = FLAG_SEEN | FLAG_DRAFT | 0x1000,
         .keywords = STR("zebra $Forwarded ZEBRA apple"),
         .received = 1800000000,
         .zone = -90},
        {.mailbox = 4711, .bytes = LETTER},
        {.mailbox = inbox, .bytes = LETTER, .keywords = STR("not(atom")},
        {.mailbox = inbox, .bytes = STR("")},
    };
    assert_int_equal(store_append(f->store, items, 4, &f->e), STORE_OK);
    assert_int_equal(items[0].result, STORE_OK);
    assert_int_equal(items[1].result, STORE_NONE);
    assert_int_equal(items[2].result, STORE_INVALID);
    assert_int_equal(items[3].result, STORE_OK);
    assert_int_equal(items[0].uid, 1);
    assert_int_equal(items[3].uid, 2);
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_int_equal(items[0].uidvalidity, m.uidvalidity);
    assert_int_equal(m.messages, 2);
    assert_int_equal(m.unseen, 1);
    assert_int_equal(m.uidnext, 3);
    assert_int_equal(m.size, items[0].prefix.n + LETTER.n);
    struct message_row row = message_at(f, inbox, 1);
    assert_int_equal(row.flags, FLAG_SEEN | FLAG_DRAFT);
    assert_true(str_eq(row.keywords, STR("$Forwarded apple zebra")));
    assert_int_equal(row.received, 1800000000);
    assert_int_equal(row.zone, -90);
    assert_int_equal(row.modseq, m.highestmodseq);
    assert_int_equal(row.size, m.size);
    struct message_row none;
    assert_int_equal(store_message(f->store, inbox, 3, &f->arena, &none, &f->e), STORE_NONE);
}

static void a_fetch_gives_what_was_computed(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    struct store_append item = {.mailbox = inbox, .prefix = STR("Received: by us\r\n"), .bytes = LETTER};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    append(f, inbox, STR("Subject: second\r\n\r\ntext"), 0, "");
    struct store_fetch *fetch;
    const struct fetch_row *row;
    assert_int_equal(
        store_fetch_open(f->store, inbox, NULL, 0, WANT_ENVELOPE | WANT_STRUCTURE, &fetch, &f->e), STORE_OK);
    assert_true(store_fetch_next(fetch, &row));
    assert_true(
        str_starts(row->envelope, STR("(\"Tue, 24 Nov 2026 12:00:00 +0100\" \"hello\" ((\"Ana\" NIL ")));
    assert_true(str_starts(row->structure, STR("((\"text\" \"plain\"")) ||
                str_starts(row->structure, STR("((\"TEXT\" \"PLAIN\"")));
    assert_int_equal(row->parts.n, 0);
    assert_true(store_fetch_next(fetch, &row));
    assert_true(str_find(row->envelope, STR("\"second\"")) != STR_NONE);
    assert_false(store_fetch_next(fetch, &row));
    assert_false(store_fetch_next(fetch, &row));
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);

    /* The prefix has moved every part. */
    uint32_t one = 1, inner[] = {2, 1};
    assert_true(str_eq(part_bytes(f, inbox, 1, &one, 1), STR("the text")));
    assert_true(str_eq(part_bytes(f, inbox, 1, inner, 2), STR("inner text")));
    CLEAN_BUF struct buf whole;
    buf_init(&whole, 10000);
    assert_int_equal(read_body(f, inbox, 1, 0, UINT64_MAX, &whole), STORE_OK);
    assert_true(str_starts(buf_str(&whole), STR("Received: by us\r\n")));
    assert_true(str_eq(str_from_offset(buf_str(&whole), item.prefix.n), LETTER));
}

static void a_fetch_takes_the_uids_asked_for(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    enum { N = 700 }; /* several batches */
    struct store_append items[N];
    for (int i = 0; i < N; i++)
        items[i] = (struct store_append){.mailbox = inbox, .bytes = STR("Subject: x\r\n\r\ny")};
    assert_int_equal(store_append(f->store, items, N, &f->e), STORE_OK);
    uint32_t *gone;
    size_t gone_count;
    uint32_t expunge[] = {2, 300, 301, 699};
    assert_int_equal(store_expunge(f->store, inbox, expunge, 4, true, &f->arena, &gone, &gone_count, &f->e),
                     STORE_OK);
    assert_int_equal(gone_count, 4);
    for (uint32_t step = 1; step < 200; step += 33) {
        uint32_t uids[N + 5];
        size_t n = 0;
        for (uint32_t uid = 1; uid < N + 5; uid += step)
            uids[n++] = uid;
        struct store_fetch *fetch;
        const struct fetch_row *row;
        assert_int_equal(store_fetch_open(f->store, inbox, uids, n, WANT_ENVELOPE, &fetch, &f->e), STORE_OK);
        for (size_t i = 0; i < n; i++) {
            if (uids[i] == 2 || uids[i] == 300 || uids[i] == 301 || uids[i] == 699 || uids[i] > N)
                continue;
            assert_true(store_fetch_next(fetch, &row));
            assert_int_equal(row->row.uid, uids[i]);
            assert_true(row->envelope.n > 0);
        }
        assert_false(store_fetch_next(fetch, &row));
        assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    }
    struct store_fetch *fetch;
    const struct fetch_row *row;
    size_t all = 0;
    assert_int_equal(store_fetch_open(f->store, inbox, NULL, 0, 0, &fetch, &f->e), STORE_OK);
    while (store_fetch_next(fetch, &row))
        all++;
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    assert_int_equal(all, N - 4);
    assert_int_equal(store_fetch_open(f->store, inbox, expunge, 0, 0, &fetch, &f->e), STORE_OK);
    assert_false(store_fetch_next(fetch, &row));
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
}

static void bodies_come_back_byte_for_byte(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    static const size_t SIZES[] = {0, 1, 100, BODY_CHUNK - 1, BODY_CHUNK, BODY_CHUNK + 1, 3 * 1024 * 1024};
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        for (int compressible = 0; compressible < 2; compressible++) {
            char *bytes = malloc(SIZES[i] + 1);
            for (size_t at = 0; at < SIZES[i]; at++)
                bytes[at] = compressible ? "abc\r\n"[at % 5] : (char)next_random(&seed);
            size_t prefix = SIZES[i] > 10 ? 10 : 0;
            struct store_append item = {.mailbox = inbox,
                                        .prefix = str_from(bytes, prefix),
                                        .bytes = str_from(bytes + prefix, SIZES[i] - prefix)};
            assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
            for (int round = 0; round < 20; round++) {
                uint64_t offset = round == 0 ? 0 : next_random(&seed) % (SIZES[i] + 2);
                uint64_t n = round == 0 ? UINT64_MAX : next_random(&seed) % (SIZES[i] + 2);
                CLEAN_BUF struct buf out;
                buf_init(&out, BUF_MAX_DEFAULT);
                buf_add(&out, STR("before"));
                assert_int_equal(read_body(f, inbox, item.uid, offset, n, &out), STORE_OK);
                struct str want = str_slice(str_from(bytes, SIZES[i]), offset, n > SIZES[i] ? SIZES[i] : n);
                assert_true(str_eq(str_from_offset(buf_str(&out), 6), want));
            }
            free(bytes);
        }
    }
    CLEAN_BUF struct buf small;
    buf_init(&small, 1000);
    assert_int_equal(read_body(f, inbox, mailbox_named(f, "INBOX").uidnext - 1, 0, UINT64_MAX, &small),
                     STORE_FAILED);
    assert_int_equal(f->e.kind, ERR_PERMANENT);
}

static void flags_are_added_removed_and_replaced(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 0; i < 6; i++)
        append(f, inbox, STR("x"), i == 5 ? FLAG_FLAGGED : 0, i == 2 ? "Blue red" : "");
    uint32_t all[] = {1, 2, 3, 4, 5, 6, 77};
    struct view_changes changed;
    uint64_t before = mailbox_named(f, "INBOX").highestmodseq;

    assert_int_equal(flag(f, inbox,
                          (struct flag_store){FLAGS_ADD, FLAG_SEEN | FLAG_DELETED, STR(""), UINT64_MAX}, all,
                          7, &changed),
                     STORE_OK);
    assert_int_equal(changed.changed_count, 6);
    assert_int_equal(changed.modseq, before + 1);
    assert_int_equal(changed.changed[5].flags, FLAG_SEEN | FLAG_DELETED | FLAG_FLAGGED);
    assert_true(str_eq(changed.changed[2].keywords, STR("Blue red")));
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_int_equal(m.unseen, 0);
    assert_int_equal(m.deleted, 6);
    assert_int_equal(m.highestmodseq, before + 1);
    assert_int_equal(store_highestmodseq(f->store, inbox), before + 1);

    /* The same again changes nothing, not even the modseq. */
    assert_int_equal(flag(f, inbox, (struct flag_store){FLAGS_ADD, FLAG_SEEN, STR("RED"), UINT64_MAX},
                          all + 2, 1, &changed),
                     STORE_OK);
    assert_int_equal(changed.changed_count, 0);
    assert_int_equal(mailbox_named(f, "INBOX").highestmodseq, before + 1);

    assert_int_equal(flag(f, inbox, (struct flag_store){FLAGS_REMOVE, FLAG_DELETED, STR("blue"), UINT64_MAX},
                          all, 3, &changed),
                     STORE_OK);
    assert_int_equal(changed.changed_count, 3);
    assert_true(str_eq(message_at(f, inbox, 3).keywords, STR("red")));
    assert_int_equal(mailbox_named(f, "INBOX").deleted, 3);

    assert_int_equal(flag(f, inbox,
                          (struct flag_store){FLAGS_REPLACE, FLAG_ANSWERED, STR("b a RED"), UINT64_MAX}, all,
                          4, &changed),
                     STORE_OK);
    struct message_row row = message_at(f, inbox, 3);
    assert_true(str_eq(row.keywords, STR("a b red"))); /* in the first spelling */
    assert_int_equal(row.flags, FLAG_ANSWERED);
    assert_true(str_eq(message_at(f, inbox, 1).keywords, STR("a b RED")));
    m = mailbox_named(f, "INBOX");
    assert_int_equal(m.unseen, 4);
    assert_int_equal(m.deleted, 2);
    assert_int_equal(flag(f, inbox, (struct flag_store){FLAGS_REPLACE, 0, STR(""), UINT64_MAX}, all, 7, NULL),
                     STORE_OK);
    assert_int_equal(message_at(f, inbox, 3).keywords.n, 0);
    assert_int_equal(mailbox_named(f, "INBOX").unseen, 6);
    assert_int_equal(flag(f, 999, (struct flag_store){FLAGS_ADD, 1, STR(""), UINT64_MAX}, all, 7, NULL),
                     STORE_NONE);
}

static void keywords_have_rules(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t uid = append(f, inbox, STR("x"), 0, "");
    static const char *const BAD[] = {"a(b", "\\Seen", "a\"",      "x%",     "x*",
                                      "br]", "{3}",    "\xc3\xa4", "ctl\x01"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(
            flag(f, inbox, (struct flag_store){FLAGS_ADD, 0, str_from_c(BAD[i]), UINT64_MAX}, &uid, 1, NULL),
            STORE_INVALID);
    char name[KEYWORD_MAX + 2];
    memset(name, 'k', sizeof name);
    assert_int_equal(flag(f, inbox,
                          (struct flag_store){FLAGS_ADD, 0, str_from(name, KEYWORD_MAX + 1), UINT64_MAX},
                          &uid, 1, NULL),
                     STORE_INVALID);
    assert_int_equal(flag(f, inbox,
                          (struct flag_store){FLAGS_ADD, 0, str_from(name, KEYWORD_MAX), UINT64_MAX}, &uid, 1,
                          NULL),
                     STORE_OK);
    for (int i = 1; i < KEYWORDS_MAX; i++) {
        struct str one = arena_printf(&f->arena, "n%d", i);
        assert_int_equal(flag(f, inbox, (struct flag_store){FLAGS_ADD, 0, one, UINT64_MAX}, &uid, 1, NULL),
                         STORE_OK);
    }
    assert_int_equal(
        flag(f, inbox, (struct flag_store){FLAGS_ADD, 0, STR("more"), UINT64_MAX}, &uid, 1, NULL),
        STORE_LIMIT);
    assert_int_equal(flag(f, inbox, (struct flag_store){FLAGS_ADD, 0, STR("N7"), UINT64_MAX}, &uid, 1, NULL),
                     STORE_OK);
}

static void unchanged_since_is_kept(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 0; i < 4; i++)
        append(f, inbox, STR("x"), 0, "");
    uint32_t all[] = {1, 2, 3, 4};
    uint64_t since = mailbox_named(f, "INBOX").highestmodseq;
    assert_int_equal(
        flag(f, inbox, (struct flag_store){FLAGS_ADD, FLAG_FLAGGED, STR(""), UINT64_MAX}, all + 1, 2, NULL),
        STORE_OK);
    struct flag_store change = {FLAGS_ADD, FLAG_SEEN, STR(""), since};
    struct view_changes changed;
    uint32_t *modified;
    size_t n;
    assert_int_equal(store_flags(f->store, inbox, all, 4, &change, &f->arena, &changed, &modified, &n, &f->e),
                     STORE_OK);
    assert_int_equal(n, 2);
    assert_int_equal(modified[0], 2);
    assert_int_equal(modified[1], 3);
    assert_int_equal(changed.changed_count, 2);
    assert_int_equal(message_at(f, inbox, 2).flags, FLAG_FLAGGED);
    assert_int_equal(message_at(f, inbox, 4).flags, FLAG_SEEN);
}

static void expunging(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 1; i <= 6; i++)
        append(f, inbox, STR("body"), i % 2 ? FLAG_DELETED : FLAG_SEEN, "");
    uint32_t *gone, some[] = {1, 2, 9};
    size_t n;
    assert_int_equal(store_expunge(f->store, inbox, some, 3, false, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 1);
    assert_int_equal(gone[0], 1);
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, false, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 2);
    assert_int_equal(gone[1], 5);
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, false, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 0);
    assert_int_equal(store_expunge(f->store, inbox, some, 3, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 1);
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_int_equal(m.messages, 2);
    assert_int_equal(m.deleted, 0);
    assert_int_equal(m.size, 8);
    assert_int_equal(store_expunge(f->store, 999, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_NONE);
    assert_int_equal(append(f, inbox, STR("x"), 0, ""), 7); /* no uid comes twice */
}

static void copying_and_moving(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX"), trash = id_of(f, "Trash");
    append(f, trash, STR("there before"), 0, "");
    for (int i = 1; i <= 4; i++)
        append(f, inbox, arena_printf(&f->arena, "Subject: %d\r\n\r\n", i), i == 2 ? FLAG_SEEN : 0,
               i == 3 ? "k" : "");
    uint32_t uids[] = {2, 3, 50}, *from, *to, uidvalidity;
    size_t n;
    assert_int_equal(store_copy(f->store, inbox, uids, 3, trash, false, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(n, 2);
    assert_true(from[0] == 2 && from[1] == 3 && to[0] == 2 && to[1] == 3);
    assert_int_equal(uidvalidity, mailbox_named(f, "Trash").uidvalidity);
    assert_int_equal(message_at(f, trash, 2).flags, FLAG_SEEN);
    assert_true(str_eq(message_at(f, trash, 3).keywords, STR("k")));
    assert_int_equal(message_at(f, trash, 3).received, 1700000000);
    assert_int_equal(message_at(f, trash, 3).zone, 60);
    assert_int_equal(message_at(f, trash, 3).body, message_at(f, inbox, 3).body);
    CLEAN_BUF struct buf body;
    buf_init(&body, 1000);
    assert_int_equal(read_body(f, trash, 3, 9, 1, &body), STORE_OK);
    assert_true(str_eq(buf_str(&body), STR("3")));

    uint32_t all[] = {1, 2, 3, 4};
    assert_int_equal(store_copy(f->store, inbox, all, 4, trash, true, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(n, 4);
    assert_true(to[0] == 4 && to[3] == 7);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 0);
    assert_int_equal(mailbox_named(f, "Trash").messages, 7);
    assert_int_equal(mailbox_named(f, "Trash").unseen, 5);

    /* Onto itself: the new ones are not copied again. */
    uint32_t many[20];
    for (uint32_t i = 0; i < 20; i++)
        many[i] = i + 1;
    assert_int_equal(store_copy(f->store, trash, many, 20, trash, false, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(n, 7);
    assert_int_equal(store_copy(f->store, trash, many, 3, trash, true, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(mailbox_named(f, "Trash").messages, 14);
    assert_int_equal(store_copy(f->store, inbox, many, 20, trash, true, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(n, 0);
    assert_int_equal(
        store_copy(f->store, inbox, all, 4, 999, false, NULL, &f->arena, &from, &to, &n, &uidvalidity, &f->e),
        STORE_NONE);
    assert_int_equal(
        store_copy(f->store, 999, all, 4, inbox, false, NULL, &f->arena, &from, &to, &n, &uidvalidity, &f->e),
        STORE_NONE);
}

static void a_delivery_tried_again_is_stored_once(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    struct store_append first = {.mailbox = inbox, .bytes = LETTER, .delivery = STR("0123456789abcdef")};
    struct store_append other = {.mailbox = inbox, .bytes = LETTER, .delivery = STR("................")};
    assert_int_equal(store_append(f->store, &first, 1, &f->e), STORE_OK);
    assert_int_equal(store_append(f->store, &other, 1, &f->e), STORE_OK);
    struct store_append again[] = {first, other, first};
    again[0].again = again[2].again = true;
    again[2].delivery = STR("fedcba9876543210");
    assert_int_equal(store_append(f->store, again, 3, &f->e), STORE_OK);
    assert_int_equal(again[0].uid, first.uid);
    assert_int_equal(again[0].uidvalidity, first.uidvalidity);
    assert_int_equal(again[1].uid, 3); /* it was not said to be one tried again */
    assert_int_equal(again[2].uid, 4);
    /* Moved, thrown away, its mailbox gone: it was stored all the same. */
    uint32_t *gone;
    size_t n;
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    again[0].result = STORE_FAILED;
    assert_int_equal(store_append(f->store, again, 1, &f->e), STORE_OK);
    assert_int_equal(again[0].result, STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 0);
}

static void recent_is_claimed_once(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t first = 0;
    assert_int_equal(store_claim_recent(f->store, inbox, &first, &f->e), STORE_OK);
    assert_int_equal(first, 1);
    append(f, inbox, STR("x"), 0, "");
    append(f, inbox, STR("x"), 0, "");
    uint64_t modseq = mailbox_named(f, "INBOX").highestmodseq;
    assert_int_equal(mailbox_named(f, "INBOX").first_recent, 1);
    assert_int_equal(store_claim_recent(f->store, inbox, &first, &f->e), STORE_OK);
    assert_int_equal(first, 1);
    assert_int_equal(store_claim_recent(f->store, inbox, &first, &f->e), STORE_OK);
    assert_int_equal(first, 3);
    assert_int_equal(mailbox_named(f, "INBOX").highestmodseq, modseq);
    assert_int_equal(store_claim_recent(f->store, 999, &first, &f->e), STORE_NONE);
}

static void watchers_are_woken(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    int one = eventfd(0, EFD_NONBLOCK), two = eventfd(0, EFD_NONBLOCK);
    uint64_t count;
    store_watch(f->store, one);
    store_watch(f->store, two);
    append(f, inbox, STR("x"), 0, "");
    assert_int_equal(read(one, &count, sizeof count), sizeof count);
    assert_int_equal(read(two, &count, sizeof count), sizeof count);
    uint32_t uid = 9;
    assert_int_equal(
        flag(f, inbox, (struct flag_store){FLAGS_ADD, FLAG_SEEN, STR(""), UINT64_MAX}, &uid, 1, NULL),
        STORE_OK);
    assert_int_equal(read(one, &count, sizeof count), -1); /* nothing changed */
    store_unwatch(f->store, one);
    assert_int_equal(store_mailbox_create(f->store, STR("new"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    assert_int_equal(read(one, &count, sizeof count), -1);
    assert_int_equal(read(two, &count, sizeof count), sizeof count);
    store_unwatch(f->store, two);
    store_unwatch(f->store, two);
    close(one);
    close(two);
    assert_int_equal(store_highestmodseq(f->store, 999), 0);
    assert_int_equal(store_highestmodseq(f->store, inbox), mailbox_named(f, "INBOX").highestmodseq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_append_is_there),
        STORE_TEST(a_fetch_gives_what_was_computed),
        STORE_TEST(a_fetch_takes_the_uids_asked_for),
        STORE_TEST(bodies_come_back_byte_for_byte),
        STORE_TEST(flags_are_added_removed_and_replaced),
        STORE_TEST(keywords_have_rules),
        STORE_TEST(unchanged_since_is_kept),
        STORE_TEST(expunging),
        STORE_TEST(copying_and_moving),
        STORE_TEST(a_delivery_tried_again_is_stored_once),
        STORE_TEST(recent_is_claimed_once),
        STORE_TEST(watchers_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
