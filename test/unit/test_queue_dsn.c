/* Reports as whole texts: each case is a file in test/unit/dsn, which a person can read and judge. After a
 * change that is meant, GOLUB_WRITE_DSN=1 writes them anew; git diff then shows what became of them. */
#include "check.h"

#include "base/mem.h"
#include "message/mime.h"
#include "queue/dsn.h"
#include "queue/dsn_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_KIB 200

static const char MESSAGE[] = "Received: from x\r\n\tby y\r\nFrom: Alice@Example.ORG\r\n"
                              "Message-ID: <one@Example.ORG>\r\nSubject: Hello\r\n\r\nThe body.\r\n";
static const char UTF8_MESSAGE[] = "From: ана@пример.срб\r\nSubject: Здраво\r\n\r\nТекст.\r\n";

/* The cast of RFC 3461 section 10. */
static const struct dsn_recipient DANA = {.address = STR_INIT("Dana@Ivory.EDU"),
                                          .original = STR_INIT("rfc822;Dana@Ivory.EDU"),
                                          .host = STR_INIT("Ivory.EDU"),
                                          .reply = STR_INIT("250 2.1.5 Ok")};
static const struct dsn_recipient GEORGE = {
    .address = STR_INIT("George@Tax-ME.GOV"),
    .original = STR_INIT("rfc822;George@Tax-ME.GOV"),
    .host = STR_INIT("Tax-ME.GOV"),
    .reply = STR_INIT("550 5.1.1 George@Tax-ME.GOV unknown, \xd0\xbd\xd0\xb5\xd0\xbc\xd0\xb0 \x80 him here")};
static const struct dsn_recipient ERIC = {.address = STR_INIT("Eric@Bombs.AF.MIL"),
                                          .original = STR_INIT(""),
                                          .host = STR_INIT(""),
                                          .reply = STR_INIT("4.4.1 no server of Bombs.AF.MIL answered"),
                                          .expired = true};
static const struct dsn_recipient LATE = {.address = STR_INIT("Eric@Bombs.AF.MIL"),
                                          .original = STR_INIT(""),
                                          .host = STR_INIT(""),
                                          .reply = STR_INIT("4.4.1 no server of Bombs.AF.MIL answered")};
static const struct dsn_recipient LIST = {.address = STR_INIT("sales@Example.COM"),
                                          .original = STR_INIT("rfc822;sales@Example.COM"),
                                          .host = STR_INIT(""),
                                          .reply = STR_INIT("")};
static const struct dsn_recipient MIKA = {.address = STR_INIT("мика@пример.срб"),
                                          .original = STR_INIT("utf-8;мика@пример.срб"),
                                          .host = STR_INIT("mx.xn--e1afmkfd.xn--90a3ac"),
                                          .reply = STR_INIT("552 5.2.2 Сандуче је пуно")};

static struct dsn usual(enum dsn_action action, enum config_language language)
{
    return (struct dsn){
        .action = action,
        .language = language,
        .hostname = STR("Example.ORG"),
        .to = STR("Alice@Example.ORG"),
        .unique = STR("0123456789abcdef0123456789abcdef"),
        .envelope_id = STR("QQ314159"),
        .queue_id = 42,
        .now = 1795518000,
        .arrived = 1795510000,
        .until = 1795510000 + 5 * 86400,
        .zone = 60,
        .message = str_from_c(MESSAGE),
    };
}

static char *path_of(const char *name)
{
    const char *folder = getenv("GOLUB_DSN");
    char *path;
    assert_true(asprintf(&path, "%s/%s.eml", folder ? folder : "test/unit/dsn", name) > 0);
    return path;
}

static void write_file(const char *path, const struct buf *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text->p, 1, text->n, f);
    fclose(f);
}

