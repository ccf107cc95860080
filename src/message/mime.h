/* MIME structure (RFC 2045, 2046): one pass over a message gives the tree of its parts with the offsets of
 * each. */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H
#include "base/arena.h"

#define MIME_DEPTH_MAX 64   /* nested multiparts and message/rfc822; deeper ones are shown as leaves */
#define MIME_PARTS_MAX 5000 /* more are left inside the last part */

struct mime_param {
    struct str name, value; /* unquoted; RFC 2231 continuations joined and decoded to UTF-8 */
};

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QUOTED_PRINTABLE, MIME_BASE64, MIME_OTHER };

struct mime_part {
    /* offsets into the whole message */
    uint64_t header_at, header_size; /* with the empty line */
    uint64_t body_at, body_size;     /* without the CRLF that belongs to the boundary */
    uint32_t lines;                  /* line ends in the body */
    struct str type, subtype;        /* lower case; "text" "plain" when missing or broken */
    struct mime_param *params;
    size_t param_count;
    struct str disposition; /* lower case, "" for none */
    struct mime_param *disposition_params;
    size_t disposition_param_count;
    struct str id, description, md5, language, location, encoding_text; /* raw unfolded values; "" for none */
    struct str content_type, content_disposition; /* the fields' raw values, still folded; "" for none */
    enum mime_encoding encoding;
    bool is_multipart,
        is_message; /* message/rfc822 and message/global: one child, whose header is the inner message's */
    struct mime_part **children;
    size_t child_count;
    struct mime_part *parent;
};

/* Never fails: a message that is not MIME is one text/plain part. A multipart without parts, and a
 * message/rfc822 that is cut off, get one text/plain child without a header that holds what is there, so that
 * each has a child. A message/rfc822 with a transfer encoding (which RFC 2045 section 6.4 forbids) is read as
 * it stands. A container nested deeper than MIME_DEPTH_MAX is an application/octet-stream. Slices point into
 * `message` or `a`. */
struct mime_part *mime_parse(struct str message, struct arena *a);

/* A Content-Type value by itself. */
void mime_parse_content_type(struct str value, struct arena *a, struct mime_part *out);

/* The part "1.2" of RFC 9051 section 6.4.5.1; NULL: no such part. Of a message that is no multipart, 1 is its
 * body. */
struct mime_part *mime_find(struct mime_part *root, const uint32_t *numbers, size_t n);

struct str mime_param(const struct mime_param *params, size_t n, struct str name); /* "" for none */

#endif
