#include "imap/search_parse.h"

#include "imap/fetch_parse.h"
#include "message/decode.h"

static bool fail(struct imap_cursor *c, const char *problem)
{
    c->problem = problem;
    return false;
}

/* --- result options --- */

static const struct {
    struct str name;
    enum search_return bit;
} RETURNS[] = {
    {STR_INIT("MIN"), RETURN_MIN},
    {STR_INIT("MAX"), RETURN_MAX},
    {STR_INIT("ALL"), RETURN_ALL},
    {STR_INIT("COUNT"), RETURN_COUNT},
    {STR_INIT("SAVE"), RETURN_SAVE},
    {STR_INIT("PARTIAL"), RETURN_PARTIAL},
    {STR_INIT("CONTEXT"), RETURN_CONTEXT},
    {STR_INIT("UPDATE"), RETURN_UPDATE},
    {STR_INIT("RELEVANCY"), RETURN_RELEVANCY},
};

/* ["(" fetch-att *(SP fetch-att) ")"]; the RFC's examples have a space in front, its grammar has none. */
static bool take_update_attributes(struct imap_cursor *c, struct arena *a, struct search_request *out)
{
    struct imap_cursor ahead = *c;
    struct fetch_request q;
    imap_take_space(&ahead);
    if (imap_peek(&ahead) != '(')
        return true;
    size_t start = ahead.at;
    c->at = start;
    if (!imap_take_fetch_request(c, a, &q))
        return false;
    out->update_attributes = str_slice(c->in, start, c->at - start);
    return true;
}

static bool take_return(struct imap_cursor *c, struct arena *a, struct search_request *out)
{
    for (size_t i = 0; i < sizeof RETURNS / sizeof *RETURNS; i++) {
        if (!imap_take_word(c, RETURNS[i].name))
            continue;
        enum search_return bit = RETURNS[i].bit;
        /* RFC 5267 section 4.4: one PARTIAL, one ALL, or neither */
        if (bit & (RETURN_PARTIAL | RETURN_ALL) && out->returns & (RETURN_PARTIAL | RETURN_ALL))
            return fail(c, "one PARTIAL or one ALL is all that may be asked for");
        out->returns |= bit;
        if (bit == RETURN_PARTIAL)
            return imap_take_space(c) && imap_take_partial(c, &out->partial);
        return bit != RETURN_UPDATE || take_update_attributes(c, a, out);
    }
    return fail(c, "expected MIN, MAX, ALL, COUNT, SAVE, PARTIAL, CONTEXT, UPDATE or RELEVANCY");
}

/* [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]. An empty list asks for ALL (RFC 4731
 * section 3.1). */
static bool take_returns(struct imap_cursor *c, struct arena *a, struct search_request *out)
{
    struct imap_cursor ahead = *c;
    if (!imap_take_space(&ahead) || !imap_take_word(&ahead, STR("RETURN")))
        return true;
    c->at = ahead.at;
    out->is_extended = true;
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    for (size_t n = 0; imap_peek(c) != ')'; n++)
        if ((n > 0 && !imap_take_space(c)) || !take_return(c, a, out))
            return false;
    if (out->returns == 0)
        out->returns = RETURN_ALL;
    return imap_take_byte(c, ')');
}

/* --- the order --- */

static const struct {
    struct str name;
    enum sort_key key;
} SORT_KEYS[] = {
    {STR_INIT("ARRIVAL"), SORT_ARRIVAL},
    {STR_INIT("CC"), SORT_CC},
    {STR_INIT("DATE"), SORT_DATE},
    {STR_INIT("FROM"), SORT_FROM},
    {STR_INIT("SIZE"), SORT_SIZE},
    {STR_INIT("SUBJECT"), SORT_SUBJECT},
    {STR_INIT("TO"), SORT_TO},
    {STR_INIT("DISPLAYFROM"), SORT_DISPLAYFROM}, /* RFC 5957 */
    {STR_INIT("DISPLAYTO"), SORT_DISPLAYTO},
    {STR_INIT("RELEVANCY"), SORT_RELEVANCE}, /* RFC 6203 section 6 */
};

/* sort-criterion: ["REVERSE" SP] sort-key */
static bool take_criterion(struct imap_cursor *c, struct sort_criterion *out)
{
    out->reverse = imap_take_word(c, STR("REVERSE"));
    if (out->reverse && !imap_take_space(c))
        return false;
    for (size_t i = 0; i < sizeof SORT_KEYS / sizeof *SORT_KEYS; i++) {
        if (imap_take_word(c, SORT_KEYS[i].name)) {
            out->key = SORT_KEYS[i].key;
            return true;
        }
    }
    return fail(c, "unknown sort key");
}

