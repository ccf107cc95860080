/* Patterns of LIST and LSUB (RFC 3501 section 6.3.8): "*" matches anything, "%" anything but the hierarchy
 * delimiter. Pure; both sides in UTF-8. */
#ifndef IMAP_PATTERN_H
#define IMAP_PATTERN_H
#include "base/arena.h"

struct imap_pattern {
    struct str text;
    bool *now, *next; /* which places of the pattern a prefix of the name can have reached */
};
/* False: longer than any name that it could match. */
bool imap_pattern_make(struct imap_pattern *p, struct str text, struct arena *a);
bool imap_pattern_matches(struct imap_pattern *p, struct str name);

#endif
