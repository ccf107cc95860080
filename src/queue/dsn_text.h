/* What reports say to people, in each language: one table of texts. Pure. */
#ifndef QUEUE_DSN_TEXT_H
#define QUEUE_DSN_TEXT_H
#include "base/buf.h"
#include "config/config.h"

enum dsn_phrase {
    DSN_SUBJECT_FAILED,
    DSN_SUBJECT_DELAYED,
    DSN_SUBJECT_RELAYED,
    DSN_SUBJECT_DELIVERED,
    DSN_SUBJECT_EXPANDED,
    DSN_FROM,    /* the name beside postmaster's address */
    DSN_OPENING, /* before the server's name */
    DSN_SAYS_FAILED,
    DSN_SAYS_DELAYED, /* before the moment until when it is tried */
    DSN_SAYS_DELAYED_END,
    DSN_SAYS_RELAYED,
    DSN_SAYS_DELIVERED,
    DSN_SAYS_EXPANDED,
    DSN_SAYS_LATE,    /* its deadline has passed, and it goes on */
    DSN_SAYS_EXPIRED, /* its deadline has passed, and it goes no further */
    DSN_SAID,         /* behind a server's name */
    DSN_ATTACHED_HEADER,
    DSN_ATTACHED_MESSAGE,
    DSN_ATTACHED_CUT, /* the header, because the message is large */
    DSN_PHRASES
};

/* Lines end in CRLF. */
const char *dsn_phrase(enum config_language language, enum dsn_phrase phrase);
/* What to make of a status code, on one or more lines of which each but the first is indented; NULL: nothing.
 */
const char *dsn_advice(enum config_language language, const char *status);

/* The language that the message's sender reads: Accept-Language of its header, else Content-Language (RFC
 * 3282), the first that we speak; else `usual`. */
enum config_language dsn_language_of(struct str header, enum config_language usual);

/* As a field's value: in encoded words of RFC 2047 if it takes them. */
void dsn_add_words(struct buf *out, const char *text);

#endif
