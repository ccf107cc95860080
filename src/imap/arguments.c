/* Arguments that mean something only in a session: messages of the selected mailbox, names of mailboxes. */
#include "imap/objectid.h"
#include "imap/saved.h"
#include "imap/session.h"
#include "imap/shared.h"
#include "message/decode.h"

bool imap_take_messages(struct imap_session *s, struct imap_cursor *c, struct imap_set *set)
{
    size_t start = c->at;
    if (imap_peek(c) == '$') {
        imap_saved_messages(s, s->by_uid, set);
        return imap_take_byte(c, '$');
    }
    if (!imap_take_set(c, &s->arena, set))
        return false;
    size_t messages = s->view.rows.n;
    imap_set_resolve(set, s->by_uid ? imap_view_last_uid(&s->view) : (uint32_t)messages);
    if (s->by_uid || (messages > 0 && set->v[set->n - 1].to <= messages))
        return true;
    c->at = start;
    c->problem = "there is no message with that number";
    return false;
}

bool imap_uses_utf8(const struct imap_session *s)
{
    return s->enabled & (ENABLED_IMAP4REV2 | ENABLED_UTF8);
}

bool imap_decode_mailbox(const struct imap_session *s, struct str sent, struct buf *utf8)
{
    if (!imap_uses_utf8(s))
        return decode_mutf7(sent, utf8);
    return decode_is_utf8(sent) && buf_add(utf8, sent);
}

bool imap_take_mailbox(struct imap_session *s, struct imap_cursor *c, struct str *name)
{
    size_t start = c->at;
    struct str sent;
    if (!imap_take_astring(c, &s->arena, &sent))
        return false;
    CLEAN_BUF struct buf utf8;
    buf_init(&utf8, IMAP_COMMAND_MAX);
    if (!imap_decode_mailbox(s, sent, &utf8)) {
        c->at = start;
        c->problem = imap_uses_utf8(s) ? "the mailbox name is not in UTF-8"
                                       : "the mailbox name is not in modified UTF-7 (& is written as &-)";
        return false;
    }
    *name = arena_copy(&s->arena, buf_str(&utf8));
    if (!imap_stored_name(s, name)) {
        c->at = start;
        c->problem = "the mailbox is not one of this owner's";
        return false;
    }
    const struct str inbox = STR("INBOX");
    bool is_inbox =
        str_starts_nocase(*name, inbox) && (name->n == inbox.n || name->p[inbox.n] == MAILBOX_DELIMITER);
    if (is_inbox)
        *name = arena_printf(&s->arena, "INBOX%.*s", STR_ARGS(str_from_offset(*name, inbox.n)));
    return true;
}

void imap_add_mailbox(struct imap_session *s, struct buf *out, struct str utf8_name)
{
    imap_add_shown(s, out, imap_shown_name(s, utf8_name));
}

void imap_add_shown(const struct imap_session *s, struct buf *out, struct str utf8_name)
{
    if (imap_uses_utf8(s)) {
        imap_add_astring_utf8(out, utf8_name);
        return;
    }
    CLEAN_BUF struct buf sent;
    buf_init(&sent, BUF_MAX_DEFAULT);
    encode_mutf7(utf8_name, &sent);
    imap_add_astring(out, buf_str(&sent));
}

struct str imap_mailbox_id_code(struct imap_session *s, int64_t mailbox)
{
    CLEAN_BUF struct buf code;
    buf_init(&code, IMAP_LINE_MAX);
    buf_add(&code, STR("MAILBOXID ("));
    imap_add_objectid(&code, IMAP_OBJECT_MAILBOX, mailbox);
    buf_add_byte(&code, ')');
    return arena_copy(&s->arena, buf_str(&code));
}

void imap_tell_name(struct imap_session *s, struct str name, struct str asked)
{
    if (str_ends(asked, STR("/"))) /* of no meaning: RFC 9051 section 6.3.4 */
        asked.n--;
    CLEAN_BUF struct buf line;
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_addf(&line, "* LIST () \"%c\" ", MAILBOX_DELIMITER);
    imap_add_mailbox(s, &line, name);
    if (!str_eq(name, asked)) {
        buf_add(&line, STR(" (\"OLDNAME\" ("));
        imap_add_mailbox(s, &line, asked);
        buf_add(&line, STR("))"));
    }
    buf_add(&line, STR("\r\n"));
    stream_write(s->stream, buf_str(&line));
}
