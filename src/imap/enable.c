/* ENABLE (RFC 5161, RFC 9051 section 6.3.1). */
#include "imap/session.h"

static const struct {
    struct str name;
    unsigned enables; /* with what it implies */
} CAPABILITIES[] = {
    {STR_INIT("IMAP4rev2"), ENABLED_IMAP4REV2},
    {STR_INIT("UTF8=ACCEPT"), ENABLED_UTF8},
    {STR_INIT("CONDSTORE"), ENABLED_CONDSTORE},
    {STR_INIT("UIDONLY"), ENABLED_UIDONLY},
    {STR_INIT("QRESYNC"), ENABLED_QRESYNC | ENABLED_CONDSTORE}, /* RFC 7162 section 3.2.3 */
};
#define CAPABILITY_COUNT (sizeof CAPABILITIES / sizeof *CAPABILITIES)

enum store_result imap_enable(struct imap_session *s, unsigned what, struct err *e)
{
    bool starts_condstore = what & ~s->enabled & ENABLED_CONDSTORE;
    unsigned enabled = s->enabled | what;
    if (s->is_selected && enabled != s->enabled) {
        enum store_result r = imap_view_enable(&s->view, s->store, s->mailbox, enabled, e);
        if (r != STORE_OK)
            return r;
    }
    s->enabled = enabled;
    /* From here on the client counts modseqs: it learns where it stands (RFC 7162 section 3.1.8). */
    if (s->is_selected && starts_condstore)
        stream_writef(s->stream, "* OK [HIGHESTMODSEQ %llu] You know everything up to this\r\n",
                      (unsigned long long)imap_view_modseq(&s->view));
    return STORE_OK;
}

void imap_add_enabled(struct buf *out, unsigned enabled)
{
    for (size_t i = 0; i < CAPABILITY_COUNT; i++)
        if ((enabled & CAPABILITIES[i].enables) == CAPABILITIES[i].enables)
            buf_addf(out, " %.*s", STR_ARGS(CAPABILITIES[i].name));
}

/* What is not known, or needs no switching on, is passed over. The answer lists what was asked for and is on,
 * also when it was on before. */
enum imap_status imap_do_enable(struct imap_session *s, struct imap_cursor *c)
{
    bool asked[CAPABILITY_COUNT] = {false};
    unsigned what = 0;
    do {
        struct str capability;
        if (!imap_take_space(c) || !imap_take_atom(c, &capability))
            return imap_bad_syntax(s, c);
        for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
            if (!str_eq_nocase(capability, CAPABILITIES[i].name))
                continue;
            asked[i] = true;
            what |= CAPABILITIES[i].enables;
        }
    } while (imap_peek(c) >= 0);
    struct err e = ERR_INIT;
    enum store_result r = imap_enable(s, what, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    stream_write(s->stream, STR("* ENABLED"));
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if (!asked[i])
            continue;
        stream_write(s->stream, STR(" "));
        stream_write(s->stream, CAPABILITIES[i].name);
    }
    stream_write(s->stream, STR("\r\n"));
    return imap_ok(s, "Done");
}
