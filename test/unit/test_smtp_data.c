#include "base/buf.h"
#include "base/mem.h"
#include "check.h"
#include "smtp/data.h"

#include <string.h>

struct scanned {
    struct buf content;
    struct data_scanner scanner;
    size_t taken;
};

/* Scans `in` in blocks that end at the offsets in `cuts` (a bit each). */
static struct scanned scan(struct str in, uint64_t cuts)
{
    struct scanned r = {.scanner = DATA_SCANNER_INIT};
    buf_init(&r.content, 1 << 20);
    size_t from = 0;
    for (size_t to = 1; to <= in.n && r.scanner.state != DATA_END; to++) {
        if (to < in.n && !(to < 64 && cuts >> to & 1))
            continue;
        while (from < to && r.scanner.state != DATA_END) {
            struct str content, block = str_slice(in, from, to - from);
            size_t n = data_scan(&r.scanner, block, &content);
            assert_true(n > 0 && n <= block.n);
            assert_true(content.n == 0 || (content.p >= block.p && content.p + content.n <= block.p + n));
            buf_add(&r.content, content);
            from += n;
        }
    }
    r.taken = from;
    return r;
}

/* For every way to cut `in` into blocks. */
static void expect(struct str in, struct str content, size_t taken)
{
    assert_true(in.n <= 20);
    for (uint64_t cuts = 0; cuts < UINT64_C(1) << in.n; cuts += 2) {
        struct scanned r = scan(in, cuts);
        bool good = r.scanner.state == DATA_END && r.scanner.fault == DATA_CLEAN && r.taken == taken &&
                    str_eq(buf_str(&r.content), content);
        buf_free(&r.content);
        if (!good)
            fail_msg("%.*s, cut as %llx", STR_ARGS(in), (unsigned long long)cuts);
    }
}

static void finds_the_end_however_it_arrives(void **state)
{
    (void)state;
    expect(STR(".\r\n"), STR(""), 3);
    expect(STR("\r\n.\r\n"), STR("\r\n"), 5);
    expect(STR("a\r\n.\r\nQUIT\r\n"), STR("a\r\n"), 6);
    expect(STR("..\r\n.\r\n"), STR(".\r\n"), 7);
    expect(STR("...\r\n.\r\n"), STR("..\r\n"), 8);
    expect(STR(".a\r\n..b\r\n.\r\n"), STR("a\r\n.b\r\n"), 12);
    expect(STR("a.\r\n.b.\r\n.\r\n.\r\n"), STR("a.\r\nb.\r\n"), 12);
    expect(STR("\r\n\r\n..\r\n\r\n.\r\n"), STR("\r\n\r\n.\r\n\r\n"), 13);
    expect(STR("\xff\x80 .\r\n.\r\n"), STR("\xff\x80 .\r\n"), 9);
}

/* All strings of these five bytes up to seven long between a line before and a true end after: the end is at
 * the first CRLF "." CRLF and nowhere else, and every CR or LF out of place is a fault. */