static bool take_criteria(struct imap_cursor *c, struct arena *a, struct search_request *out)
{
    if (!imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    out->criteria = ARENA_ARRAY(a, struct sort_criterion, SORT_CRITERIA_MAX);
    do {
        if (out->criteria_count == SORT_CRITERIA_MAX)
            return fail(c, "too many sort keys");
        if (!take_criterion(c, &out->criteria[out->criteria_count]))
            return false;
        out->criteria_count++;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

static bool sorts_by_relevancy(const struct search_request *q)
{
    for (size_t i = 0; i < q->criteria_count; i++)
        if (q->criteria[i].key == SORT_RELEVANCE)
            return true;
    return false;
}

static const struct {
    struct str name;
    enum thread_algorithm algorithm;
} ALGORITHMS[] = {
    {STR_INIT("ORDEREDSUBJECT"), THREAD_ORDEREDSUBJECT},
    {STR_INIT("REFERENCES"), THREAD_REFERENCES},
    {STR_INIT("REFS"), THREAD_REFS},
};

static bool take_algorithm(struct imap_cursor *c, struct search_request *out)
{
    if (!imap_take_space(c))
        return false;
    for (size_t i = 0; i < sizeof ALGORITHMS / sizeof *ALGORITHMS; i++) {
        if (imap_take_word(c, ALGORITHMS[i].name)) {
            out->algorithm = ALGORITHMS[i].algorithm;
            return true;
        }
    }
    return fail(c, "expected ORDEREDSUBJECT, REFERENCES or REFS");
}

/* --- what they have in common --- */

/* SP, then the keys, to the end. */
static enum search_parse_result take_program(struct imap_cursor *c, const struct search_scope *scope,
                                             struct arena *a, struct search_request *out)
{
    if (out->has_charset && !decode_knows_charset(out->charset))
        return SEARCH_BAD_CHARSET;
    if (!imap_take_space(c) || !imap_take_search_keys(c, scope, out->charset, a, &out->keys))
        return SEARCH_SYNTAX;
    if (!imap_take_end(c))
        return SEARCH_SYNTAX;
    /* RFC 6203 sections 4 and 6 */
    if (!out->keys.has_fuzzy && (out->returns & RETURN_RELEVANCY || sorts_by_relevancy(out))) {
        fail(c, "RELEVANCY is for searches that have a FUZZY key");
        return SEARCH_SYNTAX;
    }
    return SEARCH_PARSED;
}

enum search_parse_result imap_take_search(struct imap_cursor *c, const struct search_scope *scope,
                                          struct arena *a, struct search_request *out)
{
    *out = (struct search_request){.charset = STR("")};
    if (!take_returns(c, a, out))
        return SEARCH_SYNTAX;
    struct imap_cursor ahead = *c;
    out->has_charset = imap_take_space(&ahead) && imap_take_word(&ahead, STR("CHARSET"));
    if (out->has_charset) {
        c->at = ahead.at;
        if (!imap_take_space(c) || !imap_take_astring(c, a, &out->charset))
            return SEARCH_SYNTAX;
    }
    return take_program(c, scope, a, out);
}

/* SP charset, which these two must have */
static bool take_charset(struct imap_cursor *c, struct arena *a, struct search_request *out)
{
    out->has_charset = imap_take_space(c) && imap_take_astring(c, a, &out->charset);
    return out->has_charset;
}

enum search_parse_result imap_take_sort(struct imap_cursor *c, const struct search_scope *scope,
                                        struct arena *a, struct search_request *out)
{
    *out = (struct search_request){.charset = STR("")};
    if (!take_returns(c, a, out) || !take_criteria(c, a, out) || !take_charset(c, a, out))
        return SEARCH_SYNTAX;
    return take_program(c, scope, a, out);
}

enum search_parse_result imap_take_thread(struct imap_cursor *c, const struct search_scope *scope,
                                          struct arena *a, struct search_request *out)
{
    *out = (struct search_request){.charset = STR("")};
    if (!take_algorithm(c, out) || !take_charset(c, a, out))
        return SEARCH_SYNTAX;
    return take_program(c, scope, a, out);
}
