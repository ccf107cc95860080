/* URLs of messages: what is read lies within the input or the arena, and what comes out, put together again,
 * reads as the same. */
#include "imap/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void add_escaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (ascii_is_alpha(s.p[i]) || ascii_is_digit(s.p[i]))
            buf_add_byte(out, s.p[i]);
        else
            buf_addf(out, "%%%02X", (unsigned char)s.p[i]);
}

/* section-spec, from the label that FETCH would give it: "BODY[" ... "]<0>". */
static void add_section(struct buf *out, const struct fetch_section *s)
{
    static const char *const TEXTS[] = {
        [SECTION_WHOLE] = "",
        [SECTION_HEADER] = "HEADER",
        [SECTION_FIELDS] = "HEADER.FIELDS",
        [SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
        [SECTION_TEXT] = "TEXT",
        [SECTION_MIME] = "MIME",
    };
    buf_add_c(out, "/;SECTION=");
    for (size_t i = 0; i < s->path_count; i++)
        buf_addf(out, i ? ".%u" : "%u", s->path[i]);
    if (s->path_count > 0 && s->text != SECTION_WHOLE)
        buf_add_byte(out, '.');
    buf_add_c(out, TEXTS[s->text]);
    for (size_t i = 0; i < s->field_count; i++) {
        CLEAN_BUF struct buf name;
        buf_init(&name, BUF_MAX_DEFAULT);
        imap_add_astring(&name, s->fields[i]);
        buf_add_c(out, i ? "%20" : "%20%28");
        add_escaped(out, buf_str(&name));
    }
    if (s->field_count > 0)
        buf_add_c(out, "%29");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_url u, again;
    const char *problem = NULL;
    if (!imap_parse_url(str_from(data, size), &a, &u, &problem)) {
        check(problem != NULL);
        return 0;
    }
    const struct fetch_section *s = &u.section;
    check(u.uid > 0 && (u.mailbox.n > 0 || !u.is_below) && str_find_byte(u.mailbox, '\0') == STR_NONE);
    check(s->form == SECTION_BODY && (!s->is_partial || s->length > 0));
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    if (u.host.n > 0 || u.user.n > 0) {
        buf_add_c(&text, "imap://");
        add_escaped(&text, u.user);
        buf_add_byte(&text, '@');
        add_escaped(&text, u.host);
    }
    buf_add_c(&text, u.is_below ? "" : "/");
    add_escaped(&text, u.mailbox);
    if (u.uidvalidity > 0)
        buf_addf(&text, ";UIDVALIDITY=%u", u.uidvalidity);
    buf_addf(&text, u.mailbox.n > 0 ? "/;UID=%u" : ";UID=%u", u.uid);
    if (s->path_count > 0 || s->text != SECTION_WHOLE)
        add_section(&text, s);
    if (s->is_partial)
        buf_addf(&text, "/;PARTIAL=%llu.%llu", (unsigned long long)s->from, (unsigned long long)s->length);
    if (text.n > IMAP_URL_MAX) /* escapes have made it longer */
        return 0;
    check(imap_parse_url(buf_str(&text), &a, &again, &problem));
    check(str_eq(u.mailbox, again.mailbox) && str_eq(u.host, again.host) && str_eq(u.user, again.user));
    check(u.uid == again.uid && u.uidvalidity == again.uidvalidity && u.is_below == again.is_below);
    check(s->text == again.section.text && s->path_count == again.section.path_count &&
          s->field_count == again.section.field_count && s->from == again.section.from &&
          s->length == again.section.length);
    return 0;
}
