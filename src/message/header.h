/* Header fields of RFC 5322 section 2.2, read from raw bytes. Lines end in CRLF or a bare LF (stored mail has
 * both). Pure: slices point into the input. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H
#include "base/arena.h"

/* Of a value, what ENVELOPE, BODYSTRUCTURE and part tables make use of: 10,000 recipients fit; a field of
 * megabytes is not stored a second time in them. */
#define HEADER_VALUE_MAX ((size_t)1024 * 1024)

struct header_field {
    struct str name;  /* without the colon and white space before it */
    struct str value; /* raw: still folded, without the final line end; leading white space kept */
    struct str whole; /* name, colon, value and line end(s): the field's bytes as they stand */
};

/* Takes the next field off the front of *rest. False at the end of the header: *rest is then the body (the
 * empty line has been stepped over) or empty. Lines that are no field (no colon) come as a field with an
 * empty name. */
bool header_next(struct str *rest, struct header_field *f);

/* The first field of that name (case-insensitive) in `message` or header block; false: none. */
bool header_find(struct str message, struct str name, struct header_field *f);

/* Bytes of the header with the empty line that ends it (all of `message` when there is none). */
size_t header_size(struct str message);

/* Unfolded (RFC 5322 section 2.2.3), outer white space trimmed. */
struct str header_unfold(struct str value, struct arena *a);

#endif
