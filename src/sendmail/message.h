/* The message that a program pipes into sendmail, made into one that can be sent: lines that end in CRLF, a
 * header that ends in an empty line, the recipients that the header names. Pure. */
#ifndef SENDMAIL_MESSAGE_H
#define SENDMAIL_MESSAGE_H
#include "message/address.h"

struct sendmail_message {
    struct str text;            /* header, empty line, body */
    bool has_from, has_8bit;    /* in the header; anywhere */
    struct address *recipients; /* of To, Cc and Bcc, or of the Resent- fields where there are any */
    size_t count;
};

/* Everything up to a line with a single dot, or all of `in`. A CR that is not of a line end becomes one, and
 * a NUL is left out: neither may be sent (RFC 5321 section 2.3.8), and both come from programs that mean no
 * harm. */
struct str sendmail_lines(struct str in, bool dot_is_text, struct arena *a);

/* `lines` as sendmail_lines made them. Where the header breaks off without an empty line, one is put; an mbox
 * line "From " in front is left out. `from` (a whole field, or "") is put in front if there is no From. */
void sendmail_message_read(struct str lines, struct str from, struct arena *a, struct sendmail_message *out);

#endif
