#include "imap/shared.h"

#include "base/log.h"
#include "imap/guest.h"
#include "imap/rights.h"
#include "imap/shared_copy.h"

#include <string.h>

/* --- names --- */

struct str imap_shown_name(struct imap_session *s, struct str name)
{
    if (!s->is_from_afar)
        return name;
    return arena_printf(&s->arena, "%.*s/%.*s/%.*s", STR_ARGS(SHARED_NAMESPACE), STR_ARGS(s->host->address),
                        STR_ARGS(name));
}

/* "Shared/OWNER/name": *owner and *name, both empty for "Shared" itself, *name for "Shared/OWNER". False: not
 * in the namespace. */
static bool split(struct str whole, struct str *owner, struct str *name)
{
    const struct str top = SHARED_NAMESPACE;
    *owner = *name = STR("");
    if (!str_starts(whole, top) || (whole.n > top.n && whole.p[top.n] != MAILBOX_DELIMITER))
        return false;
    if (whole.n == top.n)
        return true;
    *name = str_from_offset(whole, top.n + 1);
    size_t end = str_find_byte(*name, MAILBOX_DELIMITER);
    *owner = str_slice(*name, 0, end == STR_NONE ? name->n : end);
    *name = end == STR_NONE ? STR("") : str_from_offset(*name, end + 1);
    return true;
}

bool imap_stored_name(const struct imap_session *s, struct str *name)
{
    struct str owner, stored;
    if (!s->is_from_afar)
        return true;
    if (!split(*name, &owner, &stored) || !str_eq(owner, s->host->address))
        return false;
    *name = stored;
    return true;
}

bool imap_is_shared_name(const struct imap_session *s, struct str name)
{
    struct str owner, stored;
    return s->is_owner && s->host->link && split(name, &owner, &stored);
}

/* --- which commands name a mailbox --- */

enum place {
    FIRST,       /* the first argument, perhaps behind options in parentheses */
    DESTINATION, /* behind a set of messages */
};

static const struct named {
    struct str command;
    enum place place;
    bool selects;
} NAMED[] = {
    {STR_INIT("SELECT"), FIRST, true},        {STR_INIT("EXAMINE"), FIRST, true},
    {STR_INIT("CREATE"), FIRST, false},       {STR_INIT("DELETE"), FIRST, false},
    {STR_INIT("RENAME"), FIRST, false},       {STR_INIT("STATUS"), FIRST, false},
    {STR_INIT("APPEND"), FIRST, false},       {STR_INIT("GETACL"), FIRST, false},
    {STR_INIT("SETACL"), FIRST, false},       {STR_INIT("DELETEACL"), FIRST, false},
    {STR_INIT("LISTRIGHTS"), FIRST, false},   {STR_INIT("MYRIGHTS"), FIRST, false},
    {STR_INIT("GETMETADATA"), FIRST, false},  {STR_INIT("SETMETADATA"), FIRST, false},
    {STR_INIT("GETQUOTAROOT"), FIRST, false}, {STR_INIT("COPY"), DESTINATION, false},
    {STR_INIT("MOVE"), DESTINATION, false},   {STR_INIT("REPLACE"), DESTINATION, false},
};

static const struct named *find_named(struct str command)
{
    for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++)
        if (str_eq_nocase(NAMED[i].command, command))
            return &NAMED[i];
    return NULL;
}

/* Commands that are about the selected mailbox though they can be given without one. */
static bool also_works_on_selected(struct str command)
{
    return str_eq_nocase(command, STR("NOOP")) || str_eq_nocase(command, STR("IDLE")) ||
           str_eq_nocase(command, STR("ESEARCH"));
}

static bool take_options(struct imap_cursor *c)
{
    size_t end = str_find_byte(str_from_offset(c->in, c->at), ')');
    if (end == STR_NONE)
        return false;
    c->at += end + 1;
    return imap_take_space(c);
}

static bool take_name(struct imap_session *s, const struct imap_command *command, enum place place,
                      struct str *name)
{
    struct imap_cursor c = command->args;
    struct imap_set set;
    if (!imap_take_space(&c))
        return false;
    if (place == DESTINATION &&
        !((imap_take_byte(&c, '$') || imap_take_set(&c, &s->arena, &set)) && imap_take_space(&c)))
        return false;
    if (imap_peek(&c) == '(' && !take_options(&c))
        return false;
    return imap_take_mailbox(s, &c, name);
}

/* --- serving --- */

/* A guest that is gone: what was selected there is gone with it. */
static enum imap_status lose(struct imap_session *s, struct imap_guest *g)
{
    bool was_selected = s->at_guest == g;
    LOG_WARNING("imap.guest_lost", F_STR("account", s->host->address), F_STR("owner", g->owner));
    imap_guest_close(s, g);
    imap_bye(s, was_selected ? "The shared mailbox is gone; connect again"
                             : "A shared mailbox broke off; connect again");
    return IMAP_LOST;
}

