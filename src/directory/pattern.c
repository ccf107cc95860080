#include "directory/pattern.h"

#include "base/buf.h"
#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#define NESTING_MAX    20             /* parentheses within parentheses: PCRE2 compiles them on the stack */
#define DEPTH_MAX      1000           /* of backtracking, beside PATTERN_STEPS_MAX */
#define EXPRESSION_MAX ((size_t)4096) /* a wildcard as a regular expression: at most 12 bytes a character */

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *data; /* used by one match at a time, as the database that it belongs to */
};

/* --- compiling --- */

static void add_quoted(struct buf *out, char c)
{
    bool is_plain = ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c > 127;
    if (!is_plain)
        buf_add_byte(out, '\\');
    buf_add_byte(out, c);
}

static void from_wildcard(struct str local, struct buf *out)
{
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '*')
            buf_add_c(out, "(.*)");
        else if (local.p[i] == '?')
            buf_add_c(out, "(.)");
        else
            add_quoted(out, local.p[i]);
    }
}

static pcre2_code *compile(struct str expression, struct err *e)
{
    pcre2_compile_context *bounds = pcre2_compile_context_create(NULL);
    unsigned char words[128];
    size_t where;
    int why;
    if (bounds)
        pcre2_set_parens_nest_limit(bounds, NESTING_MAX);
    /* \C would match half a character; the rest makes it fit a whole local part. */
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)expression.p, expression.n,
                                     PCRE2_UTF | PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED |
                                         PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY,
                                     &why, &where, bounds);
    pcre2_compile_context_free(bounds);
    if (code)
        return code;
    pcre2_get_error_message(why, words, sizeof words);
    err_set(e, ERR_PERMANENT, "the regular expression %.*s: %s, at character %zu", STR_ARGS(expression),
            (const char *)words, where);
    return NULL;
}

struct pattern *pattern_new(struct str local, enum directory_alias_kind kind, struct err *e)
{
    CLEAN_BUF struct buf expression;
    buf_init(&expression, EXPRESSION_MAX);
    if (kind == DIRECTORY_ALIAS_REGEX)
        buf_add(&expression, str_slice(local, 1, local.n - 2));
    else
        from_wildcard(local, &expression);
    pcre2_code *code = compile(buf_str(&expression), e);
    if (!code)
        return NULL;
    struct pattern *p = MEM_NEW(struct pattern);
    p->code = code;
    p->limits = pcre2_match_context_create(NULL);
    p->data = pcre2_match_data_create_from_pattern(code, NULL);
    if (!p->limits || !p->data) {
        pattern_free(p);
        err_set(e, ERR_TEMPORARY, "no memory for a regular expression");
        return NULL;
    }
    pcre2_set_match_limit(p->limits, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(p->limits, DEPTH_MAX);
    pcre2_set_heap_limit(p->limits, PATTERN_HEAP_KIB);
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(p->data);
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
}

/* --- matching --- */

enum pattern_result pattern_match(const struct pattern *p, struct str local, struct pattern_match *out)
{
    *out = (struct pattern_match){0};
    int n = pcre2_match(p->code, (PCRE2_SPTR)local.p, local.n, 0, 0, p->data, p->limits);
    bool is_hard = n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_HEAPLIMIT ||
                   n == PCRE2_ERROR_NOMEMORY;
    if (n < 0)
        return is_hard ? PATTERN_TOO_HARD : PATTERN_FITS_NOT;
    const size_t *ends = pcre2_get_ovector_pointer(p->data);
    for (int i = 0; i < n && i <= PATTERN_GROUPS_MAX; i++)
        if (ends[2 * i] != PCRE2_UNSET)
            out->groups[i] = str_slice(local, ends[2 * i], ends[2 * i + 1] - ends[2 * i]);
    return PATTERN_FITS;
}

struct str pattern_expand(struct str target, const struct pattern_match *m, struct arena *a)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < target.n; i++) {
        bool is_dollar = target.p[i] == '$' && i + 1 < target.n;
        char next = is_dollar ? target.p[i + 1] : '\0';
        if (next == '$')
            buf_add_byte(&out, '$');
        else if (next >= '1' && next <= '9')
            buf_add(&out, m->groups[next - '0']);
        else
            buf_add_byte(&out, target.p[i]);
        i += next == '$' || (next >= '1' && next <= '9');
    }
    return arena_copy(a, buf_str(&out));
}

