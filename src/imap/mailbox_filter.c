#include "imap/mailbox_filter.h"

#include <stdlib.h>

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

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

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
    /* They are looked up for every mailbox there is. */
    qsort(out->names, out->n, sizeof *out->names, by_name);
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

static bool names(const struct mailbox_filter *f, struct str name)
{
    return bsearch(&name, f->names, f->n, sizeof *f->names, by_name) != NULL;
}

/* Whether it names this one, or one that is up to `levels` above it. */
static bool names_above(const struct mailbox_filter *f, struct str name, int levels)
{
    for (; !names(f, name); levels--) {
        size_t parent_end = str_rfind_byte(name, MAILBOX_DELIMITER);
        if (levels == 0 || parent_end == STR_NONE)
            return false;
        name = str_slice(name, 0, parent_end);
    }
    return true;
}

bool imap_filter_matches(const struct mailbox_filter *f, const struct mailbox *m, int64_t selected)
{
    switch (f->kind) {
    case FILTER_SELECTED:
    case FILTER_SELECTED_DELAYED: return m->id == selected;
    case FILTER_INBOXES:
    case FILTER_PERSONAL: return true;
    case FILTER_SUBSCRIBED: return m->subscribed;
    case FILTER_SUBTREE: return names_above(f, m->name, MAILBOX_DEPTH_MAX);
    case FILTER_SUBTREE_ONE: return names_above(f, m->name, 1);
    case FILTER_MAILBOXES: return names(f, m->name);
    }
    return false;
}