static enum imap_status pass_on(struct imap_session *s, struct imap_guest *g, bool *was_ok)
{
    enum imap_status status = imap_guest_relay(s, g, was_ok);
    return status == IMAP_LOST ? lose(s, g) : status;
}

/* Another mailbox is going to be selected. */
static void leave_guest(struct imap_session *s)
{
    struct str answer;
    struct imap_guest *g = s->at_guest;
    if (!g)
        return;
    s->at_guest = NULL;
    stream_write(s->stream, STR("* OK [CLOSED] The mailbox before is closed\r\n"));
    if (!imap_guest_say(s, g, imap_guest_skip, NULL, &answer, "UNSELECT"))
        imap_guest_close(s, g);
}

static void leave_own(struct imap_session *s)
{
    if (s->is_selected)
        stream_write(s->stream, STR("* OK [CLOSED] The mailbox before is closed\r\n"));
    imap_deselect(s);
}

static enum imap_status cannot_open(struct imap_session *s, const struct err *e)
{
    return imap_no(s, "[%s] %s", e->kind == ERR_PERMANENT ? "NONEXISTENT" : "UNAVAILABLE", e->text);
}

static enum imap_status serve_named(struct imap_session *s, const struct named *named, struct str owner,
                                    struct str name)
{
    struct err e = ERR_INIT;
    bool was_ok;
    if (named->selects)
        leave_own(s); /* also when it fails: RFC 9051 section 6.3.2 */
    if (name.n == 0) {
        leave_guest(s);
        return imap_no(s, "[NONEXISTENT] Shared/OWNER/NAME is a mailbox, what is above it is not");
    }
    struct imap_guest *g = imap_guest_open(s, owner, &e);
    if (named->selects && s->at_guest != g)
        leave_guest(s);
    if (!g)
        return cannot_open(s, &e);
    enum imap_status status = pass_on(s, g, &was_ok);
    if (named->selects && status == IMAP_RELAYED)
        s->at_guest = was_ok ? g : NULL;
    return status;
}

/* COPY, MOVE and REPLACE between two people's mailboxes. Within one account's they are that account's own
 * business. */
static bool serve_destination(struct imap_session *s, const struct imap_command *command, bool is_shared,
                              struct str owner, struct str whole, enum imap_status *status)
{
    struct err e = ERR_INIT;
    bool was_ok;
    if (s->at_guest && is_shared && str_eq(s->at_guest->owner, owner)) {
        *status = pass_on(s, s->at_guest, &was_ok);
        return true;
    }
    if (!s->at_guest && !is_shared)
        return false;
    if (str_eq_nocase(command->name, STR("REPLACE"))) {
        *status = imap_no(s, "[CANNOT] A message is replaced within the mailboxes of one account only");
        return true;
    }
    struct imap_guest *to = is_shared ? imap_guest_open(s, owner, &e) : NULL;
    if (is_shared && !to) {
        *status = imap_no(s, "[TRYCREATE] %s", e.text);
        return true;
    }
    *status = imap_shared_copy(s, command, to, whole, str_eq_nocase(command->name, STR("MOVE")));
    return true;
}

bool imap_shared_serve(struct imap_session *s, const struct imap_command *command, bool works_on_selected,
                       enum imap_status *status)
{
    struct str whole = STR(""), owner = STR(""), name = STR("");
    bool was_ok;
    if (!s->is_owner || !s->host->link)
        return false;
    const struct named *named = find_named(command->name);
    bool has_name = named && take_name(s, command, named->place, &whole);
    bool is_shared = has_name && split(whole, &owner, &name);
    if (has_name && named->place == DESTINATION && (s->is_selected || s->at_guest))
        return serve_destination(s, command, is_shared, owner, whole, status);
    if (is_shared && named->place == FIRST) {
        *status = serve_named(s, named, owner, name);
        return true;
    }
    if (named && named->selects)
        leave_guest(s);
    if (str_eq_nocase(command->name, STR("UNAUTHENTICATE")))
        imap_shared_close(s);
    if (!s->at_guest || !(works_on_selected || also_works_on_selected(command->name)))
        return false;
    *status = pass_on(s, s->at_guest, &was_ok);
    if (was_ok &&
        (str_eq_nocase(command->name, STR("CLOSE")) || str_eq_nocase(command->name, STR("UNSELECT"))))
        s->at_guest = NULL;
    return true;
}

/* --- what is done in all accounts --- */

struct listing {
    bool top_is_told; /* "Shared" itself, which each guest tells of */
};

