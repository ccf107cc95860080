/* ENABLE (RFC 5161, RFC 9051 section 6.3.1). */
#include "imap/session.h"

static const struct {
    struct str name;
    unsigned enables; /* with what it implies */
} CAPABILITIES[] = {
    {STR_INIT("IMAP4rev2"), ENABLED_IMAP4REV2},
};
#define CAPABILITY_COUNT (sizeof CAPABILITIES / sizeof *CAPABILITIES)

/* What is not known, or needs no switching on, is passed over. The answer lists what was asked for and is on,
 * also when it was on before. */
enum imap_status imap_do_enable(struct imap_session *s, struct imap_cursor *c)
{
    bool asked[CAPABILITY_COUNT] = {false};
    do {
        struct str capability;
        if (!imap_take_space(c) || !imap_take_atom(c, &capability))
            return imap_bad_syntax(s, c);
        for (size_t i = 0; i < CAPABILITY_COUNT; i++)
            asked[i] |= str_eq_nocase(capability, CAPABILITIES[i].name);
    } while (imap_peek(c) >= 0);
    stream_write(s->stream, STR("* ENABLED"));
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if (!asked[i])
            continue;
        s->enabled |= CAPABILITIES[i].enables;
        stream_write(s->stream, STR(" "));
        stream_write(s->stream, CAPABILITIES[i].name);
    }
    stream_write(s->stream, STR("\r\n"));
    return imap_ok(s, "Done");
}
