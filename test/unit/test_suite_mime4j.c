/* Messages of suites/mime4j (Apache James mime4j and MIME-tools), many of them broken: fields, tree and
 * content, against the XML beside each. Both are written down as one text and compared. */
#include "message/header.h"
#include "message/mime.h"

#include "check.h"
#include "suite.h"

#include "base/buf.h"

#include <expat.h>
#include <string.h>

static const struct suite_difference DIFFERENCES[] = {
    {"base64encoded-rfc822message",
     "a message/rfc822 in base64, which RFC 2045 section 6.4 forbids: offsets are into "
     "the message as stored, so its inside is not opened"},
    {"base64encoded-rfc822message-nested", "the same"},
    {"bad-newlines-multiple-parts-base64", "the same"},
    {"multi-2gifs-base64", "the same"},
    {"malformedHeaderStartsBody-nocrlfcrlf",
     "the suite ends a header at a line that is no field; for us the empty line "
     "alone does (RFC 5322 section 2.1), so that BODY[HEADER] and TOP agree"},
    {"malformedHeaderStartsBody-noheader", "the same"},
    {"missing-boundary", "a multipart without parts gets one that holds its text: IMAP's grammar wants one"},
    {"missing-inner-boundary", "the same"},
    {"missing-inner-start-boundary", "the same"},
    {"multipartnopart", "the same"},
    {"badbound", "the same"},
    {"very-long-boundary",
     "a boundary that ends in spaces, which RFC 2046 section 5.1.1 forbids: we compare without them"},
    {"very-very-long-boundary", "the same"},
    {"weird-boundary", "the same"},
};

/* --- what the suite has --- */

struct reader {
    struct buf *out;
    struct buf text;
    bool in_text; /* within field or body */
};

static void on_start(void *context, const char *name, const char **attributes)
{
    struct reader *r = context;
    (void)attributes;
    buf_reset(&r->text);
    r->in_text = strcmp(name, "field") == 0 || strcmp(name, "body") == 0;
    if (strcmp(name, "message") == 0 || strcmp(name, "body-part") == 0)
        buf_add(r->out, STR("<part\n"));
    if (strcmp(name, "multipart") == 0)
        buf_add(r->out, STR("<multipart\n"));
}

static void on_end(void *context, const char *name)
{
    struct reader *r = context;
    struct str text = buf_str(&r->text);
    if (r->in_text) {
        text = str_from_offset(text, 1); /* the line end behind the tag */
        buf_addf(r->out, "%s [%.*s]\n", name, STR_ARGS(text));
    }
    r->in_text = false;
    if (strcmp(name, "message") == 0 || strcmp(name, "body-part") == 0)
        buf_add(r->out, STR("part>\n"));
    if (strcmp(name, "multipart") == 0)
        buf_add(r->out, STR("multipart>\n"));
}

static void on_text(void *context, const char *p, int n)
{
    struct reader *r = context;
    if (r->in_text)
        buf_add(&r->text, str_from(p, (size_t)n));
}

static void write_expected(struct str xml, struct buf *out)
{
    struct reader r = {.out = out};
    buf_init(&r.text, BUF_MAX_DEFAULT);
    XML_Parser parser = XML_ParserCreate("ISO-8859-1"); /* bytes stand in these files as they are */
    XML_SetUserData(parser, &r);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    if (XML_Parse(parser, xml.p, (int)xml.n, 1) != XML_STATUS_OK)
        buf_addf(out, "%s at %lu\n", XML_ErrorString(XML_GetErrorCode(parser)),
                 XML_GetCurrentLineNumber(parser));
    XML_ParserFree(parser);
    buf_free(&r.text);
}

/* --- what we read --- */

static void add_bytes(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            continue;
        if (c >= 0x80)
            buf_add_byte(out, (char)(0xc0 | c >> 6));
        buf_add_byte(out, c >= 0x80 ? (char)(0x80 | (c & 0x3f)) : c == '\r' ? '\n' : (char)c);
    }
}

static void write_part(struct str message, const struct mime_part *part, struct buf *out)
{
    struct str header = str_slice(message, part->header_at, part->header_size);
    struct header_field f;
    buf_add(out, STR("<part\n"));
    while (header_next(&header, &f)) {
        struct str whole = f.whole;
        if (f.name.n == 0) /* a line that is no field; the suite leaves these out */
            continue;
        if (str_ends(whole, STR("\n")))
            whole.n--;
        if (str_ends(whole, STR("\r")))
            whole.n--;
        buf_add(out, STR("field ["));
        add_bytes(whole, out);
        buf_add(out, STR("]\n"));
    }
    if (part->is_multipart)
        buf_add(out, STR("<multipart\n"));
    for (size_t i = 0; i < part->child_count; i++)
        write_part(message, part->children[i], out);
    if (part->is_multipart)
        buf_add(out, STR("multipart>\n"));
    if (part->child_count == 0) {
        buf_add(out, STR("body ["));
        add_bytes(str_slice(message, part->body_at, part->body_size), out);
        buf_add(out, STR("]\n"));
    }
    buf_add(out, STR("part>\n"));
}

/* The line at which two texts part. */
static struct str line_at(struct str s, size_t at)
{
    size_t start = str_rfind_byte(str_slice(s, 0, at), '\n');
    s = str_from_offset(s, start == STR_NONE ? 0 : start + 1);
    return str_slice(s, 0, str_find_byte(s, '\n'));
}

static bool check_file(const char *folder, const char *name)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf got, want;
    buf_init(&got, BUF_MAX_DEFAULT);
    buf_init(&want, BUF_MAX_DEFAULT);
    struct str stem = str_slice(str_from_c(name), 0, strlen(name) - strlen(".msg"));
    struct str message = suite_read(arena_printf(&a, "mime4j/%s/%s", folder, name).p, &a);
    struct str xml = suite_read(arena_printf(&a, "mime4j/%s/%.*s.xml", folder, STR_ARGS(stem)).p, &a);
    write_expected(xml, &want);
    write_part(message, mime_parse(message, &a), &got);

    struct str g = buf_str(&got), w = buf_str(&want);
    const char *reason =
        suite_reason(DIFFERENCES, sizeof DIFFERENCES / sizeof *DIFFERENCES, arena_copy_c(&a, stem));
    bool same = str_eq(g, w);
    size_t at = 0;
    while (at < g.n && at < w.n && g.p[at] == w.p[at])
        at++;
    if (same && reason)
        print_error("%s: does not differ any more, though the table says: %s\n", name, reason);
    if (!same && !reason)
        print_error("%s/%s differs at:\n    %.*s\n    suite has:\n    %.*s\n", folder, name,
                    STR_ARGS(line_at(g, at)), STR_ARGS(line_at(w, at)));
    return same == !reason;
}

static void check_folder(const char *folder)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct suite_names names = suite_list(arena_printf(&a, "mime4j/%s", folder).p, ".msg", &a);
    size_t good = 0;
    assert_true(names.n > 0);
    for (size_t i = 0; i < names.n; i++)
        good += (size_t)check_file(folder, names.v[i]);
    assert_int_equal(good, names.n);
}

static void messages_of_mime4j(void **state)
{
    (void)state;
    check_folder("testmsgs");
}

static void messages_of_mime_tools(void **state)
{
    (void)state;
    check_folder("mimetools-testmsgs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_mime4j),
        cmocka_unit_test(messages_of_mime_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
