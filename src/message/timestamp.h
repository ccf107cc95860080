/* Moments as RFC 3339 writes them: "1985-04-12T23:20:50.52Z". Pure. */
#ifndef MESSAGE_TIMESTAMP_H
#define MESSAGE_TIMESTAMP_H
#include "base/buf.h"

/* All of `text` must be a date-time of section 5.6. *at is seconds since 1970 UTC, a fraction cut off; a leap
 * second is the second before it. */
bool timestamp_parse(struct str text, int64_t *at);

/* In UTC, to the second: "2026-11-26T14:05:43Z". `at` is of the years 0000 to 9999. */
void timestamp_add(struct buf *out, int64_t at);

#endif
