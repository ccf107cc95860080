/* XCLIENT, as Postfix's XCLIENT_README describes it: a filter or proxy in front of us, from a network of
 * [smtp] xclient, says on whose behalf it speaks. The parser is pure. */
#ifndef SMTP_XCLIENT_H
#define SMTP_XCLIENT_H
#include "base/arena.h"
#include "base/buf.h"

enum xclient_attribute {
    XCLIENT_NAME, /* the client's name in DNS */
    XCLIENT_REVERSE_NAME,
    XCLIENT_ADDR, /* numeric */
    XCLIENT_PORT,
    XCLIENT_PROTO, /* SMTP or ESMTP */
    XCLIENT_HELO,
    XCLIENT_LOGIN,
    XCLIENT_DESTADDR, /* where the client connected to */
    XCLIENT_DESTPORT,
    XCLIENT_ATTRIBUTES
};

enum xclient_state {
    XCLIENT_UNSAID,
    XCLIENT_SAID,
    XCLIENT_UNAVAILABLE, /* [UNAVAILABLE]: there is none */
    XCLIENT_TEMPUNAVAIL, /* [TEMPUNAVAIL]: it could not be found out now */
};

struct xclient {
    struct {
        enum xclient_state state;
        struct str value; /* decoded, of the right form; addresses without "IPV6:" */
    } v[XCLIENT_ATTRIBUTES];
};

/* `argument` is all that follows the verb: attribute "=" xtext, with spaces between. False: *why says what is
 * wrong; an attribute twice is. Values live in `a`. */
bool xclient_parse(struct str argument, struct arena *a, struct xclient *out, const char **why);

/* The names as EHLO lists them: " NAME ADDR ...". */
void xclient_add_names(struct buf *out);

#endif