static void compare(const char *name, const struct buf *text)
{
    CLEAN_FREE char *path = path_of(name);
    CLEAN_FREE char *wanted = mem_new(SIZE_MAX_KIB, 1024);
    if (getenv("GOLUB_WRITE_DSN"))
        write_file(path, text);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s is not there: run this from the root of the checkout", path);
    size_t n = fread(wanted, 1, SIZE_MAX_KIB * 1024 - 1, f);
    fclose(f);
    if (n != text->n || memcmp(wanted, text->p, n) != 0)
        fail_msg("%s: this is not what it was:\n%.*s", path, (int)text->n, text->p);
}

/* Whatever it says, it is a message that every server and client takes; the file has it without CRs. */
static void check(const char *name, const struct dsn *d, bool expect_8bit, bool expect_utf8)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out, plain;
    bool is_8bit, needs_utf8;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_init(&plain, BUF_MAX_DEFAULT);
    dsn_build(d, &out, &is_8bit, &needs_utf8);
    assert_int_equal(is_8bit, expect_8bit);
    assert_int_equal(needs_utf8, expect_utf8);
    struct mime_part *root = mime_parse(buf_str(&out), &a);
    assert_true(str_eq(root->subtype, STR("report")));
    assert_int_equal(root->child_count, 3);
    struct str rest = buf_str(&out), line;
    while (rest.n > 0) {
        assert_true(str_cut(&rest, '\n', &line));
        assert_true(str_ends(line, STR("\r")) && line.n < 999);
        buf_add(&plain, str_slice(line, 0, line.n - 1));
        buf_add_byte(&plain, '\n');
    }
    compare(name, &plain);
}

static void failed(void **state)
{
    (void)state;
    const struct dsn_recipient two[] = {GEORGE, ERIC};
    static const char *const NAMES[CONFIG_LANGUAGES] = {"failed", "failed-sr-Latn", "failed-sr-Cyrl"};
    for (unsigned i = 0; i < CONFIG_LANGUAGES; i++) {
        struct dsn d = usual(DSN_FAILED, (enum config_language)i);
        d.recipients = two;
        d.count = 2;
        check(NAMES[i], &d, true, false);
    }
}

static void failed_with_the_whole_message(void **state)
{
    (void)state;
    struct dsn d = usual(DSN_FAILED, CONFIG_ENGLISH);
    d.recipients = &ERIC;
    d.count = 1;
    d.is_whole = true;
    check("failed-full", &d, false, false);
    d.is_whole = false;
    d.is_cut = true;
    check("failed-cut", &d, false, false);
}

static void delayed(void **state)
{
    (void)state;
    static const char *const NAMES[CONFIG_LANGUAGES] = {"delayed", "delayed-sr-Latn", "delayed-sr-Cyrl"};
    for (unsigned i = 0; i < CONFIG_LANGUAGES; i++) {
        struct dsn d = usual(DSN_DELAYED, (enum config_language)i);
        d.recipients = &LATE;
        d.count = 1;
        d.envelope_id = STR("");
        check(NAMES[i], &d, i > 0, false);
    }
}

/* RFC 2852. */
static void a_deadline_has_passed(void **state)
{
    (void)state;
    struct dsn d = usual(DSN_DELAYED, CONFIG_ENGLISH);
    d.recipients = &LATE;
    d.count = 1;
    d.is_deadline = true;
    check("deadline-notify", &d, false, false);
    d.action = DSN_FAILED;
    d.recipients = &ERIC;
    check("deadline-return", &d, false, false);
}

