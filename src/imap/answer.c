/* The words of tagged answers. */
#include "imap/session.h"

#include "base/log.h"

__attribute__((format(printf, 2, 0))) static struct str words(struct imap_session *s, const char *format,
                                                              va_list args)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, IMAP_COMMAND_MAX + IMAP_LINE_MAX); /* COPYUID of a command's worth of numbers fits */
    buf_addv(&text, format, args);
    return arena_copy(&s->arena, buf_str(&text));
}

enum imap_status imap_ok(struct imap_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->answer = words(s, format, args);
    va_end(args);
    return IMAP_OK;
}

enum imap_status imap_no(struct imap_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->answer = words(s, format, args);
    va_end(args);
    return IMAP_NO;
}

enum imap_status imap_bad(struct imap_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->answer = words(s, format, args);
    va_end(args);
    return IMAP_BAD;
}

enum imap_status imap_bad_syntax(struct imap_session *s, const struct imap_cursor *at)
{
    return imap_bad(s, "%s (at byte %zu of the command)", at->problem ? at->problem : "syntax error",
                    at->at + 1);
}

/* resp-text is ASCII of one line; an error may name a mailbox. */
static struct str printable(struct arena *a, const char *text)
{
    struct str in = str_from_c(text);
    char *p = arena_new(a, in.n + 1, 1);
    for (size_t i = 0; i < in.n; i++)
        p[i] = in.p[i] >= ' ' && in.p[i] < 0x7f ? in.p[i] : '?';
    return str_from(p, in.n);
}

enum imap_status imap_no_store(struct imap_session *s, enum store_result r, const struct err *e)
{
    struct str text = printable(&s->arena, e->text);
    switch (r) {
    case STORE_NONE: return imap_no(s, "[NONEXISTENT] There is no such mailbox");
    case STORE_EXISTS: return imap_no(s, "[ALREADYEXISTS] There is a mailbox of that name already");
    case STORE_INVALID: return imap_no(s, "[CANNOT] %.*s", STR_ARGS(text));
    case STORE_LIMIT: return imap_no(s, "[LIMIT] %.*s", STR_ARGS(text));
    case STORE_OVERQUOTA: return imap_no(s, "[OVERQUOTA] %.*s", STR_ARGS(text)); /* RFC 9208 section 4.3.1 */
    case STORE_FORBIDDEN: return imap_no(s, "[NOPERM] You do not have the rights for that on this mailbox");
    case STORE_OK:
    case STORE_FAILED: break;
    }
    LOG_ERROR("imap.store_failed", F_STR("account", s->host->address), F_C("error", e->text));
    if (e->kind == ERR_TEMPORARY)
        return imap_no(s, "[UNAVAILABLE] The mailbox cannot be used just now, try again later");
    return imap_no(s, "[SERVERBUG] The mailbox could not be read or written; the server's log says more");
}

void imap_bye(struct imap_session *s, const char *text)
{
    if (!s->is_ending)
        stream_writef(s->stream, "* BYE %s\r\n", text);
    s->is_ending = true;
}