static void only_crlf_dot_crlf_ends_and_nothing_bare_passes(void **state)
{
    (void)state;
    static const char BYTES[] = {'\r', '\n', '.', 'a', '\0'};
    static const char TAIL[] = "x\r\n.\r\n";
    size_t combinations = 1;
    for (size_t length = 0; length <= 7; length++, combinations *= sizeof BYTES) {
        for (size_t k = 0; k < combinations; k++) {
            char text[32] = "a\r\n";
            size_t n = 3;
            for (size_t i = 0, rest = k; i < length; i++, rest /= sizeof BYTES)
                text[n++] = BYTES[rest % sizeof BYTES];
            memcpy(text + n, TAIL, sizeof TAIL - 1);
            struct str in = str_from(text, n + sizeof TAIL - 1);
            size_t end = str_find(in, STR("\r\n.\r\n")) + 5;
            bool bare = false;
            for (size_t i = 0; i < end; i++) {
                bare |= text[i] == '\0' || (text[i] == '\r' && text[i + 1] != '\n') ||
                        (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'));
            }
            struct scanned whole = scan(in, 0), bytes = scan(in, UINT64_MAX);
            assert_int_equal(whole.scanner.state, DATA_END);
            assert_int_equal(whole.taken, end);
            assert_int_equal(bytes.taken, end);
            assert_int_equal(whole.scanner.fault != DATA_CLEAN, bare);
            assert_int_equal(bytes.scanner.fault != DATA_CLEAN, bare);
            assert_true(bare || str_eq(buf_str(&whole.content), buf_str(&bytes.content)));
            buf_free(&whole.content);
            buf_free(&bytes.content);
        }
    }
}

/* All strings of these five bytes up to seven long, in one piece and byte by byte: what DATA would refuse is
 * refused in a chunk, and a dot is a byte like another. */
static void a_chunk_has_the_same_line_ends(void **state)
{
    (void)state;
    static const char BYTES[] = {'\r', '\n', '.', 'a', '\0'};
    size_t combinations = 1;
    for (size_t length = 0; length <= 7; length++, combinations *= sizeof BYTES) {
        for (size_t k = 0; k < combinations; k++) {
            char text[8];
            bool bare = false;
            for (size_t i = 0, rest = k; i < length; i++, rest /= sizeof BYTES)
                text[i] = BYTES[rest % sizeof BYTES];
            for (size_t i = 0; i < length; i++)
                bare |= text[i] == '\0' || (text[i] == '\r' && (i + 1 == length || text[i + 1] != '\n')) ||
                        (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'));
            struct data_scanner whole = DATA_SCANNER_INIT, bytes = DATA_SCANNER_INIT;
            data_check(&whole, str_from(text, length));
            data_check_end(&whole);
            for (size_t i = 0; i < length; i++)
                data_check(&bytes, str_from(text + i, 1));
            data_check_end(&bytes);
            assert_int_equal(whole.fault != DATA_CLEAN, bare);
            assert_int_equal(bytes.fault != DATA_CLEAN, bare);
        }
    }
}

/* As a client does: RFC 5321 section 4.5.2. */
static void stuff(struct str message, struct buf *out)
{
    bool line_start = true;
    for (size_t i = 0; i < message.n; i++) {
        if (line_start && message.p[i] == '.')
            buf_add_byte(out, '.');
        buf_add_byte(out, message.p[i]);
        line_start = message.p[i] == '\n';
    }
    buf_add(out, STR(".\r\n"));
}

static void what_is_stuffed_comes_back(void **state)
{
    (void)state;
    static const char *const PIECES[] = {".",         "..",      "a", "\r\n", ".\r\n", "text of a line",
                                         "\r\n.\r\n", "\xc3\xa9"};
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        CLEAN_BUF struct buf message;
        CLEAN_BUF struct buf wire;
        buf_init(&message, 1 << 20);
        buf_init(&wire, 1 << 20);
        for (unsigned i = 0; i < round % 40; i++) {
            seed = seed * 1664525 + 1013904223;
            buf_add_c(&message, PIECES[seed >> 16 & 7]);
        }
        buf_add(&message, STR("\r\n"));
        stuff(buf_str(&message), &wire);
        seed = seed * 1664525 + 1013904223;
        struct scanned r = scan(buf_str(&wire), (uint64_t)seed << 20 ^ seed);
        assert_int_equal(r.scanner.fault, DATA_CLEAN);
        assert_int_equal(r.taken, wire.n);
        assert_true(str_eq(buf_str(&r.content), buf_str(&message)));
        buf_free(&r.content);
    }
}

static void says_what_was_wrong(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        enum data_fault fault;
    } CASES[] = {
        {STR_INIT("a\n.\n\r\n.\r\n"), DATA_BARE_LF},  {STR_INIT("a\r.\r\r\n.\r\n"), DATA_BARE_CR},
        {STR_INIT("a\0b\r\n.\r\n"), DATA_NUL},        {STR_INIT(".\rx\r\n.\r\n"), DATA_BARE_CR},
        {STR_INIT(".\n\r\n.\r\n"), DATA_BARE_LF},     {STR_INIT("a\r\r\n.\r\n"), DATA_BARE_CR},
        {STR_INIT("\n.\r\n\r\n.\r\n"), DATA_BARE_LF},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct scanned r = scan(CASES[i].in, 0);
        assert_int_equal(r.scanner.fault, CASES[i].fault);
        assert_int_equal(r.taken, CASES[i].in.n);
        buf_free(&r.content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_end_however_it_arrives),
        cmocka_unit_test(only_crlf_dot_crlf_ends_and_nothing_bare_passes),
        cmocka_unit_test(a_chunk_has_the_same_line_ends),
        cmocka_unit_test(what_is_stuffed_comes_back),
        cmocka_unit_test(says_what_was_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
