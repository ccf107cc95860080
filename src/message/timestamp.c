#include "message/timestamp.h"

#include "message/date.h"

#include <time.h>

#define SECONDS_A_DAY 86400

/* Exactly n digits off the front, as a number; -1: they are none. */
static int take_digits(struct str *in, size_t n)
{
    int value = 0;
    if (in->n < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!ascii_is_digit(in->p[i]))
            return -1;
        value = value * 10 + (in->p[i] - '0');
    }
    *in = str_from_offset(*in, n);
    return value;
}

/* One byte off the front, of those in `of`. */
static bool take_one(struct str *in, struct str of, char *found)
{
    if (in->n == 0 || str_find_byte(of, in->p[0]) == STR_NONE)
        return false;
    *found = in->p[0];
    *in = str_from_offset(*in, 1);
    return true;
}

static bool is_in(int value, int least, int most)
{
    return value >= least && value <= most;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && is_leap);
}

/* full-date */
static bool take_date(struct str *in, int64_t *day)
{
    char dash;
    int year = take_digits(in, 4);
    int month = take_one(in, STR("-"), &dash) ? take_digits(in, 2) : -1;
    int mday = take_one(in, STR("-"), &dash) ? take_digits(in, 2) : -1;
    if (year < 0 || !is_in(month, 1, 12) || !is_in(mday, 1, days_in_month(year, month)))
        return false;
    *day = date_day(year, month, mday);
    return true;
}

/* partial-time */
static bool take_time(struct str *in, int *seconds)
{
    char c;
    int hour = take_digits(in, 2);
    int minute = take_one(in, STR(":"), &c) ? take_digits(in, 2) : -1;
    int second = take_one(in, STR(":"), &c) ? take_digits(in, 2) : -1;
    if (!is_in(hour, 0, 23) || !is_in(minute, 0, 59) || !is_in(second, 0, 60))
        return false;
    *seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
    if (!take_one(in, STR("."), &c))
        return true;
    if (take_digits(in, 1) < 0)
        return false;
    while (take_one(in, STR("0123456789"), &c))
        continue;
    return true;
}

/* time-offset, in minutes east of UTC */
static bool take_offset(struct str *in, int *minutes)
{
    char sign, colon;
    *minutes = 0;
    if (!take_one(in, STR("Zz+-"), &sign))
        return false;
    if (sign == 'Z' || sign == 'z')
        return true;
    int hour = take_digits(in, 2);
    int minute = take_one(in, STR(":"), &colon) ? take_digits(in, 2) : -1;
    if (!is_in(hour, 0, 23) || !is_in(minute, 0, 59))
        return false;
    *minutes = (sign == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}

bool timestamp_parse(struct str text, int64_t *at)
{
    int64_t day;
    int seconds, minutes;
    char t;
    if (!take_date(&text, &day) || !take_one(&text, STR("Tt"), &t) || !take_time(&text, &seconds) ||
        !take_offset(&text, &minutes) || text.n > 0)
        return false;
    *at = day * SECONDS_A_DAY + seconds - (int64_t)minutes * 60;
    return true;
}

void timestamp_add(struct buf *out, int64_t at)
{
    struct tm tm = {0};
    time_t moment = at;
    gmtime_r(&moment, &tm);
    buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
}
