#include "imap/fetch_parse.h"

static const struct {
    struct str name;
    unsigned items;
} MACROS[] = {
    {STR_INIT("FAST"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE},
    {STR_INIT("ALL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE},
    {STR_INIT("FULL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY},
};

static const struct {
    struct str name;
    enum fetch_item item;
} ITEMS[] = {
    {STR_INIT("UID"), FETCH_UID},
    {STR_INIT("FLAGS"), FETCH_FLAGS},
    {STR_INIT("INTERNALDATE"), FETCH_INTERNALDATE},
    {STR_INIT("RFC822.SIZE"), FETCH_SIZE},
    {STR_INIT("ENVELOPE"), FETCH_ENVELOPE},
    {STR_INIT("BODYSTRUCTURE"), FETCH_BODYSTRUCTURE},
    {STR_INIT("BODY"), FETCH_BODY},
    {STR_INIT("PREVIEW"), FETCH_PREVIEW},
    {STR_INIT("SAVEDATE"), FETCH_SAVEDATE},
    {STR_INIT("EMAILID"), FETCH_EMAILID},
    {STR_INIT("THREADID"), FETCH_THREADID},
    {STR_INIT("MODSEQ"), FETCH_MODSEQ},
};

/* What is followed by a section in brackets. */
static const struct {
    struct str name;
    enum section_form form;
    bool peeks;
} SECTION_ITEMS[] = {
    {STR_INIT("BODY"), SECTION_BODY, false},
    {STR_INIT("BODY.PEEK"), SECTION_BODY, true},
    {STR_INIT("BINARY"), SECTION_BINARY, false},
    {STR_INIT("BINARY.PEEK"), SECTION_BINARY, true},
    {STR_INIT("BINARY.SIZE"), SECTION_BINARY_SIZE, true},
};

static const struct str LABELS[] = {
    [SECTION_BODY] = STR_INIT("BODY["),
    [SECTION_BINARY] = STR_INIT("BINARY["),
    [SECTION_BINARY_SIZE] = STR_INIT("BINARY.SIZE["),
};

/* The names of before IMAP4rev1, the same as some section but for their label. */
static const struct {
    struct str name;
    enum section_text text;
    bool peeks;
} OLD_SECTIONS[] = {
    {STR_INIT("RFC822"), SECTION_WHOLE, false},
    {STR_INIT("RFC822.HEADER"), SECTION_HEADER, true},
    {STR_INIT("RFC822.TEXT"), SECTION_TEXT, false},
};

static const struct {
    struct str name;
    enum section_text text;
} SECTION_TEXTS[] = {
    {STR_INIT("HEADER"), SECTION_HEADER},
    {STR_INIT("HEADER.FIELDS"), SECTION_FIELDS},
    {STR_INIT("HEADER.FIELDS.NOT"), SECTION_FIELDS_NOT},
    {STR_INIT("TEXT"), SECTION_TEXT},
    {STR_INIT("MIME"), SECTION_MIME},
};

static bool fail(struct imap_cursor *c, const char *problem)
{
    c->problem = problem;
    return false;
}

static bool add_section(struct imap_cursor *c, struct arena *a, struct fetch_request *out,
                        const struct fetch_section *section, bool peeks)
{
    if (out->section_count == FETCH_SECTIONS_MAX)
        return fail(c, "too many parts in one FETCH");
    if (!out->sections)
        out->sections = ARENA_ARRAY(a, struct fetch_section, FETCH_SECTIONS_MAX);
    out->sections[out->section_count++] = *section;
    out->sets_seen |= !peeks;
    return true;
}

/* The letters and points of an item's or section's name: an atom may not be taken, "[" belongs to one. */
static struct str take_name(struct imap_cursor *c)
{
    struct str rest = str_from_offset(c->in, c->at);
    size_t n = 0;
    while (n < rest.n && (ascii_is_alpha(rest.p[n]) || ascii_is_digit(rest.p[n]) || rest.p[n] == '.'))
        n++;
    c->at += n;
    return str_slice(rest, 0, n);
}

/* "1.2." before a text, or "1.2" alone; steps over the last point too. */
static bool take_path(struct imap_cursor *c, struct arena *a, struct fetch_section *s, bool *ends_in_point)
{
    size_t most = 1;
    for (size_t i = c->at; i < c->in.n && (ascii_is_digit(c->in.p[i]) || c->in.p[i] == '.'); i++)
        most += c->in.p[i] == '.';
    s->path = ARENA_ARRAY(a, uint32_t, most);
    *ends_in_point = true;
    while (*ends_in_point && imap_peek(c) >= '0' && imap_peek(c) <= '9') {
        if (!imap_take_nz_number(c, &s->path[s->path_count]))
            return false;
        s->path_count++;
        *ends_in_point = imap_peek(c) == '.';
        c->at += *ends_in_point;
    }
    return true;
}

static bool is_field_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
            return false;
    return name.n > 0;
}

/* header-list: "(" header-fld-name *(SP header-fld-name) ")" */
static bool take_fields(struct imap_cursor *c, struct arena *a, struct fetch_section *s)
{
    size_t close = str_find_byte(str_from_offset(c->in, c->at), ']');
    size_t most = close == STR_NONE ? 1 : close / 2 + 1;
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    s->fields = ARENA_ARRAY(a, struct str, most);
    do {
        if (s->field_count == most) /* a "]" inside a quoted name cut the count short */
            return fail(c, "expected names of header fields");
        struct str *name = &s->fields[s->field_count];
        if (!imap_take_astring(c, a, name) || !is_field_name(*name))
            return fail(c, "expected names of header fields");
        s->field_count++;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

static bool take_section_text(struct imap_cursor *c, struct arena *a, struct fetch_section *s)
{
    struct str name = take_name(c);
    for (size_t i = 0; i < sizeof SECTION_TEXTS / sizeof *SECTION_TEXTS; i++) {
        if (!str_eq_nocase(name, SECTION_TEXTS[i].name))
            continue;
        s->text = SECTION_TEXTS[i].text;
        if (s->text == SECTION_MIME && s->path_count == 0)
            return fail(c, "MIME needs the number of a part");
        if (s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT)
            return take_fields(c, a, s);
        return true;
    }
    return fail(c, "expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME or the number of a part");
}

/* "[" [section-spec] "]", standing behind the "[". */
static bool take_section(struct imap_cursor *c, struct arena *a, struct fetch_section *s)
{
    bool wants_text;
    if (imap_peek(c) == ']')
        return imap_take_byte(c, ']');
    if (!take_path(c, a, s, &wants_text))
        return false;
    /* section-binary of RFC 3516 section 7 has numbers only; Dovecot takes these too, and clients use it. */
    if (wants_text && !take_section_text(c, a, s))
        return false;
    return imap_take_byte(c, ']');
}

bool imap_parse_section(struct str text, struct arena *a, struct fetch_section *out)
{
    struct imap_cursor c = {.in = arena_printf(a, "%.*s]", STR_ARGS(text))};
    *out = (struct fetch_section){0};
    return take_section(&c, a, out) && imap_take_end(&c);
}

/* "<" number64 "." nz-number64 ">" (RFC 9051 section 9). "<15>", for all from there on, is Dovecot's. */
static bool take_partial(struct imap_cursor *c, struct fetch_section *s)
{
    if (imap_peek(c) != '<')
        return true;
    s->is_partial = true;
    if (!imap_take_byte(c, '<') || !imap_take_number64(c, &s->from))
        return false;
    s->length = INT64_MAX; /* the most that a number64 can say */
    if (imap_peek(c) == '.' && (!imap_take_byte(c, '.') || !imap_take_number64(c, &s->length)))
        return false;
    return (s->length > 0 || fail(c, "the number of bytes may not be 0")) && imap_take_byte(c, '>');
}

/* Clients find their answer by this: the section as they wrote it, in one spelling. */
static struct str make_label(const struct fetch_section *s, struct arena *a)
{
    CLEAN_BUF struct buf label;
    buf_init(&label, BUF_MAX_DEFAULT);
    buf_add(&label, LABELS[s->form]);
    for (size_t i = 0; i < s->path_count; i++) {
        if (i > 0)
            buf_add_byte(&label, '.');
        buf_add_u64(&label, s->path[i]);
    }
    if (s->text != SECTION_WHOLE) {
        if (s->path_count > 0)
            buf_add_byte(&label, '.');
        for (size_t i = 0; i < sizeof SECTION_TEXTS / sizeof *SECTION_TEXTS; i++)
            if (SECTION_TEXTS[i].text == s->text)
                buf_add(&label, SECTION_TEXTS[i].name);
    }
    for (size_t i = 0; i < s->field_count; i++) {
        buf_add_c(&label, i == 0 ? " (" : " ");
        imap_add_astring(&label, s->fields[i]);
    }
    buf_add_c(&label, s->field_count > 0 ? ")]" : "]");
    if (s->is_partial)
        buf_addf(&label, "<%llu>", (unsigned long long)s->from);
    return arena_copy(a, buf_str(&label));
}

static bool take_section_item(struct imap_cursor *c, struct arena *a, enum section_form form, bool peeks,
                              struct fetch_request *out)
{
    struct fetch_section section = {.form = form};
    if (!imap_take_byte(c, '[') || !take_section(c, a, &section))
        return false;
    if (form != SECTION_BINARY_SIZE && !take_partial(c, &section))
        return false;
    section.label = make_label(&section, a);
    return add_section(c, a, out, &section, peeks);
}

/* ["(" preview-mod *(SP preview-mod) ")"] behind PREVIEW (RFC 8970 section 6); LAZY is the only one. */
static bool take_preview_modifiers(struct imap_cursor *c, struct fetch_request *out)
{
    if (!str_starts(str_from_offset(c->in, c->at), STR(" (")))
        return true;
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    do {
        if (!imap_take_word(c, STR("LAZY")))
            return fail(c, "LAZY is the only way to ask for PREVIEW");
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    out->items |= FETCH_PREVIEW_LAZY;
    return imap_take_byte(c, ')');
}

/* One fetch-att. */
static bool take_item(struct imap_cursor *c, struct arena *a, struct fetch_request *out)
{
    size_t start = c->at;
    struct str name = take_name(c);
    for (size_t i = 0; imap_peek(c) == '[' && i < sizeof SECTION_ITEMS / sizeof *SECTION_ITEMS; i++)
        if (str_eq_nocase(name, SECTION_ITEMS[i].name))
            return take_section_item(c, a, SECTION_ITEMS[i].form, SECTION_ITEMS[i].peeks, out);
    for (size_t i = 0; i < sizeof ITEMS / sizeof *ITEMS; i++) {
        if (str_eq_nocase(name, ITEMS[i].name)) {
            out->items |= ITEMS[i].item;
            return ITEMS[i].item != FETCH_PREVIEW || take_preview_modifiers(c, out);
        }
    }
    for (size_t i = 0; i < sizeof OLD_SECTIONS / sizeof *OLD_SECTIONS; i++) {
        if (str_eq_nocase(name, OLD_SECTIONS[i].name)) {
            struct fetch_section section = {.text = OLD_SECTIONS[i].text, .label = OLD_SECTIONS[i].name};
            return add_section(c, a, out, &section, OLD_SECTIONS[i].peeks);
        }
    }
    c->at = start;
    return fail(c, "unknown FETCH item");
}

static bool take_list(struct imap_cursor *c, struct arena *a, struct fetch_request *out)
{
    if (!imap_take_byte(c, '('))
        return false;
    do {
        if (!take_item(c, a, out))
            return false;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

bool imap_take_fetch_request(struct imap_cursor *c, struct arena *a, struct fetch_request *out)
{
    *out = (struct fetch_request){0};
    if (imap_peek(c) == '(')
        return take_list(c, a, out);
    for (size_t i = 0; i < sizeof MACROS / sizeof *MACROS; i++) {
        if (imap_take_word(c, MACROS[i].name)) {
            out->items = MACROS[i].items;
            return true;
        }
    }
    return take_item(c, a, out);
}

bool imap_take_fetch_modifiers(struct imap_cursor *c, struct fetch_request *out)
{
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    do {
        if (imap_take_word(c, STR("CHANGEDSINCE"))) {
            out->has_changed_since = true;
            out->items |= FETCH_MODSEQ; /* section 3.1.4.1 */
            if (!imap_take_space(c) || !imap_take_number64(c, &out->changed_since))
                return false;
        } else if (imap_take_word(c, STR("VANISHED"))) {
            out->wants_vanished = true;
        } else if (imap_take_word(c, STR("PARTIAL")) && !out->is_partial) {
            out->is_partial = true;
            if (!imap_take_space(c) || !imap_take_partial(c, &out->window))
                return false;
        } else {
            return fail(c, "expected CHANGEDSINCE, VANISHED or one PARTIAL");
        }
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}
