/* Where a name falls in a table that is too small for all of them (FNV-1a): hosts and domains, in any case.
 * Whoever finds names that collide gains nothing but that one pushes the other out. */
#ifndef RELAY_NAME_HASH_H
#define RELAY_NAME_HASH_H
#include "base/str.h"

#define NAME_HASH_BEGIN UINT64_C(14695981039346656037)

/* `h`: NAME_HASH_BEGIN, or what the names before this one gave. */
static inline uint64_t name_hash(uint64_t h, struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)ascii_lower(name.p[i])) * UINT64_C(1099511628211);
    return h;
}

#endif
