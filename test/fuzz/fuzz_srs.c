/* What srs_forward makes comes back the same, in bounds; what was changed by a byte does not come back as
 * something else. The first byte of the input chooses the day, and where it is damaged. */
#include "directory/directory.h"
#include "directory/srs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str local_of(struct str address)
{
    return str_slice(address, 0, str_rfind_byte(address, '@'));
}

static bool is_srs(struct str s)
{
    return str_starts_nocase(s, STR("SRS"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (size < 1)
        return 0;
    struct srs s = {STR("a key"), SRS_HASH_CHARS, 1577836860 + 86400 * (int64_t)data[0]};
    struct str in = str_from(data + 1, size - 1), made, back;
    srs_reverse(&s, in, &a, &back);
    if (!srs_forward(&s, in, STR("ours.example"), &a, &made))
        return 0;
    if (made.n > ADDRESS_MAX || !str_ends(made, STR("@ours.example")))
        abort();
    if (srs_reverse(&s, local_of(made), &a, &back) != SRS_GOOD)
        abort();
    if (!is_srs(in) && !str_eq(back, in))
        abort();
    char *damaged = (char *)arena_copy_c(&a, local_of(made));
    size_t at = 5 + data[0] % (local_of(made).n - 5);
    damaged[at] = damaged[at] == 'x' ? 'y' : 'x';
    enum srs_result r = srs_reverse(&s, str_from(damaged, local_of(made).n), &a, &back);
    if (r == SRS_GOOD && !str_eq_nocase(str_from(damaged, local_of(made).n), local_of(made)))
        abort();
    return 0;
}
