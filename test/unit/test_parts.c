#include "message/parts.h"

#include "check.h"

static struct str MESSAGE =
    STR_INIT("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
             "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n"
             "YQ==\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n");

static void check_same(const struct mime_part *a, const struct mime_part *b)
{
    assert_int_equal(a->header_at, b->header_at);
    assert_int_equal(a->header_size, b->header_size);
    assert_int_equal(a->body_at, b->body_at);
    assert_int_equal(a->body_size, b->body_size);
    assert_int_equal(a->lines, b->lines);
    assert_int_equal(a->encoding, b->encoding);
    assert_int_equal(a->is_multipart, b->is_multipart);
    assert_int_equal(a->is_message, b->is_message);
    assert_true(str_eq(a->type, b->type));
    assert_true(str_eq(a->subtype, b->subtype));
    assert_true(str_eq(mime_param(a->params, a->param_count, STR("charset")),
                       mime_param(b->params, b->param_count, STR("charset"))));
    assert_int_equal(a->child_count, b->child_count);
    for (size_t i = 0; i < a->child_count; i++) {
        assert_ptr_equal(b->children[i]->parent, b);
        check_same(a->children[i], b->children[i]);
    }
}

static void a_table_is_read_back(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf packed;
    buf_init(&packed, 10000);
    struct mime_part *root = mime_parse(MESSAGE, &a);
    parts_pack(root, &packed);
    assert_true(packed.n < 120);
    struct mime_part *again = parts_unpack(buf_str(&packed), &a);
    assert_non_null(again);
    check_same(root, again);
}

static void every_broken_table_is_refused(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf packed;
    buf_init(&packed, 10000);
    parts_pack(mime_parse(MESSAGE, &a), &packed);
    for (size_t n = 0; n < packed.n; n++)
        assert_null(parts_unpack(str_slice(buf_str(&packed), 0, n), &a));
    buf_add_byte(&packed, '\0');
    assert_null(parts_unpack(buf_str(&packed), &a));
    packed.p[0] = 2; /* of another version */
    assert_null(parts_unpack(buf_str(&packed), &a));
    /* a child behind the end of its parent */
    assert_null(parts_unpack(STR("\1\0\0\1\0\x10\0\0\0\1\0\0\2\0\0\0\0\0\0"), &a));
    assert_non_null(parts_unpack(STR("\1\0\0\1\0\x10\0\0\0\1\0\0\1\0\0\0\0\0\0"), &a));
    /* more children than there can be */
    assert_null(parts_unpack(STR("\1\0\0\1\0\x10\0\0\0\xff\xff\xff\xff\x0f"), &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_read_back),
        cmocka_unit_test(every_broken_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