static bool take_listed(void *context, struct imap_session *s, struct imap_guest *g, struct str line)
{
    struct listing *l = context;
    bool is_top = (str_starts(line, STR("* LIST (")) || str_starts(line, STR("* LSUB ("))) &&
                  str_ends(line, STR(") \"/\" Shared"));
    if (is_top && l->top_is_told)
        return true;
    l->top_is_told |= is_top;
    return imap_guest_pass(NULL, s, g, line);
}

/* Whether a LIST can show anything of the namespace; it may say so of some that cannot. */
static bool may_reach_shared(struct str arguments)
{
    return str_find_byte(arguments, '%') != STR_NONE || str_find_byte(arguments, '*') != STR_NONE ||
           str_find(arguments, SHARED_NAMESPACE) != STR_NONE;
}

static void list_shared(struct imap_session *s, const struct imap_command *command)
{
    struct err e = ERR_INIT;
    struct str *owners, answer, all = command->args.in;
    struct str arguments = str_from_offset(all, command->args.at);
    size_t n = 0;
    struct listing l = {0};
    if (!may_reach_shared(arguments))
        return;
    if (!s->host->link->list_shared(s->host->link, &s->arena, &owners, &n, &e))
        LOG_WARNING("imap.shared_list", F_STR("account", s->host->address), F_C("error", e.text));
    for (size_t i = 0; i < n; i++) {
        struct imap_guest *g = imap_guest_open(s, owners[i], &e);
        if (!g) /* they are not there just now */
            continue;
        imap_guest_begin(g);
        imap_guest_send(g, command->name);
        imap_guest_send(g, arguments);
        if (!imap_guest_do(s, g, take_listed, &l, &answer))
            imap_guest_close(s, g);
    }
}

/* To those that are open; the others are told when they are opened. */
static void tell_guests(struct imap_session *s, struct str text, struct str only_owner)
{
    struct str answer;
    for (struct imap_guest *g = s->guests, *next; g; g = next) {
        next = g->next;
        if ((only_owner.n == 0 || str_eq(g->owner, only_owner)) && g != s->at_guest &&
            !imap_guest_say(s, g, imap_guest_skip, NULL, &answer, "%.*s", STR_ARGS(text)))
            imap_guest_close(s, g);
        else if (g == s->at_guest &&
                 !imap_guest_say(s, g, imap_guest_pass, NULL, &answer, "%.*s", STR_ARGS(text)))
            lose(s, g);
    }
}

void imap_shared_follow(struct imap_session *s, const struct imap_command *command)
{
    struct str owner, name, whole;
    if (!s->is_owner || !s->host->link)
        return;
    if (str_eq_nocase(command->name, STR("LIST")) || str_eq_nocase(command->name, STR("LSUB"))) {
        list_shared(s, command);
    } else if (str_eq_nocase(command->name, STR("ENABLE"))) {
        CLEAN_BUF struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        buf_add(&text, STR("ENABLE"));
        imap_add_enabled(&text, s->enabled);
        if (s->enabled)
            tell_guests(s, buf_str(&text), STR(""));
    } else if ((str_eq_nocase(command->name, STR("SUBSCRIBE")) ||
                str_eq_nocase(command->name, STR("UNSUBSCRIBE"))) &&
               take_name(s, command, FIRST, &whole) && split(whole, &owner, &name) && owner.n > 0) {
        CLEAN_BUF struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        buf_addf(&text, "%.*s ", STR_ARGS(command->name));
        imap_add_mailbox(s, &text, whole);
        tell_guests(s, buf_str(&text), owner);
    }
}

void imap_shared_close(struct imap_session *s)
{
    while (s->guests)
        imap_guest_close(s, s->guests);
}

/* --- sharing --- */

void imap_shared_tell_directory(struct imap_session *s)
{
    struct err e = ERR_INIT;
    struct rights_list list;
    uint64_t version = store_rights_version(s->store);
    if (!s->host->link || version == s->shared_version)
        return;
    if (store_rights_list(s->store, 0, &s->arena, &list, &e) != STORE_OK)
        return; /* tried again behind the next command */
    struct str *guests = ARENA_ARRAY(&s->arena, struct str, list.n);
    size_t n = 0;
    for (size_t i = 0; i < list.n; i++) {
        const struct rights_entry *entry = &list.v[i];
        bool is_known = entry->rights == 0 || entry->identifier.p[0] == '-' ||
                        str_eq(entry->identifier, s->host->address);
        for (size_t j = 0; j < n && !is_known; j++)
            is_known = str_eq(guests[j], entry->identifier);
        if (!is_known)
            guests[n++] = entry->identifier;
    }
    if (s->host->link->share(s->host->link, guests, n, &e))
        s->shared_version = version;
    else
        LOG_ERROR("imap.share", F_STR("account", s->host->address), F_C("error", e.text));
}
