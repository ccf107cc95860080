#include "imap/url.h"

static bool fail(const char **problem, const char *words)
{
    *problem = words;
    return false;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%20" and the like undone (RFC 3986 section 2.1). NUL may stand nowhere in what an IMAP URL names. */
static bool decode(struct str in, struct arena *a, struct str *out)
{
    if (str_find_byte(in, '\0') != STR_NONE)
        return false;
    if (str_find_byte(in, '%') == STR_NONE) {
        *out = in;
        return true;
    }
    char *p = ARENA_ARRAY(a, char, in.n);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        p[n] = in.p[i];
        if (in.p[i] == '%') {
            int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            p[n] = (char)(high << 4 | low);
            i += 2;
        }
        n++;
    }
    *out = str_from(p, n);
    return true;
}

/* Steps over `name` at the front of *rest, in any case. */
static bool take(struct str *rest, struct str name)
{
    if (!str_starts_nocase(*rest, name))
        return false;
    *rest = str_from_offset(*rest, name.n);
    return true;
}

static bool take_number(struct str *rest, uint32_t *n)
{
    size_t digits = 0;
    while (digits < rest->n && ascii_is_digit(rest->p[digits]))
        digits++;
    if (!str_to_u32(str_slice(*rest, 0, digits), n))
        return false;
    *rest = str_from_offset(*rest, digits);
    return true;
}

static size_t find_nocase(struct str in, struct str word)
{
    for (size_t i = 0; i + word.n <= in.n; i++)
        if (str_starts_nocase(str_from_offset(in, i), word))
            return i;
    return STR_NONE;
}

/* iserver: [iuserinfo "@"] host [":" port], where iuserinfo may say how to log in, which no longer matters.
 */
static bool take_server(struct str *rest, struct arena *a, struct imap_url *out, const char **problem)
{
    size_t slash = str_find_byte(*rest, '/');
    struct str server = str_slice(*rest, 0, slash), user = STR("");
    *rest = slash == STR_NONE ? STR("") : str_from_offset(*rest, slash);
    size_t at = str_rfind_byte(server, '@');
    if (at != STR_NONE) {
        user = str_slice(server, 0, at);
        server = str_from_offset(server, at + 1);
        size_t auth = find_nocase(user, STR(";AUTH="));
        user = str_slice(user, 0, auth);
    }
    size_t colon = str_rfind_byte(server, ':');
    if (colon != STR_NONE && str_find_byte(str_from_offset(server, colon), ']') == STR_NONE) /* [::1] */
        server = str_slice(server, 0, colon);
    if (server.n == 0 || !decode(user, a, &out->user) || !decode(server, a, &out->host))
        return fail(problem, "the server's name cannot be read");
    return true;
}

/* enc-mailbox [";UIDVALIDITY=" nz-number], in front of "/;UID=". */
static bool read_mailbox(struct str in, struct arena *a, struct imap_url *out, const char **problem)
{
    size_t validity = find_nocase(in, STR(";UIDVALIDITY="));
    if (validity != STR_NONE) {
        struct str number = str_from_offset(in, validity + STR(";UIDVALIDITY=").n);
        if (!take_number(&number, &out->uidvalidity) || out->uidvalidity == 0 || number.n > 0)
            return fail(problem, "UIDVALIDITY is followed by a number that is not 0");
        in = str_slice(in, 0, validity);
    }
    if (str_find_byte(in, ';') != STR_NONE || str_find_byte(in, '?') != STR_NONE || in.n == 0 ||
        !decode(in, a, &out->mailbox))
        return fail(problem, "the mailbox's name cannot be read");
    return true;
}

/* ["/;SECTION=" enc-section] */
static bool take_section(struct str *rest, struct arena *a, struct imap_url *out, const char **problem)
{
    if (!take(rest, STR("/;SECTION=")))
        return true;
    size_t end = str_find(*rest, STR("/;"));
    struct str text = str_slice(*rest, 0, end);
    *rest = end == STR_NONE ? STR("") : str_from_offset(*rest, end);
    if (!decode(text, a, &text) || text.n == 0 || !imap_parse_section(text, a, &out->section))
        return fail(problem, "no such section");
    return true;
}

/* ["/;PARTIAL=" number ["." nz-number]] */
static bool take_partial(struct str *rest, struct imap_url *out, const char **problem)
{
    struct fetch_section *s = &out->section;
    if (!take(rest, STR("/;PARTIAL=")))
        return true;
    uint32_t from, length = UINT32_MAX;
    s->is_partial = true;
    if (!take_number(rest, &from) || (take(rest, STR(".")) && (!take_number(rest, &length) || length == 0)))
        return fail(problem, "PARTIAL is followed by where the bytes start and how many there are");
    s->from = from;
    s->length = length;
    return true;
}

/* The path is a name from the root ("/Drafts"), or one below the selected mailbox, which is a base that ends
 * in "/" (RFC 4469 section 3: relative to the selected mailbox). */
static bool take_mailbox(struct str *rest, struct arena *a, struct imap_url *out, const char **problem)
{
    if (take(rest, STR(";UID=")))
        return out->host.n == 0 || fail(problem, "it names no mailbox");
    size_t uid = find_nocase(*rest, STR("/;UID="));
    if (uid == STR_NONE)
        return fail(problem, "it names no message");
    struct str path = str_slice(*rest, 0, uid);
    *rest = str_from_offset(*rest, uid + STR("/;UID=").n);
    bool is_absolute = take(&path, STR("/"));
    if (path.n == 0 && uid == 0) /* "/;UID=20" */
        return out->host.n == 0 || fail(problem, "it names no mailbox");
    size_t colon = str_find_byte(path, ':'); /* RFC 3986 section 4.2 */
    if (!is_absolute && colon < str_find_byte(path, '/'))
        return fail(problem, "it is no IMAP URL");
    out->is_below = !is_absolute;
    return read_mailbox(path, a, out, problem);
}

bool imap_parse_url(struct str text, struct arena *a, struct imap_url *out, const char **problem)
{
    *out = (struct imap_url){.user = STR(""), .host = STR(""), .mailbox = STR("")};
    struct str rest = text;
    if (text.n > IMAP_URL_MAX)
        return fail(problem, "it is too long");
    if ((take(&rest, STR("imap://")) || take(&rest, STR("//"))) && !take_server(&rest, a, out, problem))
        return false;
    if (!take_mailbox(&rest, a, out, problem))
        return false;
    if (!take_number(&rest, &out->uid) || out->uid == 0)
        return fail(problem, "UID is followed by a number that is not 0");
    if (!take_section(&rest, a, out, problem) || !take_partial(&rest, out, problem))
        return false;
    /* ;EXPIRE= and ;URLAUTH= belong to RFC 4467, which is for other servers. */
    return rest.n == 0 || fail(problem, "it goes on with something unknown");
}
