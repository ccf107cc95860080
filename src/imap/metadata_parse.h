/* The arguments of GETMETADATA and SETMETADATA (RFC 5464 section 5). Pure. */
#ifndef IMAP_METADATA_PARSE_H
#define IMAP_METADATA_PARSE_H
#include "imap/parse.h"
#include "mailbox/metadata.h"

#define METADATA_REQUEST_MAX 200 /* entries of one command */

enum metadata_depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

/* An entry's name in lower case. False: it is none (section 3.2): not below /shared or /private, "*", "%",
 * "//", "/" at its end, or bytes that are not printable ASCII. `may_be_root`: "/shared" and "/private"
 * themselves, to ask for what is below them. */
bool imap_take_metadata_name(struct imap_cursor *c, struct arena *a, bool may_be_root, struct str *name);

struct getmetadata_options {
    enum metadata_depth depth;
    uint64_t size_max; /* UINT64_MAX: not said */
};
/* "(" option *(SP option) ")" */
bool imap_take_getmetadata_options(struct imap_cursor *c, struct getmetadata_options *out);
/* Whether the cursor stands before options, not before a list of entries. */
bool imap_is_getmetadata_options(const struct imap_cursor *c);

/* One entry, or several in parentheses. */
bool imap_take_metadata_names(struct imap_cursor *c, struct arena *a, struct str **names, size_t *n);
/* "(" entry SP value *(SP entry SP value) ")"; a value is a string, a literal8 or NIL. */
bool imap_take_metadata_values(struct imap_cursor *c, struct arena *a, struct metadata_list *out);

/* A value as it is sent: quoted, as a literal, or with NUL in it as a literal8; `is_nil`: NIL. */
void imap_add_metadata_value(struct buf *out, struct str value, bool is_nil);

/* Whether `name` is `asked` or within `depth` below it. */
bool imap_metadata_is_within(struct str name, struct str asked, enum metadata_depth depth);

#endif
