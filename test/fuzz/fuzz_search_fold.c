/* Folded text is UTF-8 with single spaces, and folding two halves gives the whole. Words lie in their text,
 * in its order. A base subject has none of what makes one, and Message-IDs are not longer than their field.
 */
#include "message/base_subject.h"
#include "message/decode.h"
#include "message/message_id.h"
#include "message/search_fold.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static void fold(struct str s, struct buf *out)
{
    search_fold(s, out);
    check(decode_is_utf8(buf_str(out)));
    check(str_find(buf_str(out), STR("  ")) == STR_NONE);
}

/* Cut at a letter behind white space, which joins nothing before it. */
static void check_halves(struct str s, struct str whole)
{
    CLEAN_BUF struct buf halves;
    buf_init(&halves, BUF_MAX_DEFAULT);
    size_t at = s.n / 2;
    while (at < s.n && !(at > 0 && s.p[at - 1] == ' ' && ascii_is_alpha(s.p[at]) &&
                         (at + 1 == s.n || ascii_is_alpha(s.p[at + 1]))))
        at++;
    if (at == s.n)
        return;
    search_fold(str_slice(s, 0, at), &halves);
    search_fold(str_from_offset(s, at), &halves);
    check(str_eq(buf_str(&halves), whole));
}

static void check_words(struct str folded, bool (*take)(struct str *, struct str *))
{
    const char *end = folded.p + folded.n, *last = folded.p;
    struct str rest = folded, word;
    while (take(&rest, &word)) {
        check(word.n > 0 && word.p >= last && word.p + word.n <= end);
        last = word.p + word.n;
    }
    check(rest.n == 0);
}

static void check_ids(struct str value)
{
    CLEAN_BUF struct buf id;
    buf_init(&id, BUF_MAX_DEFAULT);
    size_t bytes = 0;
    for (struct str rest = value; message_id_take(&rest, &id);) {
        check(id.n > 0);
        bytes += id.n + 2;
    }
    check(bytes <= value.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf folded, key;
    buf_init(&folded, BUF_MAX_DEFAULT);
    buf_init(&key, BUF_MAX_DEFAULT);
    struct str s = str_from(data, size);
    fold(s, &folded);
    check_halves(s, buf_str(&folded));
    check_words(buf_str(&folded), search_word);
    check_words(buf_str(&folded), search_address_word);
    check_ids(s);
    bool is_reply;
    struct str base = base_subject(s, &a, &is_reply);
    check(!str_starts_nocase(base, STR("re:")) && !str_starts_nocase(base, STR("fwd:")));
    decode_casemap(s, &key);
    check(decode_is_utf8(buf_str(&key)));
    return 0;
}
