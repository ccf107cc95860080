#include "message/preview.h"

#include "message/decode.h"
#include "message/html.h"

/* Of a part so much is decoded first; four times as much as long as that did not fill the preview. */
#define FIRST_PIECE        ((size_t)1024)
/* Lines that introduce a quote: "On Monday, 3 March 2026 at 10:00, Ana\n<ana@example.org> wrote:". More are a
 * paragraph of their own that happens to end in a colon. */
#define INTRODUCTION_LINES 3

/* --- which part --- */

static bool is_attachment(const struct mime_part *part)
{
    return str_eq(part->disposition, STR("attachment"));
}

static bool is_text(const struct mime_part *part, struct str subtype)
{
    return part->child_count == 0 && str_eq(part->type, STR("text")) && str_eq(part->subtype, subtype) &&
           !is_attachment(part);
}

/* The first text of that kind within a part; messages in it are somebody else's. As deep as MIME_DEPTH_MAX.
 */
static const struct mime_part *find_text(const struct mime_part *part, struct str subtype)
{
    if (is_text(part, subtype))
        return part;
    for (size_t i = 0; part->is_multipart && i < part->child_count; i++) {
        const struct mime_part *found = find_text(part->children[i], subtype);
        if (found)
            return found;
    }
    return NULL;
}

/* --- characters --- */

struct preview {
    struct buf *out;
    size_t characters;
    bool keeps_quotes;
    /* The paragraph under way, which may turn out to introduce a quote. */
    size_t paragraph, paragraph_characters, lines;
    bool ends_in_colon;
};