/* --- what is typed --- */

bool pattern_is_template(struct str target)
{
    return str_find_byte(target, '$') != STR_NONE;
}

bool pattern_template_read(struct str target, struct arena *a, struct directory_address *out, struct err *e)
{
    size_t at = str_rfind_byte(target, '@');
    if (at != STR_NONE && pattern_is_template(str_from_offset(target, at)))
        return err_set(e, ERR_PERMANENT,
                       "the domain of the target %.*s must be written out: else whoever writes here would "
                       "choose where it goes",
                       STR_ARGS(target));
    return directory_address_read(target, a, out, e);
}

size_t pattern_weight(struct str key)
{
    size_t n = 0;
    for (size_t i = 0; i < key.n; i++)
        n += key.p[i] != '*' && key.p[i] != '?';
    return n;
}

static enum directory_alias_kind kind_of(struct str local)
{
    if (local.n >= 3 && local.p[0] == '/' && local.p[local.n - 1] == '/')
        return DIRECTORY_ALIAS_REGEX;
    bool has_star = str_find_byte(local, '*') != STR_NONE || str_find_byte(local, '?') != STR_NONE;
    return has_star ? DIRECTORY_ALIAS_WILDCARD : DIRECTORY_ALIAS_EXACT;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return true;
}

static bool read_regex(struct str text, size_t at, struct arena *a, struct directory_address *out,
                       struct err *e)
{
    out->local = str_slice(text, 0, at);
    if (out->local.n > PATTERN_MAX || !is_printable(out->local))
        return err_set(e, ERR_PERMANENT, "a regular expression has at most %d bytes, no controls",
                       PATTERN_MAX);
    if (!directory_domain_read(str_from_offset(text, at + 1), a, &out->domain, e))
        return false;
    out->key = out->whole = arena_printf(a, "%.*s@%.*s", STR_ARGS(out->local), STR_ARGS(out->domain));
    return true;
}

bool pattern_address_read(struct str text, struct arena *a, struct directory_address *out,
                          enum directory_alias_kind *kind, struct err *e)
{
    size_t at = str_rfind_byte(text, '@');
    *kind = at == STR_NONE ? DIRECTORY_ALIAS_EXACT : kind_of(str_slice(text, 0, at));
    bool good = *kind == DIRECTORY_ALIAS_REGEX ? read_regex(text, at, a, out, e)
                                               : directory_pattern_read(text, a, out, e);
    if (!good || *kind == DIRECTORY_ALIAS_EXACT)
        return good;
    if (*kind == DIRECTORY_ALIAS_WILDCARD)
        out->local = str_slice(out->key, 0, str_rfind_byte(out->key, '@')); /* folded */
    struct pattern *p = pattern_new(out->local, *kind, e);
    pattern_free(p);
    return p != NULL;
}

/* --- the cache --- */

struct pattern_cache {
    size_t next; /* the oldest, whose place the next one takes */
    struct {
        char *text; /* NULL: free */
        size_t n;
        enum directory_alias_kind kind;
        struct pattern *pattern;
    } v[PATTERN_CACHE_MAX];
};

struct pattern_cache *pattern_cache_new(void)
{
    return MEM_NEW(struct pattern_cache);
}

void pattern_cache_free(struct pattern_cache *c)
{
    for (size_t i = 0; c && i < PATTERN_CACHE_MAX; i++) {
        free(c->v[i].text);
        pattern_free(c->v[i].pattern);
    }
    free(c);
}

const struct pattern *pattern_cache_get(struct pattern_cache *c, struct str local,
                                        enum directory_alias_kind kind, struct err *e)
{
    for (size_t i = 0; i < PATTERN_CACHE_MAX && c->v[i].text; i++)
        if (c->v[i].kind == kind && str_eq(str_from(c->v[i].text, c->v[i].n), local))
            return c->v[i].pattern;
    struct pattern *made = pattern_new(local, kind, e);
    size_t at = c->next;
    if (!made)
        return NULL;
    free(c->v[at].text);
    pattern_free(c->v[at].pattern);
    c->v[at].text = mem_copy_c(local.p, local.n);
    c->v[at].n = local.n;
    c->v[at].kind = kind;
    c->v[at].pattern = made;
    c->next = (at + 1) % PATTERN_CACHE_MAX;
    return made;
}
