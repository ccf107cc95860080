#include "mailbox/search_text.h"

#include "message/address.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/parts.h"
#include "message/search_fold.h"

/* A buffer that a large message has made larger than this is given back after it. */
#define BUFFER_KEPT ((size_t)256 * 1024)

void search_text_init(struct search_text *t, struct connection *c)
{
    *t = (struct search_text){.connection = c, .arena = ARENA_INIT};
    body_reader_init(&t->body, NULL);
    buf_init(&t->header, BUF_MAX_DEFAULT); /* bounded where it is read */
    buf_init(&t->raw, BUF_MAX_DEFAULT);
    buf_init(&t->decoded, BUF_MAX_DEFAULT);
    buf_init(&t->folded_header, SEARCH_TEXT_MAX);
    buf_init(&t->folded_body, SEARCH_TEXT_MAX);
}

void search_text_free(struct search_text *t)
{
    body_reader_free(&t->body);
    arena_free(&t->arena);
    buf_free(&t->header);
    buf_free(&t->raw);
    buf_free(&t->decoded);
    buf_free(&t->folded_header);
    buf_free(&t->folded_body);
}

static void empty(struct buf *b)
{
    if (b->cap > BUFFER_KEPT)
        buf_free(b);
    buf_reset(b);
}

static void start(struct search_text *t, int64_t id, uint64_t size, struct str parts)
{
    t->id = id;
    t->size = size;
    t->parts = parts;
    t->root = NULL;
    t->has_header = t->has_folded_header = t->has_folded_body = false;
    arena_reset(&t->arena);
    empty(&t->header);
    empty(&t->raw);
    empty(&t->decoded);
    empty(&t->folded_header);
    empty(&t->folded_body);
}

void search_text_start(struct search_text *t, const struct fetch_row *row)
{
    start(t, row->row.body, row->row.size, row->parts);
}

MAIL_STATEMENT(PARTS, "SELECT parts FROM body WHERE id = $1");

static bool load_parts(struct search_text *t, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(t->connection->db, &PARTS, SQL(sql_int(t->id)), &rows, e))
        return false;
    if (sql_next(&rows))
        t->parts = arena_copy(&t->arena, sql_get_str(&rows, 0));
    return sql_end(&rows, e);
}

static bool unpack(struct search_text *t, struct err *e)
{
    if (!t->root && t->parts.n == 0 && !load_parts(t, e))
        return false;
    if (!t->root)
        t->root = parts_unpack(t->parts, &t->arena);
    return t->root ||
           err_set(e, ERR_INTERNAL, "the part table of message body %lld is damaged", (long long)t->id);
}

void search_text_start_body(struct search_text *t, int64_t body, struct str parts)
{
    start(t, body, 0, parts);
    t->root = parts_unpack(parts, &t->arena);
    t->size = t->root ? t->root->header_size + t->root->body_size : 0;
}

static bool read_bytes(struct search_text *t, uint64_t at, uint64_t n, struct buf *out, struct err *e)
{
    return body_read(&t->body, t->connection, t->id, t->size, at, n < SEARCH_TEXT_MAX ? n : SEARCH_TEXT_MAX,
                     out, e);
}

static bool need_header(struct search_text *t, struct err *e)
{
    if (t->has_header)
        return true;
    if (!unpack(t, e) || !read_bytes(t, t->root->header_at, t->root->header_size, &t->header, e))
        return false;
    t->has_header = true;
    return true;
}

bool search_text_header(struct search_text *t, struct str *header, struct err *e)
{
    bool good = need_header(t, e);
    *header = buf_str(&t->header);
    return good;
}

static bool has_addresses(struct str field)
{
    static const struct str NAMES[] = {STR_INIT("From"), STR_INIT("To"),     STR_INIT("Cc"),
                                       STR_INIT("Bcc"),  STR_INIT("Sender"), STR_INIT("Reply-To")};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq_nocase(field, NAMES[i]))
            return true;
    return false;
}

/* FROM, TO, CC and BCC ask for what the ENVELOPE shows (RFC 9051 section 6.4.4): an address that has comments
 * within, "ana (home) @ example.org", is found without them too. */
static void fold_addresses(struct search_text *t, struct str value, struct buf *out)
{
    struct address_list list = address_parse_list(value, &t->arena);
    for (size_t i = 0; i < list.n; i++) {
        if (list.v[i].domain.n == 0)
            continue;
        buf_reset(&t->decoded);
        buf_add_byte(&t->decoded, '\n');
        address_add(&t->decoded, list.v[i].local, list.v[i].domain);
        search_fold(buf_str(&t->decoded), out);
    }
}

void search_text_fold_field(struct search_text *t, const struct header_field *f, struct buf *out)
{
    buf_reset(&t->decoded);
    decode_words(f->value, &t->decoded);
    search_fold(str_trim(buf_str(&t->decoded)), out);
    if (str_find_byte(f->value, '(') != STR_NONE && has_addresses(f->name))
        fold_addresses(t, f->value, out);
}

