/* What follows DATA: where it ends, and what it means without the dots that the client added (RFC 5321
 * section 4.5.2). Only CRLF "." CRLF ends it. A CR or LF that is not part of a CRLF would be a line end to
 * some other server, which may then see the end of the message, and a further message, where we see text
 * ("SMTP smuggling"): so is a NUL to programs that take it for the end of a string. Such a message must be
 * refused. Pure; works on whole blocks. */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H
#include "base/str.h"

enum data_fault { DATA_CLEAN, DATA_BARE_CR, DATA_BARE_LF, DATA_NUL };

struct data_scanner {
    enum data_state {
        DATA_LINE_START, /* after a CRLF, and at the beginning: the end of the DATA line was one */
        DATA_TEXT,
        DATA_CR,     /* after a CR inside a line */
        DATA_DOT,    /* after a dot at the start of a line, which is not content */
        DATA_DOT_CR, /* after such a dot and a CR: LF ends the message */
        DATA_END,
    } state;
    enum data_fault fault; /* the first one found; what comes out after it has no meaning */
};

#define DATA_SCANNER_INIT           \
    {                               \
        DATA_LINE_START, DATA_CLEAN \
    }

/* Takes bytes from the front of `in` and returns how many; *content is what they mean, a slice of `in`
 * (perhaps empty). Call it again with the rest until `in` is empty or state is DATA_END; nothing is taken
 * after that. */
size_t data_scan(struct data_scanner *s, struct str in, struct str *content);

/* The same look at line ends for what BDAT brings, which ends by its length and has no dots added (RFC 3030):
 * all of `in` is content. After the last piece data_check_end: a CR as the last byte has no LF. */
void data_check(struct data_scanner *s, struct str in);
void data_check_end(struct data_scanner *s);

#endif
