/* QUOTA (RFC 9208). */
#include "check.h"
#include "imap/quota_parse.h"
#include "imap_fixture.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void limits_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *again; /* NULL: refused */
    } CASES[] = {
        {"()", "()"},
        {"(STORAGE 512)", "(STORAGE 1 512)"},
        {"(message 5 Storage 0)", "(STORAGE 1 0 MESSAGE 1 5)"},
        {"(MAILBOX 7)", "(MAILBOX 1 7)"},
        {"(STORAGE 9223372036854775807)", "()"},
        {"(STORAGE)", NULL},
        {"(STORAGE x)", NULL},
        {"(STORAGE -1)", NULL},
        {"(STORAGE 9223372036854775808)", NULL},
        {"(FOO 1)", NULL},
        {"(STORAGE 1 )", NULL},
        {"( STORAGE 1)", NULL},
        {"STORAGE 1", NULL},
        {"(STORAGE 1", NULL},
    };
    static const uint64_t USED[QUOTA_RESOURCES] = {1, 1, 1};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        uint64_t limits[QUOTA_RESOURCES];
        CLEAN_BUF struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        bool good = imap_take_quota_limits(&c, limits) && imap_take_end(&c);
        if (good)
            imap_add_quota(&out, USED, limits);
        if (good != (CASES[i].again != NULL) || (good && !str_eq(buf_str(&out), str_from_c(CASES[i].again))))
            fail_msg("%s: %.*s", CASES[i].text, STR_ARGS(buf_str(&out)));
    }
}

static const char *const ASKS[] = {
    "C: a GETQUOTAROOT INBOX",
    "S: * QUOTAROOT INBOX \"\"",
    "S: * QUOTA \"\" (STORAGE 0 4 MESSAGE 0 3 MAILBOX 6 20000)",
    "S: a OK ...",
    "C: a GETQUOTA \"\"",
    "S: * QUOTA \"\" (STORAGE 0 4 MESSAGE 0 3 MAILBOX 6 20000)",
    "S: a OK ...",
    "C: a GETQUOTAROOT not/there",
    "S: * QUOTAROOT not/there \"\"",
    "S: * QUOTA ...",
    "S: a OK ...",
    "C: a GETQUOTA \"#user/alice\"",
    "S: a NO [NONEXISTENT] ...",
    "C: a GETQUOTA",
    "S: a BAD ...",
    /* 1,500 bytes are told as 2 units */
    "C: a APPEND INBOX {1500+}",
};

static const char *const FILLS[] = {
    "S: a OK [APPENDUID ~ 1] ...",
    "C: a GETQUOTA \"\"",
    "S: * QUOTA \"\" (STORAGE 2 4 MESSAGE 1 3 MAILBOX 6 20000)",
    "S: a OK ...",
    "C: a SELECT INBOX",
    "S: * FLAGS ...",
    "S: * OK ...",
    "S: * 1 EXISTS",
    "S: * 1 RECENT",
    "S: * OK ...",
    "S: * OK ...",
    "S: * OK ...",
    "S: * OK ...",
    "S: * OK ...",
    "S: a OK ...",
    "C: a COPY 1 Archive",
    "S: a OK [COPYUID ~ 1 1] ...",
    "C: a COPY 1 Archive",
    "S: a NO [OVERQUOTA] ...",
    "C: a APPEND INBOX {1097+}",
};

static const char *const OVERFILLS[] = {
    "S: a NO [OVERQUOTA] ...",
    "C: a APPEND INBOX {1096+}",
};

static const char *const WARNS[] = {
    "S: * NO [OVERQUOTA] ...",
    "S: * 2 EXISTS",
    "S: * 2 RECENT",
    "S: a OK [APPENDUID ~ 2] ...",
    "C: a MOVE 1 Trash",
    "S: * OK [COPYUID ...",
    "S: * 1 EXPUNGE",
    "S: a OK ...",
    /* what the owner keeps to */
    "C: a SETQUOTA \"\" (STORAGE 3 MAILBOX 6)",
    "S: * QUOTA \"\" (STORAGE 4 3 MESSAGE 3 3 MAILBOX 6 6)",
    "S: a OK ...",
    "C: a CREATE more",
    "S: a NO [OVERQUOTA] ...",
    "C: a SETQUOTA \"\" (STORAGE 5)",
    "S: * QUOTA \"\" (STORAGE 4 3 MESSAGE 3 3 MAILBOX 6 6)",
    "S: a NO [NOPERM] ...",
    "C: a SETQUOTA \"\" ()",
    "S: * QUOTA \"\" (STORAGE 4 4 MESSAGE 3 3 MAILBOX 6 20000)",
    "S: a OK ...",
    "C: a SETQUOTA \"x\" ()",
    "S: a NO [NONEXISTENT] ...",
    "C: a SETQUOTA \"\" (FOO 1)",
    "S: a BAD ...",
    /* somebody else's use is not told */
    "U2: ben@example.test",
    "C2: b GETQUOTAROOT INBOX",
    "S2: * QUOTAROOT INBOX",
    "S2: b OK ...",
    "C2: b GETQUOTA \"\"",
    "S2: b NO [NOPERM] ...",
    "C2: b SETQUOTA \"\" (STORAGE 1)",
    "S2: b NO [NOPERM] ...",
};

static void run(struct imap_fixture *f, const char *const *lines, size_t n, size_t literal)
{
    for (size_t i = 0; i < n; i++)
        imap_run_line(f, "quota", lines[i]);
    for (size_t i = 0; i < literal; i++)
        stream_write(&f->clients[0].stream, STR("x"));
    if (literal > 0)
        imap_run_line(f, "quota", "C: ");
}

static void a_session_meets_its_limits(void **state)
{
    (void)state;
    struct imap_fixture f;
    struct err e = ERR_INIT;
    imap_open_fixture(&f);
    imap_run_line(&f, "no limits", "C: a GETQUOTAROOT INBOX");
    imap_run_line(&f, "no limits", "S: * QUOTAROOT INBOX \"\"");
    imap_run_line(&f, "no limits", "S: * QUOTA \"\" (MAILBOX 6 20000)");
    imap_run_line(&f, "no limits", "S: a OK ...");
    assert_int_equal(store_set_quota(f.store, 4096, 3, &e), STORE_OK);
    run(&f, ASKS, COUNT(ASKS), 1500);
    run(&f, FILLS, COUNT(FILLS), 1097);
    run(&f, OVERFILLS, COUNT(OVERFILLS), 1096);
    run(&f, WARNS, COUNT(WARNS), 0);
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_read_and_written),
        cmocka_unit_test(a_session_meets_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
