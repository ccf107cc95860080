#include "imap/pattern.h"

#include "mailbox/store.h"

#include <string.h>

/* A pattern with more literal bytes than a name can have, and room for wildcards between. */
#define PATTERN_MAX ((size_t)2 * MAILBOX_NAME_MAX)

bool imap_pattern_make(struct imap_pattern *p, struct str text, struct arena *a)
{
    if (text.n > PATTERN_MAX)
        return false;
    *p = (struct imap_pattern){
        .text = text, .now = ARENA_ARRAY(a, bool, text.n + 1), .next = ARENA_ARRAY(a, bool, text.n + 1)};
    return true;
}

static bool is_wildcard(char byte)
{
    return byte == '*' || byte == '%';
}

/* A wildcard may match nothing: whoever stands before it stands behind it too. */
static void step_over_wildcards(const struct imap_pattern *p, bool *places)
{
    for (size_t i = 0; i < p->text.n; i++)
        if (places[i] && is_wildcard(p->text.p[i]))
            places[i + 1] = true;
}

/* INBOX is INBOX in any case (section 5.1), as the first level of a name. */
static size_t caseless_prefix(struct str name)
{
    const struct str inbox = STR("INBOX");
    bool is_inbox = str_starts(name, inbox) && (name.n == inbox.n || name.p[inbox.n] == MAILBOX_DELIMITER);
    return is_inbox ? inbox.n : 0;
}

/* All places are followed at once, so that no pattern takes long. */
bool imap_pattern_matches(struct imap_pattern *p, struct str name)
{
    size_t caseless = caseless_prefix(name);
    memset(p->now, 0, p->text.n + 1);
    p->now[0] = true;
    step_over_wildcards(p, p->now);
    for (size_t at = 0; at < name.n; at++) {
        char byte = name.p[at];
        memset(p->next, 0, p->text.n + 1);
        for (size_t i = 0; i < p->text.n; i++) {
            if (!p->now[i])
                continue;
            char wanted = at < caseless ? ascii_upper(p->text.p[i]) : p->text.p[i];
            if (is_wildcard(wanted))
                p->next[i] |= wanted == '*' || byte != MAILBOX_DELIMITER;
            else if (wanted == byte)
                p->next[i + 1] = true;
        }
        step_over_wildcards(p, p->next);
        bool *swap = p->now;
        p->now = p->next;
        p->next = swap;
    }
    return p->now[p->text.n];
}