/* Every field of a header, as "name: value" and a line end. */
static void fold_header(struct search_text *t, struct str header, struct buf *out)
{
    for (struct header_field f; header_next(&header, &f);) {
        search_fold(f.name, out);
        buf_add(out, STR(": "));
        search_text_fold_field(t, &f, out);
        buf_add_byte(out, '\n');
    }
}

bool search_text_in_field(struct search_text *t, struct str name, struct str folded, bool *found,
                          struct err *e)
{
    *found = false;
    if (!need_header(t, e))
        return false;
    struct str rest = buf_str(&t->header);
    for (struct header_field f; !*found && header_next(&rest, &f);) {
        if (!str_eq_nocase(f.name, name))
            continue;
        empty(&t->raw);
        search_text_fold_field(t, &f, &t->raw);
        *found = str_find(buf_str(&t->raw), folded) != STR_NONE;
    }
    return true;
}

bool search_text_field(struct search_text *t, struct str name, struct str *folded, struct err *e)
{
    if (!need_header(t, e))
        return false;
    struct str rest = buf_str(&t->header);
    empty(&t->raw);
    for (struct header_field f; header_next(&rest, &f);)
        if (str_eq_nocase(f.name, name)) {
            search_text_fold_field(t, &f, &t->raw);
            buf_add_byte(&t->raw, '\n');
        }
    *folded = buf_str(&t->raw);
    return true;
}

bool search_text_folded_header(struct search_text *t, struct str *folded, struct err *e)
{
    if (!need_header(t, e))
        return false;
    if (!t->has_folded_header)
        fold_header(t, buf_str(&t->header), &t->folded_header);
    t->has_folded_header = true;
    *folded = buf_str(&t->folded_header);
    return true;
}

bool search_text_in_header(struct search_text *t, struct str folded, bool *found, struct err *e)
{
    struct str text;
    if (!search_text_folded_header(t, &text, e))
        return false;
    *found = str_find(text, folded) != STR_NONE;
    return true;
}

/* The part's own bytes alone are read, and shown to the decoder as a message of nothing else. */
static bool fold_text(struct search_text *t, const struct mime_part *part, struct err *e)
{
    empty(&t->raw);
    empty(&t->decoded);
    if (!read_bytes(t, part->body_at, part->body_size, &t->raw, e))
        return false;
    struct mime_part alone = *part;
    alone.body_at = 0;
    alone.body_size = t->raw.n;
    decode_text_part(buf_str(&t->raw), &alone, &t->decoded);
    search_fold(buf_str(&t->decoded), &t->folded_body);
    buf_add_byte(&t->folded_body, '\n');
    return true;
}

static bool fold_inner_header(struct search_text *t, const struct mime_part *part, struct err *e)
{
    empty(&t->raw);
    if (!read_bytes(t, part->header_at, part->header_size, &t->raw, e))
        return false;
    fold_header(t, buf_str(&t->raw), &t->folded_body);
    return true;
}

static void fold_line(struct search_text *t, struct str text)
{
    if (text.n == 0)
        return;
    search_fold(text, &t->folded_body);
    buf_add_byte(&t->folded_body, '\n');
}

/* What the part is called: a line for the file name, one for the name of the type where that is another. */
static bool fold_names(struct search_text *t, const struct mime_part *part, struct err *e)
{
    empty(&t->raw);
    if (!read_bytes(t, part->header_at, part->header_size, &t->raw, e))
        return false;
    const struct mime_part *named = mime_parse(buf_str(&t->raw), &t->arena);
    struct str file = mime_param(named->disposition_params, named->disposition_param_count, STR("filename"));
    struct str name = mime_param(named->params, named->param_count, STR("name"));
    fold_line(t, file);
    if (!str_eq(file, name))
        fold_line(t, name);
    return true;
}

/* As deep as MIME_DEPTH_MAX. */
static bool fold_part(struct search_text *t, const struct mime_part *part, struct err *e)
{
    if (part->parent && part->parent->is_message && !fold_inner_header(t, part, e))
        return false;
    for (size_t i = 0; i < part->child_count && !t->folded_body.overflow; i++)
        if (!fold_part(t, part->children[i], e))
            return false;
    bool is_leaf = part->child_count == 0, is_text = str_eq(part->type, STR("text"));
    if (is_leaf && (part->parent || !is_text) && !fold_names(t, part, e))
        return false;
    return !is_leaf || !is_text || fold_text(t, part, e);
}

bool search_text_folded_body(struct search_text *t, struct str *folded, struct err *e)
{
    if (!t->has_folded_body && (!unpack(t, e) || !fold_part(t, t->root, e)))
        return false;
    t->has_folded_body = true;
    *folded = buf_str(&t->folded_body);
    return true;
}

bool search_text_in_body(struct search_text *t, struct str folded, bool *found, struct err *e)
{
    struct str text;
    if (!search_text_folded_body(t, &text, e))
        return false;
    *found = str_find(text, folded) != STR_NONE;
    return true;
}
