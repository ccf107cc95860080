/* An address has one canonical form: reading that form again gives the same, in bounds and without controls.
 */
#include "directory/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address once, again;
    struct err e = ERR_INIT;
    if (!directory_address_read(str_from(data, size), &a, &once, &e))
        return 0;
    if (once.local.n == 0 || once.local.n > LOCAL_PART_MAX || once.domain.n == 0 ||
        once.domain.n > DOMAIN_MAX)
        abort();
    for (size_t i = 0; i < once.key.n; i++)
        if ((unsigned char)once.key.p[i] < ' ' || (once.key.p[i] >= 'A' && once.key.p[i] <= 'Z'))
            abort();
    if (!directory_address_read(once.key, &a, &again, &e) || !str_eq(once.key, again.key))
        abort();
    return 0;
}
