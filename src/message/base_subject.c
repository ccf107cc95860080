#include "message/base_subject.h"

#include "message/decode.h"

/* Step 1: encoded words to UTF-8, each run of white space to one space. */
static struct str plain(struct str value, struct arena *a)
{
    CLEAN_BUF struct buf decoded, spaced;
    buf_init(&decoded, BUF_MAX_DEFAULT);
    buf_init(&spaced, BUF_MAX_DEFAULT);
    decode_words(value, &decoded);
    struct str s = str_trim(str_slice(buf_str(&decoded), 0, SUBJECT_BYTES_MAX));
    for (size_t i = 0; i < s.n; i++) {
        bool is_blank = ascii_is_space(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n';
        if (!is_blank)
            buf_add_byte(&spaced, s.p[i]);
        else if (spaced.n > 0 && spaced.p[spaced.n - 1] != ' ')
            buf_add_byte(&spaced, ' ');
    }
    return arena_copy(a, buf_str(&spaced));
}

static bool skip(struct str *s, struct str prefix)
{
    if (!str_starts_nocase(*s, prefix))
        return false;
    *s = str_from_offset(*s, prefix.n);
    return true;
}

static struct str after_blanks(struct str s)
{
    while (s.n > 0 && ascii_is_space(s.p[0]))
        s = str_from_offset(s, 1);
    return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool skip_blob(struct str *s)
{
    if (s->n == 0 || s->p[0] != '[')
        return false;
    for (size_t i = 1; i < s->n && s->p[i] != '['; i++)
        if (s->p[i] == ']') {
            *s = after_blanks(str_from_offset(*s, i + 1));
            return true;
        }
    return false;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool skip_refwd(struct str *s)
{
    struct str at = *s;
    if (!skip(&at, STR("re")) && !skip(&at, STR("fwd")) && !skip(&at, STR("fw")))
        return false;
    at = after_blanks(at);
    skip_blob(&at);
    if (!skip(&at, STR(":")))
        return false;
    *s = at;
    return true;
}

/* Step 3: subj-leader = (*subj-blob subj-refwd) / WSP */
static bool skip_leader(struct str *s, bool *is_reply)
{
    struct str at = after_blanks(*s);
    if (at.n < s->n) {
        *s = at;
        return true;
    }
    while (skip_blob(&at))
        ;
    if (!skip_refwd(&at))
        return false;
    *is_reply = true;
    *s = at;
    return true;
}

/* Step 2: subj-trailer = "(fwd)" / WSP */
static void cut_trailers(struct str *s, bool *is_reply)
{
    for (;;) {
        struct str end = str_from_offset(*s, s->n >= 5 ? s->n - 5 : 0);
        if (str_eq_nocase(end, STR("(fwd)"))) {
            s->n -= 5;
            *is_reply = true;
        } else if (s->n > 0 && ascii_is_space(s->p[s->n - 1])) {
            s->n--;
        } else {
            return;
        }
    }
}

/* Steps 3 to 5. */
static void cut_leaders(struct str *s, bool *is_reply)
{
    for (bool more = true; more;) {
        more = skip_leader(s, is_reply);
        struct str without = *s;
        if (!more && skip_blob(&without) && without.n > 0) { /* step 4: something must be left */
            *s = without;
            more = true;
        }
    }
}

struct str base_subject(struct str value, struct arena *a, bool *is_reply)
{
    struct str s = plain(value, a);
    *is_reply = false;
    for (;;) {
        cut_trailers(&s, is_reply);
        cut_leaders(&s, is_reply);
        if (!str_starts_nocase(s, STR("[fwd:")) || !str_ends(s, STR("]"))) /* step 6 */
            return s;
        s = str_slice(s, 5, s.n - 6);
        *is_reply = true;
    }
}
