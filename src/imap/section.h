/* Where a section's bytes lie in a message, for FETCH and for the URLs of CATENATE: BODY[1.2.MIME]<0.100>
 * (RFC 3501 section 6.4.5). Pure. */
#ifndef IMAP_SECTION_H
#define IMAP_SECTION_H
#include "imap/fetch_parse.h"
#include "message/mime.h"

struct section_extent {
    bool exists; /* false: NIL */
    uint64_t at, size;
    const struct mime_part *part; /* of a path without a text: the part itself; else NULL */
};

/* `root` may be NULL when section_needs_parts says so. HEADER and TEXT behind a number are those of a
 * message/rfc822 part. */
bool section_needs_parts(const struct fetch_section *s);
struct section_extent section_locate(const struct fetch_section *s, struct mime_part *root, uint64_t size);

/* HEADER.FIELDS and HEADER.FIELDS.NOT: what they take of `header`, and the empty line behind it. */
bool section_has_fields(const struct fetch_section *s);
void section_choose_fields(const struct fetch_section *s, struct str header, struct buf *chosen);

/* What a partial takes of `size` bytes. */
void section_clamp(const struct fetch_section *s, uint64_t size, uint64_t *skip, uint64_t *n);

#endif
