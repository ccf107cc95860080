#include "queue/flow.h"

#define PRIORITY_BITS 5 /* 19 values */
#define KEY_BITS      57

/* FNV-1a, its upper bits. */
static uint64_t hash_domain(struct str sender)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t at = str_rfind_byte(sender, '@');
    struct str domain = at == STR_NONE ? STR("") : str_from_offset(sender, at + 1);
    for (size_t i = 0; i < domain.n; i++)
        h = (h ^ (unsigned char)ascii_lower(domain.p[i])) * UINT64_C(0x100000001b3);
    return h >> 32;
}

int64_t flow_of(const struct envelope *asked, struct str sender)
{
    uint64_t key =
        asked->submitter > 0 ? (uint64_t)asked->submitter << 1 : hash_domain(sender) % FLOW_GROUPS << 1 | 1;
    key &= (UINT64_C(1) << KEY_BITS) - 1;
    return (int64_t)(key << PRIORITY_BITS | (uint64_t)(asked->priority + ENVELOPE_PRIORITY_MAX));
}

int flow_priority(int64_t flow)
{
    int p = (int)(flow & ((1 << PRIORITY_BITS) - 1));
    return p > 2 * ENVELOPE_PRIORITY_MAX ? 0 : p - ENVELOPE_PRIORITY_MAX;
}
