#include "imap/mailbox_filter.h"

static const struct {
    struct str name;
    enum mailbox_filter_kind kind;
    bool has_names;
} FILTERS[] = {
    {STR_INIT("selected"), FILTER_SELECTED, false},
    {STR_INIT("selected-delayed"), FILTER_SELECTED_DELAYED, false},
    {STR_INIT("inboxes"), FILTER_INBOXES, false},
    {STR_INIT("personal"), FILTER_PERSONAL, false},
    {STR_INIT("subscribed"), FILTER_SUBSCRIBED, false},
    {STR_INIT("subtree"), FILTER_SUBTREE, true},
    {STR_INIT("subtree-one"), FILTER_SUBTREE_ONE, true},
    {STR_INIT("mailboxes"), FILTER_MAILBOXES, true},
};

/* one-or-more-mailbox: mailbox / "(" mailbox *(SP mailbox) ")" */
static bool take_names(struct imap_session *s, struct imap_cursor *c, struct mailbox_filter *out)
{
    if (imap_peek(c) != '(') {
        out->names = ARENA_NEW(&s->arena, struct str);
        out->n = 1;
        return imap_take_mailbox(s, c, out->names);
    }
    out->names = ARENA_ARRAY(&s->arena, struct str, FILTER_NAMES_MAX);
    if (!imap_take_byte(c, '('))
        return false;
    do {
        if (out->n == FILTER_NAMES_MAX) {
            c->problem = "too many mailboxes in one list";
            return false;
        }
        if (!imap_take_mailbox(s, c, &out->names[out->n]))
            return false;
        out->n++;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

bool imap_take_mailbox_filter(struct imap_session *s, struct imap_cursor *c, struct mailbox_filter *out)
{
    for (size_t i = 0; i < sizeof FILTERS / sizeof *FILTERS; i++) {
        if (!imap_take_word(c, FILTERS[i].name))
            continue;
        *out = (struct mailbox_filter){.kind = FILTERS[i].kind};
        return !FILTERS[i].has_names || (imap_take_space(c) && take_names(s, c, out));
    }
    c->problem = "expected selected, inboxes, personal, subscribed, subtree, subtree-one or mailboxes";
    return false;
}

/* How many levels `name` is below `top`; -1: it is not there. */
static int levels_below(struct str name, struct str top)
{
    if (!str_starts(name, top))
        return -1;
    struct str below = str_from_offset(name, top.n);
    if (below.n > 0 && below.p[0] != MAILBOX_DELIMITER)
        return -1;
    int levels = 0;
    for (size_t i = 0; i < below.n; i++)
        levels += below.p[i] == MAILBOX_DELIMITER;
    return levels;
}

bool imap_filter_matches(const struct mailbox_filter *f, const struct mailbox *m, int64_t selected)
{
    switch (f->kind) {
    case FILTER_SELECTED:
    case FILTER_SELECTED_DELAYED: return m->id == selected;
    case FILTER_INBOXES:
    case FILTER_PERSONAL: return true;
    case FILTER_SUBSCRIBED: return m->subscribed;
    case FILTER_SUBTREE:
    case FILTER_SUBTREE_ONE:
    case FILTER_MAILBOXES: break;
    }
    int deepest = f->kind == FILTER_SUBTREE ? MAILBOX_DEPTH_MAX : f->kind == FILTER_SUBTREE_ONE ? 1 : 0;
    for (size_t i = 0; i < f->n; i++) {
        int levels = levels_below(m->name, f->names[i]);
        if (levels >= 0 && levels <= deepest)
            return true;
    }
    return false;
}
