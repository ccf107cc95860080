#include "imap/notify.h"

/* In the order of the RFC; 0: known by name, and not to be had here. */
static const struct {
    struct str name;
    unsigned event;
} EVENTS[] = {
    {STR_INIT("MessageNew"), NOTIFY_NEW},
    {STR_INIT("MessageExpunge"), NOTIFY_EXPUNGE},
    {STR_INIT("FlagChange"), NOTIFY_FLAGS},
    {STR_INIT("MailboxName"), NOTIFY_NAME},
    {STR_INIT("SubscriptionChange"), NOTIFY_SUBSCRIPTION},
    {STR_INIT("MailboxMetadataChange"), NOTIFY_METADATA},
    {STR_INIT("ServerMetadataChange"), NOTIFY_SERVER_METADATA},
};

static bool fail(struct imap_cursor *c, const char *problem)
{
    c->problem = problem;
    return false;
}

/* [SP "(" fetch-att *(SP fetch-att) ")"] of MessageNew */
static bool take_attributes(struct imap_session *s, struct imap_cursor *c, struct str *out)
{
    struct imap_cursor ahead = *c;
    struct fetch_request q;
    if (!imap_take_space(&ahead) || imap_peek(&ahead) != '(')
        return true;
    size_t start = ahead.at;
    c->at = start;
    if (!imap_take_fetch_request(c, &s->arena, &q))
        return false;
    *out = str_slice(c->in, start, c->at - start);
    return true;
}

static bool take_event(struct imap_session *s, struct imap_cursor *c, struct notify_request *q,
                       struct str *attributes, unsigned *events)
{
    struct str name;
    if (!imap_take_atom(c, &name))
        return fail(c, "expected the name of an event");
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++) {
        if (!str_eq_nocase(name, EVENTS[i].name))
            continue;
        *events |= EVENTS[i].event;
        return EVENTS[i].event != NOTIFY_NEW || take_attributes(s, c, attributes);
    }
    q->has_unknown = true; /* also AnnotationChange: there are no annotations */
    return true;
}

/* events: "(" event *(SP event) ")" / "NONE" */
static bool take_events(struct imap_session *s, struct imap_cursor *c, struct notify_request *q,
                        struct str *attributes, unsigned *events)
{
    *events = 0;
    *attributes = STR("");
    if (imap_take_word(c, STR("NONE")))
        return true;
    if (!imap_take_byte(c, '('))
        return false;
    do {
        if (!take_event(s, c, q, attributes, events))
            return false;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    if (!imap_take_byte(c, ')'))
        return false;
    /* section 5 */
    bool has_new = *events & NOTIFY_NEW, has_expunge = *events & NOTIFY_EXPUNGE;
    if (has_new != has_expunge || (*events & NOTIFY_FLAGS && !has_new))
        return fail(c, "MessageNew and MessageExpunge come together, and FlagChange with both");
    return true;
}

/* event-group: "(" filter-mailboxes SP events ")" */
static bool take_group(struct imap_session *s, struct imap_cursor *c, bool *has_selected,
                       struct notify_request *out)
{
    struct notify_group group;
    struct str attributes;
    if (!imap_take_byte(c, '(') || !imap_take_mailbox_filter(s, c, &group.filter) || !imap_take_space(c) ||
        !take_events(s, c, out, &attributes, &group.events) || !imap_take_byte(c, ')'))
        return false;
    bool is_delayed = group.filter.kind == FILTER_SELECTED_DELAYED;
    if (group.filter.kind != FILTER_SELECTED && !is_delayed) {
        if (out->n == NOTIFY_GROUPS_MAX)
            return fail(c, "too many groups of events");
        out->v[out->n++] = group;
        return true;
    }
    /* section 6.1 */
    if (*has_selected)
        return fail(c, "SELECTED or SELECTED-DELAYED may be there once");
    if (group.events & ~(unsigned)NOTIFY_MESSAGES)
        return fail(c, "the selected mailbox has events of messages only");
    *has_selected = true;
    out->is_delayed = is_delayed;
    out->selected = group.events;
    out->new_attributes = attributes;
    return true;
}

bool imap_take_notify(struct imap_session *s, struct imap_cursor *c, struct notify_request *out)
{
    bool has_selected = false;
    *out = (struct notify_request){.new_attributes = STR("")};
    if (!imap_take_space(c))
        return false;
    out->is_none = imap_take_word(c, STR("NONE"));
    if (out->is_none)
        return imap_take_end(c);
    if (!imap_take_word(c, STR("SET")))
        return fail(c, "expected SET or NONE");
    if (!imap_take_space(c))
        return false;
    out->wants_status = imap_take_word(c, STR("STATUS"));
    if (out->wants_status && !imap_take_space(c))
        return false;
    out->v = ARENA_ARRAY(&s->arena, struct notify_group, NOTIFY_GROUPS_MAX);
    do {
        if (!take_group(s, c, &has_selected, out))
            return false;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_end(c);
}
