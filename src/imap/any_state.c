/* Commands that need no mailbox: CAPABILITY, NOOP (and CHECK), LOGOUT, ID, NAMESPACE. */
#include "base/log.h"
#include "config/config.h"
#include "imap/capability.h"
#include "imap/session.h"

/* RFC 2971 section 3.3: at most 30 fields, names of 30 and values of 1024 bytes. */
#define ID_FIELDS_MAX 30
#define ID_VALUE_MAX  1024

enum imap_status imap_do_capability(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    CLEAN_BUF struct buf capabilities;
    buf_init(&capabilities, IMAP_LINE_MAX);
    imap_add_capability_after_login(&capabilities, s->host->config);
    stream_writef(s->stream, "* CAPABILITY %.*s\r\n", STR_ARGS(buf_str(&capabilities)));
    return imap_ok(s, "That is what I can do");
}

/* What has happened is told behind it. CHECK has nothing more to do: every change is on disk already. */
enum imap_status imap_do_noop(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    return imap_ok(s, "Done");
}

enum imap_status imap_do_logout(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    imap_bye(s, "Logging out");
    return imap_ok(s, "Logged out");
}

static bool take_id_fields(struct imap_session *s, struct imap_cursor *c, struct str *client,
                           struct str *version)
{
    size_t fields = 0;
    if (!imap_take_byte(c, '('))
        return false;
    while (imap_peek(c) != ')') {
        struct str name, value;
        bool is_nil;
        if (fields > 0 && !imap_take_space(c))
            return false;
        if (!imap_take_string(c, &s->arena, &name) || !imap_take_space(c) ||
            !imap_take_nstring(c, &s->arena, &value, &is_nil))
            return false;
        if (++fields > ID_FIELDS_MAX || value.n > ID_VALUE_MAX) {
            c->problem = "ID takes at most 30 fields of 1024 bytes";
            return false;
        }
        if (str_eq_nocase(name, STR("name")))
            *client = value;
        else if (str_eq_nocase(name, STR("version")))
            *version = value;
    }
    return imap_take_byte(c, ')');
}

enum imap_status imap_do_id(struct imap_session *s, struct imap_cursor *c)
{
    struct str client = STR(""), version = STR("");
    if (!imap_take_space(c))
        return imap_bad_syntax(s, c);
    if (!imap_take_word(c, STR("NIL")) && !take_id_fields(s, c, &client, &version))
        return imap_bad_syntax(s, c);
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (client.n > 0)
        LOG_INFO("imap.client", F_STR("account", s->host->address), F_STR("name", client),
                 F_STR("version", version));
    stream_write(s->stream, STR("* ID (\"name\" \"golub\")\r\n"));
    return imap_ok(s, "Pleased to meet you");
}

/* RFC 2342: the user's own mailboxes, and other users' (imap/shared.h). */
enum imap_status imap_do_namespace(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    bool has_others = s->is_owner && s->host->link;
    stream_writef(s->stream, "* NAMESPACE ((\"\" \"/\")) %s NIL\r\n",
                  has_others ? "((\"Shared/\" \"/\"))" : "NIL");
    return imap_ok(s, "Done");
}
