/* Dates of RFC 5322 section 3.3, with the obsolete forms of 4.3 that real mail still uses. */
#ifndef MESSAGE_DATE_H
#define MESSAGE_DATE_H
#include "base/buf.h"

enum date_result { DATE_OK, DATE_BAD, DATE_RANGE };

/* Reads a date-time from the front of `in`. On success *at is seconds since 1970 UTC and *zone the offset in
 * minutes east of it. DATE_BAD: not a date; DATE_RANGE: a field is out of range. */
enum date_result date_parse(struct str in, int64_t *at, int *zone);

void date_add_rfc5322(struct buf *out, int64_t at, int zone); /* "Tue, 24 Nov 2026 12:00:00 +0100" */
void date_add_imap(struct buf *out, int64_t at,
                   int zone); /* "24-Nov-2026 12:00:00 +0100", day padded to two (RFC 9051 date-time) */
enum date_result date_parse_imap(struct str in, int64_t *at, int *zone); /* date-time without quotes */

/* Days since 1970 of a civil date (proleptic Gregorian); month 1-12. And of a moment in a zone. */
int64_t date_day(int year, int month, int day);
int64_t date_day_at(int64_t at, int zone);

/* The offset of local time at that moment, minutes east of UTC. In a sandbox the zone is known that was read
 * when it was entered (base/sandbox.h). */
int date_local_zone(int64_t at);

#endif
