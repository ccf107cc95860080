#include "check.h"

#include "message/base_subject.h"
#include "message/decode.h"
#include "message/message_id.h"
#include "message/search_fold.h"

#include <string.h>

static void folds_to(const char *text, const char *folded)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    search_fold(str_from_c(text), &out);
    assert_int_equal(out.n, strlen(folded));
    assert_memory_equal(out.p, folded, out.n);
}

static void diacritics_and_case_go(void **state)
{
    (void)state;
    folds_to("Čačak", "cacak");
    folds_to("c\xcc\x8c"
             "A"
             "C\xcc\x8c",
             "cac");
    folds_to("ŽIVOT šuma ćup", "zivot suma cup");
    folds_to("Ärger Straße naïve Ångström", "arger strasse naive angstrom");
    folds_to("Łódź Ørsted Æsir Œuvre", "lodz orsted aesir oeuvre");
    folds_to("İstanbul ısı", "istanbul isi");
    folds_to("Việt Nam", "viet nam");
    folds_to("Ё й", "e i");
    folds_to("שָׁלוֹם", "שלום");
    folds_to("ﬁne １２", "fine 12");
    folds_to("", "");
}

static void cyrillic_and_latin_are_one(void **state)
{
    (void)state;
    folds_to("Ђорђе Живојиновић", "djordje zivojinovic");
    folds_to("Đorđe Živojinović", "djordje zivojinovic");
    folds_to("Djordje Zivojinovic", "djordje zivojinovic");
    folds_to("Љубав Његош Џак", "ljubav njegos dzak");
    folds_to("ljubav njegoš džak", "ljubav njegos dzak");
    folds_to("ǈubav ǊEGOŠ ǆak", "ljubav njegos dzak");
    folds_to("абвгдежзијклмнопрстћуфхцчш", "abvgdezzijklmnoprstcufhccs");
    folds_to("Чачак", "cacak");
    folds_to("ещё", "e\xd1\x89"
                    "e"); /* щ is not Serbian */
}

static void scripts_keep_their_letters(void **state)
{
    (void)state;
    folds_to("한국어", "한국어");
    folds_to("が", "が");
    folds_to("か", "か");
    folds_to("हिन्दी", "हिन्दी");
    folds_to("ΣΊΣΥΦΟΣ", "σισυφοσ");
}

static void white_space_is_one_space(void **state)
{
    (void)state;
    folds_to("a \t\r\n b", "a b");
    folds_to("a\xc2\xa0\xc2\xa0"
             "b\xe3\x80\x80"
             "č",
             "a b c");
    folds_to("  a  ", " a ");
    folds_to("soft\xc2\xad"
             "hyphen",
             "softhyphen");
    folds_to("bad\xff"
             "byte",
             "bad\xef\xbf\xbd"
             "byte");
}

static void words_are(const char *text, const char *joined)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    struct str rest = str_from_c(text);
    for (struct str word; search_word(&rest, &word);) {
        buf_add(&out, word);
        buf_add_byte(&out, '|');
    }
    assert_int_equal(out.n, strlen(joined));
    assert_memory_equal(out.p, joined, out.n);
}

static void text_is_cut_into_words(void **state)
{
    (void)state;
    words_are("", "");
    words_are(" .,-- ", "");
    words_are("to: bo.ana@example.org, 2nd", "to|bo|ana|example|org|2nd|");
    words_are("“viele” grüße–hier", "viele|grüße|hier|");
    words_are("東京abcタ", "東|京|abc|タ|");
    words_are("a_b", "a|b|");
}

static void subject_is(const char *subject, const char *base, bool is_reply)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    bool reply;
    struct str s = base_subject(str_from_c(subject), &a, &reply);
    assert_int_equal(s.n, strlen(base));
    assert_memory_equal(s.p, base, s.n);
    assert_int_equal(reply, is_reply);
}

/* RFC 5256 section 2.1 and 5 */
static void subjects_have_a_base(void **state)
{
    (void)state;
    subject_is("test", "test", false);
    subject_is("Re: test", "test", true);
    subject_is(" RE : re: Fwd:fw: test", "test", true);
    subject_is("Re[2]: test", "test", true);
    subject_is("Re [a b]: test", "test", true);
    subject_is("[list] Re: [list] test", "test", true);
    subject_is("[list] test", "test", false);
    subject_is("[a][b] test", "test", false);
    subject_is("[only]", "[only]", false);
    subject_is("Re: [only]", "[only]", true);
    subject_is("test (fwd)", "test", true);
    subject_is("test (FWD) (fwd)  ", "test", true);
    subject_is("[fwd: test]", "test", true);
    subject_is("[Fwd: Re: [x] test (fwd)]", "test", true);
    subject_is("[fwd:]", "", true);
    subject_is("a\t b\r\n  c", "a b c", false);
    subject_is("=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "Grüße", true);
    subject_is("Re:", "", true);
    subject_is("", "", false);
    subject_is("Regarding: x", "Regarding: x", false);
    subject_is("[[x] y", "[[x] y", false);
}

static void ids_are(const char *value, const char *joined)
{
    CLEAN_BUF struct buf id, out;
    buf_init(&id, 1000);
    buf_init(&out, 1000);
    for (struct str rest = str_from_c(value); message_id_take(&rest, &id);) {
        buf_add(&out, buf_str(&id));
        buf_add_byte(&out, '|');
    }
    assert_int_equal(out.n, strlen(joined));
    assert_memory_equal(out.p, joined, out.n);
}

static void message_ids_are_found(void **state)
{
    (void)state;
    ids_are(" <a@b>\r\n\t<c@d><e@f>", "a@b|c@d|e@f|");
    ids_are("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>",
            "01KF8JCEOCBS0045PS@xxx.yyy.com|"); /* RFC 5256 section 2.3 */
    ids_are("<\"a\\\"<b>\"@c>", "a\"<b>@c|");
    ids_are("Your message of <x@y> \"Mon\" <z@y", "x@y|");
    ids_are("<a<b@c>", "b@c|");
    ids_are("<> < > <\"open>", "");
    ids_are("<a\r\n b@c>", "ab@c|");
}

static void casemap_is(const char *text, const char *key)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    decode_casemap(str_from_c(text), &out);
    assert_int_equal(out.n, strlen(key));
    assert_memory_equal(out.p, key, out.n);
}

static void casemap_is_that_of_rfc_5051(void **state)
{
    (void)state;
    casemap_is("aZ_", "AZ_");
    casemap_is("ä", "A\xcc\x88");
    casemap_is("ǆ", "D"
                    "z\xcc\x8c"); /* its titlecase is U+01C5, and that is taken apart */
    casemap_is("ﬀ", "ff");
    casemap_is("\xff", "\xef\xbf\xbd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diacritics_and_case_go),     cmocka_unit_test(cyrillic_and_latin_are_one),
        cmocka_unit_test(scripts_keep_their_letters), cmocka_unit_test(white_space_is_one_space),
        cmocka_unit_test(text_is_cut_into_words),     cmocka_unit_test(subjects_have_a_base),
        cmocka_unit_test(message_ids_are_found),      cmocka_unit_test(casemap_is_that_of_rfc_5051),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