/* Bytes of the character at the front of valid UTF-8. */
static size_t length_of(struct str s)
{
    unsigned char lead = (unsigned char)s.p[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return n < s.n ? n : s.n;
}

/* White space, and what newsletters fill their first lines with so that nothing else is seen there. */
static bool is_blank(struct str c)
{
    static const struct str BLANKS[] = {
        STR_INIT("\xc2\xa0"),     /* no-break space */
        STR_INIT("\xc2\xad"),     /* soft hyphen */
        STR_INIT("\xcd\x8f"),     /* combining grapheme joiner */
        STR_INIT("\xe2\x80\x8b"), /* zero width space */
        STR_INIT("\xe2\x80\x8c"), /* zero width non-joiner */
        STR_INIT("\xe2\x80\x87"), /* figure space */
        STR_INIT("\xe2\x80\xaf"), /* narrow no-break space */
        STR_INIT("\xe2\x81\xa0"), /* word joiner */
        STR_INIT("\xe3\x80\x80"), /* ideographic space */
        STR_INIT("\xef\xbb\xbf"), /* byte order mark */
    };
    if (c.n == 1)
        return (unsigned char)c.p[0] <= ' ' || c.p[0] == 0x7f;
    for (size_t i = 0; i < sizeof BLANKS / sizeof *BLANKS; i++)
        if (str_eq(c, BLANKS[i]))
            return true;
    return false;
}

static bool is_full(const struct preview *p)
{
    return p->characters >= PREVIEW_CHARACTERS;
}

/* Bytes at the front that are letters of ASCII, at most so many. */
static size_t ascii_run(struct str s, size_t most)
{
    size_t n = 0;
    while (n < s.n && n < most && s.p[n] > ' ' && s.p[n] < 0x7f)
        n++;
    return n;
}

static void add_line(struct preview *p, struct str line)
{
    bool wants_space = p->characters > 0;
    while (line.n > 0 && !is_full(p)) {
        size_t n = length_of(line), run;
        if (is_blank(str_slice(line, 0, n))) {
            line = str_from_offset(line, n);
            wants_space = true;
            continue;
        }
        if (wants_space && p->characters + 2 > PREVIEW_CHARACTERS) {
            p->characters = PREVIEW_CHARACTERS; /* nothing fits behind the space */
            break;
        }
        if (wants_space)
            buf_add_byte(p->out, ' ');
        p->characters += wants_space;
        wants_space = false;
        run = ascii_run(line, PREVIEW_CHARACTERS - p->characters);
        buf_add(p->out, str_slice(line, 0, run > 0 ? run : n));
        p->characters += run > 0 ? run : 1;
        line = str_from_offset(line, run > 0 ? run : n);
    }
}

/* --- lines --- */

static struct str trim(struct str line)
{
    while (line.n > 0 && is_blank(str_slice(line, 0, length_of(line))))
        line = str_from_offset(line, length_of(line));
    while (line.n > 0) {
        size_t last = line.n - 1;
        while (last > 0 && (line.p[last] & 0xc0) == 0x80)
            last--;
        if (!is_blank(str_from_offset(line, last)))
            break;
        line.n = last;
    }
    return line;
}

/* Behind it stands what is not the writer's own words: a signature, or a message quoted without marks, as
 * Outlook does it. */
static bool is_end(struct str line, struct str trimmed)
{
    if (str_eq(line, STR("-- ")) || str_eq(line, STR("-- \r")) ||
        str_starts(trimmed, STR("________________")))
        return true;
    return str_starts(trimmed, STR("-----")) && str_ends(trimmed, STR("-----")) && trimmed.n > 10;
}

/* What introduced the quote that begins now goes. */
static void drop_introduction(struct preview *p)
{
    if (p->ends_in_colon && p->lines <= INTRODUCTION_LINES) {
        buf_truncate(p->out, p->paragraph);
        p->characters = p->paragraph_characters;
    }
    p->ends_in_colon = false;
}

static void begin_paragraph(struct preview *p)
{
    p->paragraph = p->out->n;
    p->paragraph_characters = p->characters;
    p->lines = 0;
}

static void add_text(struct preview *p, struct str text)
{
    bool was_blank = true, ends = false;
    /* Some lines more than fill it: they may show that the last one introduces a quote. */
    for (size_t beyond = 0; text.n > 0 && !ends && beyond <= INTRODUCTION_LINES;) {
        size_t lf = str_find_byte(text, '\n');
        struct str line = str_slice(text, 0, lf), trimmed = trim(line);
        text = lf == STR_NONE ? STR("") : str_from_offset(text, lf + 1);
        beyond += is_full(p) && trimmed.n > 0;
        while (p->keeps_quotes && str_starts(trimmed, STR(">")))
            trimmed = trim(str_from_offset(trimmed, 1));
        if (trimmed.n == 0) {
            was_blank = true;
        } else if (trimmed.p[0] == '>') {
            drop_introduction(p);
            was_blank = true;
        } else if (p->characters > 0 && is_end(line, trimmed)) {
            ends = true;
        } else {
            if (was_blank)
                begin_paragraph(p);
            was_blank = false;
            add_line(p, trimmed);
            p->lines++;
            p->ends_in_colon = str_ends(trimmed, STR(":"));
        }
    }
}

/* --- the whole --- */

static void start(struct preview *p, struct buf *out, size_t at, bool keeps_quotes)
{
    buf_truncate(out, at);
    *p = (struct preview){.out = out, .keeps_quotes = keeps_quotes, .paragraph = at};
}

/* A character that was cut off with the bytes behind it. */
static void drop_broken_end(struct buf *out)
{
    while (str_ends(buf_str(out), STR("\xef\xbf\xbd")))
        buf_truncate(out, out->n - 3);
}

/* The preview from the first `n` bytes of a part's body. True: it is as it would be from all of them. */
static bool make(struct str body, size_t n, const struct mime_part *part, struct buf *out, size_t at)
{
    CLEAN_BUF struct buf bytes, utf8, text;
    buf_init(&bytes, BUF_MAX_DEFAULT);
    buf_init(&utf8, BUF_MAX_DEFAULT);
    buf_init(&text, BUF_MAX_DEFAULT);
    decode_transfer(str_slice(body, 0, n), part->encoding, &bytes);
    decode_charset(buf_str(&bytes), mime_param(part->params, part->param_count, STR("charset")), &utf8);
    bool is_html = str_eq(part->subtype, STR("html"));
    if (is_html)
        html_to_own_text(buf_str(&utf8), &text);
    if (n < body.n)
        drop_broken_end(is_html ? &text : &utf8);
    struct preview p;
    start(&p, out, at, false);
    add_text(&p, buf_str(is_html ? &text : &utf8));
    if (n < body.n)
        return is_full(&p);
    if (p.characters > 0)
        return true;
    buf_reset(&text);
    if (is_html)
        html_to_text(buf_str(&utf8), &text);
    start(&p, out, at, true);
    add_text(&p, buf_str(is_html ? &text : &utf8));
    return true;
}

static void make_from(struct str message, const struct mime_part *part, struct buf *out, size_t at)
{
    struct str body = str_slice(str_slice(message, 0, PREVIEW_SOURCE_MAX), part->body_at, part->body_size);
    for (size_t n = FIRST_PIECE; !make(body, n, part, out, at); n *= 4)
        ;
}

void preview_make(struct str message, const struct mime_part *root, struct buf *out)
{
    size_t at = out->n;
    const struct mime_part *plain = find_text(root, STR("plain")), *html = find_text(root, STR("html"));
    if (plain)
        make_from(message, plain, out, at);
    if (out->n == at && html)
        make_from(message, html, out, at);
}