/* RFC 3461 section 5.2: what was asked for has happened. */
static void success(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum dsn_action action;
        enum config_language language;
        const struct dsn_recipient *recipient;
    } CASES[] = {
        {"relayed", DSN_RELAYED, CONFIG_ENGLISH, &DANA},
        {"relayed-sr-Latn", DSN_RELAYED, CONFIG_SERBIAN_LATIN, &DANA},
        {"relayed-sr-Cyrl", DSN_RELAYED, CONFIG_SERBIAN_CYRILLIC, &DANA},
        {"delivered", DSN_DELIVERED, CONFIG_ENGLISH, &DANA},
        {"delivered-sr-Latn", DSN_DELIVERED, CONFIG_SERBIAN_LATIN, &DANA},
        {"expanded", DSN_EXPANDED, CONFIG_ENGLISH, &LIST},
        {"expanded-sr-Cyrl", DSN_EXPANDED, CONFIG_SERBIAN_CYRILLIC, &LIST},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct dsn d = usual(CASES[i].action, CASES[i].language);
        d.recipients = CASES[i].recipient;
        d.count = 1;
        check(CASES[i].name, &d, CASES[i].language != CONFIG_ENGLISH, false);
    }
}

/* RFC 6533. */
static void addresses_beyond_ascii(void **state)
{
    (void)state;
    struct dsn d = usual(DSN_FAILED, CONFIG_SERBIAN_CYRILLIC);
    d.to = STR("ана@пример.срб");
    d.is_utf8 = true;
    d.message = str_from_c(UTF8_MESSAGE);
    d.recipients = &MIKA;
    d.count = 1;
    check("global", &d, true, true);
    d.is_whole = true;
    check("global-full", &d, true, true);
}

static void the_language_is_the_senders(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum config_language usual, language;
    } CASES[] = {
        {"Subject: x\r\n\r\n", CONFIG_ENGLISH, CONFIG_ENGLISH},
        {"Subject: x\r\n\r\n", CONFIG_SERBIAN_LATIN, CONFIG_SERBIAN_LATIN},
        {"Accept-Language: sr-Latn-RS, en-US\r\n\r\n", CONFIG_ENGLISH, CONFIG_SERBIAN_LATIN},
        {"Accept-Language: en-US\r\nContent-Language: sr\r\n\r\n", CONFIG_SERBIAN_LATIN, CONFIG_ENGLISH},
        {"Content-Language: sr-Cyrl\r\n\r\n", CONFIG_ENGLISH, CONFIG_SERBIAN_CYRILLIC},
        {"content-language:\r\n SR\r\n\r\n", CONFIG_SERBIAN_CYRILLIC, CONFIG_SERBIAN_CYRILLIC},
        {"Content-Language: sr-RS\r\n\r\n", CONFIG_ENGLISH, CONFIG_SERBIAN_LATIN},
        {"Accept-Language: de-DE;q=0.9, hr;q=0.8\r\n\r\n", CONFIG_ENGLISH, CONFIG_SERBIAN_LATIN},
        {"Accept-Language: de, fr\r\n\r\n", CONFIG_SERBIAN_CYRILLIC, CONFIG_SERBIAN_CYRILLIC},
        {"Accept-Language: english, sr_RS, ,,;;\r\n\r\n", CONFIG_ENGLISH, CONFIG_ENGLISH},
        {"Accept-Language: \r\n\r\nContent-Language: sr\r\n", CONFIG_ENGLISH, CONFIG_ENGLISH},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(dsn_language_of(str_from_c(CASES[i].header), CASES[i].usual), CASES[i].language);
}

static void every_phrase_is_there_in_every_language(void **state)
{
    (void)state;
    for (unsigned p = 0; p < DSN_PHRASES; p++)
        for (unsigned l = 0; l < CONFIG_LANGUAGES; l++)
            assert_non_null(dsn_phrase((enum config_language)l, (enum dsn_phrase)p));
    for (unsigned l = 0; l < CONFIG_LANGUAGES; l++) {
        assert_non_null(dsn_advice((enum config_language)l, "5.1.1"));
        assert_null(dsn_advice((enum config_language)l, "5.9.9"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed),
        cmocka_unit_test(failed_with_the_whole_message),
        cmocka_unit_test(delayed),
        cmocka_unit_test(a_deadline_has_passed),
        cmocka_unit_test(success),
        cmocka_unit_test(addresses_beyond_ascii),
        cmocka_unit_test(the_language_is_the_senders),
        cmocka_unit_test(every_phrase_is_there_in_every_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
