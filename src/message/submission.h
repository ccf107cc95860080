/* What a submission server adds to and takes from a client's message (RFC 6409 section 8): a Date and a
 * Message-ID where they are missing, Bcc out; and addresses as the site writes them. */
#ifndef MESSAGE_SUBMISSION_H
#define MESSAGE_SUBMISSION_H
#include "base/buf.h"
#include "message/rewrite.h"

struct submission_fix {
    struct str hostname; /* for Message-ID */
    struct str unique;   /* for Message-ID: random text */
    int64_t now;
    int zone;
    struct str sender; /* who has sent it for the author, as it is written: becomes the Sender field, in the
                          place of any that there is (RFC 5322 section 3.6.2); "": it stays */
    const struct rewrite *rewrites; /* of addresses in it: message/rewrite.h */
    size_t rewrite_count;
};
/* Appends the header as it must be (with its empty line) to `out` and returns how many bytes of `message` it
 * replaces. Everything else stays byte for byte. */
size_t submission_fix_header(struct str message, const struct submission_fix *fix, struct buf *out);

/* Received lines in the header: RFC 5321 section 6.3. */
unsigned header_count_received(struct str message);

#endif
