#include "imap/qresync.h"

/* A set without "*": what the client knows has numbers (RFC 7162 section 7, known-uids). Its ranges stay in
 * their order. */
static bool take_known_set(struct imap_cursor *c, struct arena *a, struct imap_set *set)
{
    size_t start = c->at;
    if (!imap_take_set(c, a, set))
        return false;
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i].from == IMAP_STAR || set->v[i].to == IMAP_STAR) {
            c->at = start;
            c->problem = "* may not stand for what is known";
            return false;
        }
    return true;
}

static uint64_t count_numbers(const struct imap_set *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += (uint64_t)(set->v[i].to - set->v[i].from) + 1;
    return n;
}

/* "(" known-sequence-set SP known-uid-set ")" */
static bool take_match_data(struct imap_cursor *c, struct arena *a, struct qresync *q)
{
    if (!imap_take_byte(c, '(') || !take_known_set(c, a, &q->numbers) || !imap_take_space(c) ||
        !take_known_set(c, a, &q->uids) || !imap_take_byte(c, ')'))
        return false;
    imap_set_resolve(&q->numbers, 0);
    imap_set_resolve(&q->uids, 0);
    if (count_numbers(&q->numbers) == count_numbers(&q->uids))
        return true;
    c->problem = "there must be as many sequence numbers as UIDs";
    return false;
}

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static bool take_qresync(struct imap_cursor *c, struct arena *a, struct qresync *q)
{
    *q = (struct qresync){0};
    if (!imap_take_space(c) || !imap_take_byte(c, '(') || !imap_take_nz_number(c, &q->uidvalidity) ||
        !imap_take_space(c) || !imap_take_number64(c, &q->modseq))
        return false;
    if (imap_peek(c) == ' ') {
        imap_take_space(c);
        if (imap_peek(c) == '(')
            return take_match_data(c, a, q) && imap_take_byte(c, ')');
        if (!take_known_set(c, a, &q->known))
            return false;
        imap_set_resolve(&q->known, 0);
    }
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !take_match_data(c, a, q)))
        return false;
    return imap_take_byte(c, ')');
}

bool imap_take_select_parameters(struct imap_cursor *c, struct arena *a, struct select_parameters *out)
{
    *out = (struct select_parameters){0};
    if (!imap_take_byte(c, '('))
        return false;
    do {
        if (imap_take_word(c, STR("CONDSTORE"))) {
            out->condstore = true;
        } else if (imap_take_word(c, STR("QRESYNC"))) {
            out->has_qresync = true;
            if (!take_qresync(c, a, &out->qresync))
                return false;
        } else {
            c->problem = "expected CONDSTORE or QRESYNC";
            return false;
        }
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}
