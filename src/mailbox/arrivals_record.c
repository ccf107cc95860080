#include "mailbox/arrivals_record.h"

#include <string.h>

struct record {
    int64_t mailbox, received, saved;
    uint64_t modseq;
    uint32_t uid, uidvalidity, flags;
    int32_t zone;
    uint32_t keywords, delivery, prefix, bytes; /* how many of each follow */
};

size_t arrival_bytes(const struct arrival *m)
{
    return sizeof(struct record) + m->item.keywords.n + m->item.delivery.n + m->item.prefix.n +
           m->item.bytes.n;
}

/* Copies a slice to `to`, and lets it be the copy. */
static char *put(char *to, struct str *s)
{
    if (s->n > 0)
        memcpy(to, s->p, s->n);
    s->p = to;
    return to + s->n;
}

char *arrival_put(char *to, struct arrival *m)
{
    struct store_append *item = &m->item;
    struct record r = {.mailbox = item->mailbox,
                       .received = item->received,
                       .saved = m->saved,
                       .modseq = m->modseq,
                       .uid = item->uid,
                       .uidvalidity = item->uidvalidity,
                       .flags = item->flags,
                       .zone = item->zone,
                       .keywords = (uint32_t)item->keywords.n,
                       .delivery = (uint32_t)item->delivery.n,
                       .prefix = (uint32_t)item->prefix.n,
                       .bytes = (uint32_t)item->bytes.n};
    memcpy(to, &r, sizeof r);
    to = put(to + sizeof r, &item->keywords);
    to = put(to, &item->delivery);
    to = put(to, &item->prefix);
    return put(to, &item->bytes);
}

static bool take(struct str *rest, size_t n, struct str *out)
{
    if (rest->n < n)
        return false;
    *out = str_slice(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return true;
}

bool arrival_take(struct str *rest, struct arrival *m)
{
    struct record r;
    struct str head, left = *rest;
    if (!take(&left, sizeof r, &head))
        return false;
    memcpy(&r, head.p, sizeof r);
    if (r.zone < INT16_MIN || r.zone > INT16_MAX)
        return false;
    *m = (struct arrival){.saved = r.saved,
                          .modseq = r.modseq,
                          .item = {.mailbox = r.mailbox,
                                   .received = r.received,
                                   .uid = r.uid,
                                   .uidvalidity = r.uidvalidity,
                                   .flags = r.flags,
                                   .zone = (int16_t)r.zone}};
    if (!take(&left, r.keywords, &m->item.keywords) || !take(&left, r.delivery, &m->item.delivery) ||
        !take(&left, r.prefix, &m->item.prefix) || !take(&left, r.bytes, &m->item.bytes))
        return false;
    *rest = left;
    return true;
}
