/* A date that was read is written in both forms and read back as the same moment and zone. */
#include "message/date.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Moments at the edge of the calendar are clamped when they are written (date.c). */
#define EDGE_DAYS 60

static void check_written(int64_t at, int zone)
{
    CLEAN_BUF struct buf mail, imap;
    buf_init(&mail, 100);
    buf_init(&imap, 100);
    date_add_rfc5322(&mail, at, zone);
    date_add_imap(&imap, at, zone);
    if (mail.overflow || imap.n != 26)
        abort();
    if (at < (date_day(1, 1, 1) + EDGE_DAYS) * 86400 || at > (date_day(9999, 12, 31) - EDGE_DAYS) * 86400)
        return;
    int64_t again;
    int zone_again;
    if (date_parse(buf_str(&mail), &again, &zone_again) != DATE_OK || again != at || zone_again != zone ||
        date_parse_imap(buf_str(&imap), &again, &zone_again) != DATE_OK || again != at || zone_again != zone)
        abort();
    if (date_day_at(at, zone) > date_day(9999, 12, 31))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from(data, size);
    int64_t at;
    int zone;
    if (date_parse(in, &at, &zone) == DATE_OK)
        check_written(at, zone);
    if (date_parse_imap(in, &at, &zone) == DATE_OK)
        check_written(at, zone);
    return 0;
}
