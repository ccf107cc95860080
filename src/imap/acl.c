/* SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 section 3). */
#include "directory/address.h"
#include "imap/rights.h"

/* What MYRIGHTS needs any of (section 4). */
#define RIGHTS_TO_ASK \
    (RIGHTS_OWNER | (unsigned)(RIGHT_READ | RIGHT_INSERT | RIGHT_CREATE | RIGHT_DELETE_MAILBOX))

struct acl_request {
    struct str mailbox;
    struct str as_sent;    /* the identifier */
    struct str identifier; /* in its canonical form */
    enum rights_change how;
    unsigned rights;
};

/* An account's address or "anyone", with "-" in front or without. What is neither is BAD (section 3). */
static bool take_identifier(struct imap_session *s, struct imap_cursor *c, struct acl_request *out)
{
    size_t start = c->at;
    if (!imap_take_astring(c, &s->arena, &out->as_sent))
        return false;
    bool is_negative = str_starts(out->as_sent, STR("-"));
    struct str who = str_from_offset(out->as_sent, is_negative);
    struct directory_address address;
    if (str_eq_nocase(who, RIGHTS_ANYONE)) {
        who = RIGHTS_ANYONE;
    } else if (directory_address_read(who, &s->arena, &address, NULL)) {
        who = address.key;
    } else {
        c->at = start;
        c->problem = "an identifier is the address of an account, or anyone";
        return false;
    }
    out->identifier = arena_printf(&s->arena, "%s%.*s", is_negative ? "-" : "", STR_ARGS(who));
    return true;
}

static bool take_mailbox(struct imap_session *s, struct imap_cursor *c, struct acl_request *out)
{
    return imap_take_space(c) && imap_take_mailbox(s, c, &out->mailbox);
}

/* mod-rights */
static bool take_rights(struct imap_session *s, struct imap_cursor *c, struct acl_request *out)
{
    size_t start = c->at;
    struct str text;
    if (!imap_take_astring(c, &s->arena, &text))
        return false;
    if (imap_read_rights(text, &out->how, &out->rights))
        return true;
    c->at = start;
    c->problem = "rights are of lrswipkxteacd, with + or - in front or without";
    return false;
}

static bool is_owner(const struct imap_session *s, struct str identifier)
{
    return str_eq(identifier, s->host->address);
}

enum imap_status imap_do_setacl(struct imap_session *s, struct imap_cursor *c)
{
    struct acl_request q;
    struct mailbox m;
    struct err e = ERR_INIT;
    if (!take_mailbox(s, c, &q) || !imap_take_space(c) || !take_identifier(s, c, &q) || !imap_take_space(c) ||
        !take_rights(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = imap_find(s, q.mailbox, RIGHT_ADMINISTER, &m, NULL, &e);
    if (r == STORE_OK)
        r = store_rights_set(s->store, m.id, q.identifier, q.how, q.rights,
                             is_owner(s, q.identifier) ? RIGHTS_ALL : 0, &e);
    return r == STORE_OK ? imap_ok(s, "Rights set") : imap_no_store(s, r, &e);
}

enum imap_status imap_do_deleteacl(struct imap_session *s, struct imap_cursor *c)
{
    struct acl_request q;
    struct mailbox m;
    struct err e = ERR_INIT;
    if (!take_mailbox(s, c, &q) || !imap_take_space(c) || !take_identifier(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = imap_find(s, q.mailbox, RIGHT_ADMINISTER, &m, NULL, &e);
    if (r == STORE_OK)
        r = store_rights_delete(s->store, m.id, q.identifier, &e);
    return r == STORE_OK ? imap_ok(s, "Rights deleted") : imap_no_store(s, r, &e);
}

/* --- GETACL --- */

static void add_pair(struct buf *out, struct str identifier, unsigned rights)
{
    buf_add_byte(out, ' ');
    imap_add_astring(out, identifier);
    buf_add_byte(out, ' ');
    imap_add_rights(out, rights);
}

/* The owner comes first, whether or not an entry says what the owner has. */
static void tell_acl(struct imap_session *s, struct str mailbox, const struct rights_list *list)
{
    unsigned owner = RIGHTS_ALL;
    for (size_t i = 0; i < list->n; i++)
        if (is_owner(s, list->v[i].identifier))
            owner = list->v[i].rights | RIGHTS_OWNER;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* ACL "));
    imap_add_mailbox(s, &out, mailbox);
    add_pair(&out, s->host->address, owner);
    for (size_t i = 0; i < list->n; i++)
        if (!is_owner(s, list->v[i].identifier))
            add_pair(&out, list->v[i].identifier, list->v[i].rights);
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
}

enum imap_status imap_do_getacl(struct imap_session *s, struct imap_cursor *c)
{
    struct acl_request q;
    struct mailbox m;
    struct rights_list list;
    struct err e = ERR_INIT;
    if (!take_mailbox(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = imap_find(s, q.mailbox, RIGHT_ADMINISTER, &m, NULL, &e);
    if (r == STORE_OK)
        r = store_rights_list(s->store, m.id, &s->arena, &list, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    tell_acl(s, m.name, &list);
    return imap_ok(s, "Rights told");
}

/* --- LISTRIGHTS, MYRIGHTS --- */

/* No rights are tied together, so the virtual ones stand by themselves (section 2.1.1). */
enum imap_status imap_do_listrights(struct imap_session *s, struct imap_cursor *c)
{
    struct acl_request q;
    struct mailbox m;
    struct err e = ERR_INIT;
    if (!take_mailbox(s, c, &q) || !imap_take_space(c) || !take_identifier(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = imap_find(s, q.mailbox, RIGHT_ADMINISTER, &m, NULL, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* LISTRIGHTS "));
    imap_add_mailbox(s, &out, m.name);
    buf_add_byte(&out, ' ');
    imap_add_astring(&out, q.as_sent);
    buf_add_c(&out,
              is_owner(s, q.identifier) ? " la r s w i p k x t e c d" : " \"\" l r s w i p k x t e a c d");
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
    return imap_ok(s, "Rights listed");
}

void imap_tell_myrights(struct imap_session *s, struct str name, unsigned rights)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add(&out, STR("* MYRIGHTS "));
    imap_add_mailbox(s, &out, name);
    buf_add_byte(&out, ' ');
    imap_add_rights(&out, rights);
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
}

enum imap_status imap_do_myrights(struct imap_session *s, struct imap_cursor *c)
{
    struct acl_request q;
    struct mailbox m;
    unsigned rights;
    struct err e = ERR_INIT;
    if (!take_mailbox(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum store_result r = imap_find(s, q.mailbox, 0, &m, &rights, &e);
    if (r == STORE_OK && !(rights & RIGHTS_TO_ASK))
        r = STORE_NONE;
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    imap_tell_myrights(s, m.name, rights);
    return imap_ok(s, "Rights told");
}
