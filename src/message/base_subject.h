/* The base subject of RFC 5256 section 2.1: what is left of a subject without "Re:", "[list]", "(fwd)". */
#ifndef MESSAGE_BASE_SUBJECT_H
#define MESSAGE_BASE_SUBJECT_H
#include "base/arena.h"

#define SUBJECT_BYTES_MAX 4096 /* of a subject that are looked at */

/* `value` as it stands in the field. In UTF-8, in `a`. *is_reply: it said that it is a reply or a forward. */
struct str base_subject(struct str value, struct arena *a, bool *is_reply);

#endif
