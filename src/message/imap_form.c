#include "message/imap_form.h"

#include "message/address.h"
#include "message/header.h"
#include "message/mime_value.h"

#include <string.h>

#define QUOTED_MAX 1000 /* longer strings go as literals: clients have line buffers */

/* --- strings (RFC 9051 section 4.3) --- */

/* Quoted strings hold no CR, LF and NUL; 8-bit is left to literals, for not every client takes UTF-8 here. */
static bool may_be_quoted(struct str s, bool *has_nul)
{
    bool ok = s.n <= QUOTED_MAX;
    *has_nul = s.n > 0 && memchr(s.p, '\0', s.n);
    for (size_t i = 0; i < s.n && ok; i++) {
        unsigned char c = (unsigned char)s.p[i];
        ok = c < 0x80 && c != '\r' && c != '\n' && c != '\0';
    }
    return ok;
}

/* NUL stands in no string of IMAP, so it is left out. */
static void add_literal(struct str s, bool has_nul, struct buf *out)
{
    size_t n = s.n;
    if (has_nul)
        for (size_t i = 0; i < s.n; i++)
            n -= s.p[i] == '\0';
    buf_add_byte(out, '{');
    buf_add_u64(out, n);
    buf_add(out, STR("}\r\n"));
    if (!has_nul) {
        buf_add(out, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\0')
            buf_add_byte(out, s.p[i]);
}

void imap_form_string(struct str s, struct buf *out)
{
    bool has_nul;
    if (!may_be_quoted(s, &has_nul)) {
        add_literal(s, has_nul, out);
        return;
    }
    char *start = buf_room(out, 2 * s.n + 2), *to = start;
    if (!start)
        return;
    *to++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            *to++ = '\\';
        *to++ = s.p[i];
    }
    *to++ = '"';
    buf_grew(out, (size_t)(to - start));
}

void imap_form_nstring(struct str s, struct buf *out)
{
    if (s.n == 0)
        buf_add(out, STR("NIL"));
    else
        imap_form_string(s, out);
}

/* --- ENVELOPE --- */

/* Fields in the order in which an envelope shows them (RFC 9051 section 7.5.2). */
enum envelope_field {
    DATE,
    SUBJECT,
    FROM,
    SENDER,
    REPLY_TO,
    TO,
    CC,
    BCC,
    IN_REPLY_TO,
    MESSAGE_ID,
    FIELD_COUNT
};

static const struct str FIELD_NAMES[FIELD_COUNT] = {
    [DATE] = STR_INIT("Date"),
    [SUBJECT] = STR_INIT("Subject"),
    [FROM] = STR_INIT("From"),
    [SENDER] = STR_INIT("Sender"),
    [REPLY_TO] = STR_INIT("Reply-To"),
    [TO] = STR_INIT("To"),
    [CC] = STR_INIT("Cc"),
    [BCC] = STR_INIT("Bcc"),
    [IN_REPLY_TO] = STR_INIT("In-Reply-To"),
    [MESSAGE_ID] = STR_INIT("Message-ID"),
};

struct field {
    bool is_there;
    struct str value; /* raw, of the first such field */
};

static enum envelope_field field_of(struct str name)
{
    for (enum envelope_field i = 0; i < FIELD_COUNT; i++)
        if (str_eq_nocase(name, FIELD_NAMES[i]))
            return i;
    return FIELD_COUNT;
}

/* A field that is missing is NIL, one that is empty is the empty string. */
static void add_text_field(const struct field *f, struct arena *a, struct buf *out)
{
    if (f->is_there)
        imap_form_string(header_unfold(f->value, a), out);
    else
        buf_add(out, STR("NIL"));
}

/* (name route local-part domain). The start of a group is (NIL NIL name NIL), its end (NIL NIL NIL NIL), so
 * the domain of an address is never NIL, even if it has none. */
static void add_address(const struct address *a, struct buf *out)
{
    if (a->group_start) {
        buf_add(out, STR("(NIL NIL "));
        imap_form_string(a->name, out);
        buf_add(out, STR(" NIL)"));
    } else if (a->group_end) {
        buf_add(out, STR("(NIL NIL NIL NIL)"));
    } else {
        buf_add_byte(out, '(');
        imap_form_nstring(a->name, out);
        buf_add_byte(out, ' ');
        imap_form_nstring(a->route, out);
        buf_add_byte(out, ' ');
        imap_form_string(a->local, out);
        buf_add_byte(out, ' ');
        imap_form_string(a->domain, out);
        buf_add_byte(out, ')');
    }
}

/* False, with nothing added: no address is in it. */
static bool add_addresses(const struct field *f, struct arena *a, struct buf *out)
{
    struct address_list list = f->is_there ? address_parse_list(f->value, a) : (struct address_list){NULL, 0};
    if (list.n == 0)
        return false;
    buf_add_byte(out, '(');
    for (size_t i = 0; i < list.n; i++)
        add_address(&list.v[i], out);
    buf_add_byte(out, ')');
    return true;
}

void imap_form_envelope(struct str header, struct arena *a, struct buf *out)
{
    struct field fields[FIELD_COUNT] = {0};
    struct header_field f;
    while (header_next(&header, &f)) {
        enum envelope_field i = field_of(f.name);
        if (i < FIELD_COUNT && !fields[i].is_there)
            fields[i] = (struct field){true, str_slice(f.value, 0, HEADER_VALUE_MAX)};
    }
    size_t from_at = 0, from_n = 0;
    buf_add_byte(out, '(');
    for (enum envelope_field i = 0; i < FIELD_COUNT; i++) {
        if (i > 0)
            buf_add_byte(out, ' ');
        if (i < FROM || i > BCC) {
            add_text_field(&fields[i], a, out);
            continue;
        }
        size_t at = out->n;
        bool has_any = add_addresses(&fields[i], a, out);
        if (i == FROM) {
            from_at = at;
            from_n = has_any ? out->n - at : 0;
        }
        /* Sender and Reply-To are From's where they are missing or empty */
        if (!has_any && (i == SENDER || i == REPLY_TO) && from_n > 0 && buf_room(out, from_n)) {
            memcpy(out->p + out->n, out->p + from_at, from_n);
            buf_grew(out, from_n);
        } else if (!has_any) {
            buf_add(out, STR("NIL"));
        }
    }
    buf_add_byte(out, ')');
}

/* --- BODYSTRUCTURE --- */

struct form {
    struct str message;
    struct arena *arena;
    struct buf *out;
};

/* Parameters as they stand in the message: those of RFC 2231 keep their stars, for it is the client that
 * reads them (and every client knows how). */
static void add_params(struct form *form, struct str value)
{
    struct mime_param param;
    size_t n = 0;
    mime_take_value(&value, form->arena);
    for (; n < MIME_PARAMS_MAX && mime_take_param(&value, form->arena, &param); n++) {
        buf_add_byte(form->out, n == 0 ? '(' : ' ');
        imap_form_string(param.name, form->out);
        buf_add_byte(form->out, ' ');
        imap_form_string(param.value, form->out);
    }
    buf_add(form->out, n == 0 ? STR("NIL") : STR(")"));
}

static void add_disposition(struct form *form, const struct mime_part *part)
{
    if (part->disposition.n == 0) {
        buf_add(form->out, STR("NIL"));
        return;
    }
    buf_add_byte(form->out, '(');
    imap_form_string(part->disposition, form->out);
    buf_add_byte(form->out, ' ');
    add_params(form, part->content_disposition);
    buf_add_byte(form->out, ')');
}

/* Content-Language: tags with commas between (RFC 3282). */
static void add_languages(struct form *form, struct str languages)
{
    struct str tag;
    size_t n = 0;
    bool more = languages.n > 0;
    while (more) {
        more = str_cut(&languages, ',', &tag);
        tag = str_trim(tag);
        if (tag.n == 0)
            continue;
        buf_add_byte(form->out, n++ == 0 ? '(' : ' ');
        imap_form_string(tag, form->out);
    }
    buf_add(form->out, n == 0 ? STR("NIL") : STR(")"));
}

/* body-fld-dsp body-fld-lang body-fld-loc: the extension data that all parts have. */
static void add_extension(struct form *form, const struct mime_part *part)
{
    buf_add_byte(form->out, ' ');
    add_disposition(form, part);
    buf_add_byte(form->out, ' ');
    add_languages(form, part->language);
    buf_add_byte(form->out, ' ');
    imap_form_nstring(part->location, form->out);
}

static void add_part(struct form *form, const struct mime_part *part);

static void add_multipart(struct form *form, const struct mime_part *part)
{
    for (size_t i = 0; i < part->child_count; i++)
        add_part(form, part->children[i]);
    buf_add_byte(form->out, ' ');
    imap_form_string(part->subtype, form->out);
    buf_add_byte(form->out, ' ');
    add_params(form, part->content_type);
    add_extension(form, part);
}

/* body-fields, then what text and message/rfc822 have more. */
static void add_single_part(struct form *form, const struct mime_part *part)
{
    struct buf *out = form->out;
    imap_form_string(part->type, out);
    buf_add_byte(out, ' ');
    imap_form_string(part->subtype, out);
    buf_add_byte(out, ' ');
    add_params(form, part->content_type);
    buf_add_byte(out, ' ');
    imap_form_nstring(part->id, out);
    buf_add_byte(out, ' ');
    imap_form_nstring(part->description, out);
    buf_add_byte(out, ' ');
    imap_form_string(part->encoding_text.n > 0 ? part->encoding_text : STR("7BIT"), out);
    buf_add_byte(out, ' ');
    buf_add_u64(out, part->body_size);
    if (part->is_message) {
        const struct mime_part *inner = part->children[0];
        buf_add_byte(out, ' ');
        imap_form_envelope(str_slice(form->message, inner->header_at, inner->header_size), form->arena, out);
        buf_add_byte(out, ' ');
        add_part(form, inner);
    }
    if (part->is_message || str_eq(part->type, STR("text"))) {
        buf_add_byte(out, ' ');
        buf_add_u64(out, part->lines);
    }
    buf_add_byte(out, ' ');
    imap_form_nstring(part->md5, out);
    add_extension(form, part);
}

static void add_part(struct form *form, const struct mime_part *part)
{
    buf_add_byte(form->out, '(');
    if (part->is_multipart)
        add_multipart(form, part);
    else
        add_single_part(form, part);
    buf_add_byte(form->out, ')');
}

void imap_form_structure(struct str message, const struct mime_part *root, struct arena *a, struct buf *out)
{
    struct form form = {.message = message, .arena = a, .out = out};
    add_part(&form, root);
}
