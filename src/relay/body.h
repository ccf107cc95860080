/* A message's bytes as DATA wants them (RFC 5321 section 4.5.2): a dot before each line that begins with one,
 * and CRLF at the end of every line. A bare CR or LF, which must not be sent (section 2.3.8) and which some
 * servers take for a line end, becomes CRLF: so no message of ours hides another. Pure. */
#ifndef RELAY_BODY_H
#define RELAY_BODY_H
#include "base/str.h"

struct body {
    struct str rest;
    enum { BODY_LINE_START, BODY_IN_LINE, BODY_OWES_CRLF } at;
};

struct body body_of(struct str message);

/* The next piece to send: as long as possible, a slice of the message or a few bytes of its own. False: the
 * end. The final "." is not part of it. */
bool body_next(struct body *b, struct str *piece);

/* Whether the bytes are lines as they stand: no bare CR or LF, and the last one ends. Then nothing would be
 * changed but for the dots. */
bool body_is_lines(struct str bytes);

#endif
