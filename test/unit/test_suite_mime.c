/* Whole messages of suites/mime (stalwart mail-parser), each with LF and with CRLF: the tree, where each part
 * begins and ends, and what its content decodes to. */
#include "message/decode.h"
#include "message/mime.h"

#include "check.h"
#include "suite.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct suite_difference DIFFERENCES[] = {
    {"rfc/000", "its \"base64\" is a sentence; the suite takes text that is no base64 as it stands"},
    {"rfc/000.crlf", "the same"},
    {"rfc/008",
     "a message/rfc822 in base64, which RFC 2045 section 6.4 forbids: offsets are into the message as "
     "stored, so its inside is not opened"},
    {"rfc/008.crlf", "the same"},
    {"legacy/026", "8-bit text without a charset: the suite has U+FFFD, we read Windows-1252"},
    {"legacy/026.crlf", "the same"},
    {"legacy/049", "ends in a bare CR, which the suite's conversion to LF dropped"},
    {"legacy/052", "as 026"},
    {"legacy/052.crlf", "as 026"},
};

struct check {
    struct str message;
    struct arena *arena;
    struct buf *differences;
};

static void differ(struct check *c, const char *what, const struct mime_part *part, long long got,
                   long long want)
{
    buf_addf(c->differences, "    %s of the part at %llu: %lld, suite has %lld\n", what,
             (unsigned long long)part->header_at, got, want);
}

static void check_offset(struct check *c, const char *key, json_t *want, const struct mime_part *part,
                         uint64_t got)
{
    long long offset = json_integer_value(json_object_get(want, key));
    if ((long long)got != offset)
        differ(c, key, part, (long long)got, offset);
}

static void check_parts(struct check *c, json_t *parts, size_t index, const struct mime_part *part);

static void check_content(struct check *c, json_t *want, const struct mime_part *part)
{
    CLEAN_BUF struct buf bytes, text;
    buf_init(&bytes, BUF_MAX_DEFAULT);
    buf_init(&text, BUF_MAX_DEFAULT);
    decode_transfer(str_slice(c->message, part->body_at, part->body_size), part->encoding, &bytes);
    if (json_is_string(want)) {
        decode_charset(buf_str(&bytes), mime_param(part->params, part->param_count, STR("charset")), &text);
        struct str expected = str_from(json_string_value(want), json_string_length(want));
        if (!str_eq(buf_str(&text), expected))
            buf_addf(c->differences, "    text of the part at %llu: \"%.*s\"\n    suite has: \"%.*s\"\n",
                     (unsigned long long)part->header_at, STR_ARGS(buf_str(&text)), STR_ARGS(expected));
    } else {
        bool same = json_array_size(want) == bytes.n;
        for (size_t i = 0; i < bytes.n && same; i++)
            same = json_integer_value(json_array_get(want, i)) == (unsigned char)bytes.p[i];
        if (!same)
            differ(c, "bytes", part, (long long)bytes.n, (long long)json_array_size(want));
    }
}

static void check_parts(struct check *c, json_t *parts, size_t index, const struct mime_part *part)
{
    json_t *want = json_array_get(parts, index);
    json_t *body = json_object_get(want, "body"), *value;
    check_offset(c, "offset_header", want, part, part->header_at);
    check_offset(c, "offset_body", want, part, part->body_at);
    check_offset(c, "offset_end", want, part, part->body_at + part->body_size);
    if ((value = json_object_get(body, "Multipart"))) {
        if (!part->is_multipart || json_array_size(value) != part->child_count)
            differ(c, "children", part, (long long)part->child_count, (long long)json_array_size(value));
        for (size_t i = 0; i < part->child_count && i < json_array_size(value); i++)
            check_parts(c, parts, (size_t)json_integer_value(json_array_get(value, i)), part->children[i]);
    } else if ((value = json_object_get(body, "Message"))) {
        if (part->is_message)
            check_parts(c, json_object_get(value, "parts"), 0, part->children[0]);
        else
            differ(c, "is_message", part, 0, 1);
    } else if (part->child_count > 0) {
        differ(c, "children", part, (long long)part->child_count, 0);
    } else {
        check_content(c, json_object_iter_value(json_object_iter(body)), part);
    }
}

/* Returns whether the case is as expected: the same, or different with a reason in the table. */
static bool check_file(const char *folder, const char *name, bool crlf)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf differences;
    buf_init(&differences, BUF_MAX_DEFAULT);
    struct str raw = suite_read(arena_printf(&a, "mime/eml/%s/%s", folder, name).p, &a);
    struct str message = crlf ? suite_with_crlf(raw, &a) : suite_with_lf(raw, &a);
    struct str stem = str_slice(str_from_c(name), 0, 3);
    const char *json_name =
        arena_printf(&a, "mime/eml/%s/%.*s%s.json", folder, STR_ARGS(stem), crlf ? ".crlf" : "").p;
    struct str json = suite_read(json_name, &a);
    json_t *tree = json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL);
    assert_non_null(tree);

    struct check c = {message, &a, &differences};
    check_parts(&c, json_object_get(tree, "parts"), 0, mime_parse(message, &a));
    json_decref(tree);
    const char *case_name = arena_printf(&a, "%s/%.*s%s", folder, STR_ARGS(stem), crlf ? ".crlf" : "").p;
    const char *reason = suite_reason(DIFFERENCES, sizeof DIFFERENCES / sizeof *DIFFERENCES, case_name);
    if (reason && differences.n == 0)
        print_error("%s: does not differ any more, though the table says: %s\n", case_name, reason);
    if (!reason && differences.n > 0)
        print_error("%s differs:\n%.*s", case_name, STR_ARGS(buf_str(&differences)));
    return (reason != NULL) == (differences.n > 0);
}

static void check_folder(const char *folder)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct suite_names names = suite_list(arena_printf(&a, "mime/eml/%s", folder).p, ".eml", &a);
    size_t good = 0;
    assert_true(names.n > 0);
    for (size_t i = 0; i < names.n; i++)
        good += (size_t)check_file(folder, names.v[i], false) + (size_t)check_file(folder, names.v[i], true);
    assert_int_equal(good, 2 * names.n);
}

static void messages_of_the_rfcs(void **state)
{
    (void)state;
    check_folder("rfc");
}

static void messages_of_the_wild(void **state)
{
    (void)state;
    check_folder("legacy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_the_rfcs),
        cmocka_unit_test(messages_of_the_wild),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
