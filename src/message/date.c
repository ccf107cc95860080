#include "message/date.h"

#include <string.h>
#include <time.h>

#define YEAR_MAX      9999 /* four digits: what RFC 5322 and RFC 9051 can write */
#define SECONDS_A_DAY 86400
#define MOMENT_MIN    (-62135596800 + SECONDS_A_DAY) /* the years 1 to YEAR_MAX, whatever the zone */
#define MOMENT_MAX    (253402300799 - SECONDS_A_DAY)
#define ZONE_NAME_MAX 5
#define DIGITS_MAX    4 /* of any number in a date */

static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char DAYS[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* The names of RFC 5322 section 4.3, and two that are met. Other names, the one-letter ones too, say nothing
 * reliable and count as +0000. */
static const struct {
    char name[ZONE_NAME_MAX + 1];
    int minutes;
} ZONES[] = {
    {"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420},
    {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"CET", 60},   {"CEST", 120},
};

struct fields {
    int year, month, day, hour, minute, second, zone;
};

/* Euclidean division: the days before 1970 count down. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t date_day(int year, int month, int day)
{
    /* Years that begin in March have their leap day at the end; 400 of them have 146097 days. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_of_day(int64_t day, int *year, int *month, int *mday)
{
    day += 719468;
    int64_t era = floor_div(day, 146097), of_era = day - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *mday = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

int64_t date_day_at(int64_t at, int zone)
{
    return floor_div(at + (int64_t)zone * 60, SECONDS_A_DAY);
}

static enum date_result to_moment(const struct fields *f, int64_t *at, int *zone)
{
    static const int DAYS_IN_MONTH[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (f->year < 1 || f->year > YEAR_MAX || f->month < 1 || f->month > 12 || f->day < 1)
        return DATE_RANGE;
    bool is_leap = f->year % 4 == 0 && (f->year % 100 != 0 || f->year % 400 == 0);
    if (f->day > DAYS_IN_MONTH[f->month - 1] + (f->month == 2 && is_leap))
        return DATE_RANGE;
    if (f->hour > 23 || f->minute > 59 || f->second > 60) /* 60: a leap second */
        return DATE_RANGE;
    *at = date_day(f->year, f->month, f->day) * SECONDS_A_DAY + f->hour * 3600 + f->minute * 60 + f->second -
          (int64_t)f->zone * 60;
    *zone = f->zone;
    return DATE_OK;
}

/* White space, line ends and comments. */
static void skip_space(struct str *in)
{
    size_t depth = 0, i = 0;
    for (; i < in->n; i++) {
        char c = in->p[i];
        if (c == '(')
            depth++;
        else if (depth > 0 && c == ')')
            depth--;
        else if (depth > 0 && c == '\\')
            i++;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *in = str_from_offset(*in, i);
}

static struct str take_word(struct str *in)
{
    size_t n = 0;
    while (n < in->n && ascii_is_alpha(in->p[n]))
        n++;
    struct str word = str_slice(*in, 0, n);
    *in = str_from_offset(*in, n);
    skip_space(in);
    return word;
}

/* Digits, without the space behind them. Returns how many there were; 0: none or too many. */
static size_t take_digits(struct str *in, int *value)
{
    size_t n = 0;
    *value = 0;
    while (n < in->n && n <= DIGITS_MAX && ascii_is_digit(in->p[n]))
        *value = *value * 10 + (in->p[n++] - '0');
    *in = str_from_offset(*in, n);
    return n > DIGITS_MAX ? 0 : n;
}

static size_t take_number(struct str *in, int *value)
{
    size_t n = take_digits(in, value);
    skip_space(in);
    return n;
}

static bool take_byte(struct str *in, char c)
{
    if (in->n == 0 || in->p[0] != c)
        return false;
    *in = str_from_offset(*in, 1);
    return true;
}

/* "Nov" and "November" alike; 0: no month. */
static int month_of(struct str word)
{
    for (int i = 0; i < 12; i++)
        if (str_starts_nocase(word, str_from(MONTHS[i], 3)))
            return i + 1;
    return 0;
}

static bool take_month(struct str *in, int *month)
{
    *month = month_of(take_word(in));
    return *month > 0;
}

static bool take_year(struct str *in, int *year)
{
    size_t digits = take_number(in, year);
    if (digits == 2)
        *year += *year < 50 ? 2000 : 1900; /* RFC 5322 section 4.3 */
    else if (digits == 3)
        *year += 1900;
    return digits >= 2;
}

/* hour ":" minute [ ":" second ], space allowed around the colons (section 4.3). Fractions of a second, as
 * some software writes them, are dropped. */
static bool take_time(struct str *in, struct fields *f)
{
    if (take_number(in, &f->hour) == 0 || !take_byte(in, ':'))
        return false;
    skip_space(in);
    if (take_number(in, &f->minute) == 0)
        return false;
    f->second = 0;
    if (take_byte(in, ':')) {
        skip_space(in);
        if (take_number(in, &f->second) == 0)
            return false;
        if (take_byte(in, '.'))
            while (in->n > 0 && ascii_is_digit(in->p[0]))
                *in = str_from_offset(*in, 1);
    }
    skip_space(in);
    return true;
}

/* "+0100", and "+01:00" as some write it. */
static bool take_numeric_zone(struct str *in, int *zone)
{
    bool is_west = in->n > 0 && in->p[0] == '-';
    int value, minutes;
    if (!take_byte(in, '+') && !take_byte(in, '-'))
        return false;
    size_t digits = take_digits(in, &value);
    if (digits == 2 && take_byte(in, ':') && take_digits(in, &minutes) == 2)
        value = value * 100 + minutes;
    else if (digits <= 2)
        value *= 100;
    if (digits == 0 || value % 100 > 59)
        return false;
    *zone = (is_west ? -1 : 1) * (value / 100 * 60 + value % 100);
    return true;
}

/* Never fails: a zone that is missing or not known is +0000, as RFC 5322 section 4.3 has it for "-0000". */
static int take_zone(struct str *in)
{
    int zone = 0;
    if (take_numeric_zone(in, &zone))
        return zone;
    struct str name = take_word(in);
    for (size_t i = 0; i < sizeof ZONES / sizeof *ZONES; i++)
        if (str_eq_nocase(name, str_from_c(ZONES[i].name)))
            return ZONES[i].minutes;
    if (str_eq_nocase(name, STR("GMT")) || str_eq_nocase(name, STR("UTC")))
        take_numeric_zone(in, &zone); /* "GMT+0100" */
    return zone;
}

/* Day, month, year, in that order or in that of asctime ("Nov 24 12:00:00 2026"). */
static bool take_date(struct str *in, struct fields *f, bool *is_asctime)
{
    *is_asctime = in->n > 0 && ascii_is_alpha(in->p[0]);
    if (*is_asctime)
        return take_month(in, &f->month) && take_number(in, &f->day) > 0;
    if (take_number(in, &f->day) == 0)
        return false;
    take_byte(in, '-'); /* "24-Nov-2026" */
    if (!take_month(in, &f->month))
        return false;
    take_byte(in, '-');
    return take_year(in, &f->year);
}

enum date_result date_parse(struct str in, int64_t *at, int *zone)
{
    struct fields f = {0};
    bool is_asctime;
    skip_space(&in);
    struct str start = in;
    struct str word = take_word(&in);
    if (word.n == 0 || month_of(word) > 0)
        in = start; /* no day of the week */
    if (take_byte(&in, ','))
        skip_space(&in);
    if (!take_date(&in, &f, &is_asctime) || !take_time(&in, &f))
        return DATE_BAD;
    if (is_asctime && !take_year(&in, &f.year))
        return DATE_BAD;
    f.zone = take_zone(&in);
    return to_moment(&f, at, zone);
}

enum date_result date_parse_imap(struct str in, int64_t *at, int *zone)
{
    struct fields f = {0};
    take_byte(&in, ' '); /* date-day-fixed: " 4" */
    size_t day = take_digits(&in, &f.day);
    if (day == 0 || day > 2 || !take_byte(&in, '-') || in.n < 3)
        return DATE_BAD;
    struct str month = str_slice(in, 0, 3);
    f.month = month_of(month);
    in = str_from_offset(in, 3);
    if (f.month == 0 || !take_byte(&in, '-') || take_digits(&in, &f.year) != 4 || !take_byte(&in, ' '))
        return DATE_BAD;
    if (take_digits(&in, &f.hour) != 2 || !take_byte(&in, ':') || take_digits(&in, &f.minute) != 2 ||
        !take_byte(&in, ':') || take_digits(&in, &f.second) != 2 || !take_byte(&in, ' ') || in.n != 5)
        return DATE_BAD;
    if (!take_numeric_zone(&in, &f.zone) || in.n > 0)
        return DATE_BAD;
    return to_moment(&f, at, zone);
}

/* The moment in its zone, in fields; one outside of four-digit years as the nearest that is inside. */
static struct fields fields_at(int64_t at, int zone, int64_t *day)
{
    at = at < MOMENT_MIN ? MOMENT_MIN : at > MOMENT_MAX ? MOMENT_MAX : at;
    struct fields f = {.zone = zone};
    int64_t local = at + (int64_t)zone * 60;
    *day = floor_div(local, SECONDS_A_DAY);
    int of_day = (int)(local - *day * SECONDS_A_DAY);
    civil_of_day(*day, &f.year, &f.month, &f.day);
    f.hour = of_day / 3600;
    f.minute = of_day / 60 % 60;
    f.second = of_day % 60;
    return f;
}

/* The last n digits; returns where they end. */
static char *put_digits(char *to, int value, size_t n)
{
    for (size_t i = n; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + n;
}

/* "12:00:00 +0100" */
static void add_time_and_zone(struct buf *out, const struct fields *f)
{
    int zone = f->zone < 0 ? -f->zone : f->zone;
    char text[] = "hh:mm:ss +zone";
    put_digits(text, f->hour, 2);
    put_digits(text + 3, f->minute, 2);
    put_digits(text + 6, f->second, 2);
    text[9] = f->zone < 0 ? '-' : '+';
    put_digits(put_digits(text + 10, zone / 60, 2), zone % 60, 2);
    buf_add(out, str_from(text, sizeof text - 1));
}

void date_add_rfc5322(struct buf *out, int64_t at, int zone)
{
    int64_t day;
    struct fields f = fields_at(at, zone, &day);
    int64_t weekday = (day + 4) - floor_div(day + 4, 7) * 7; /* 1970 began on a Thursday */
    char text[] = "Day, dd Mon year ";
    memcpy(text, DAYS[weekday], 3);
    char *to = put_digits(text + 5, f.day, f.day < 10 ? 1 : 2);
    *to++ = ' ';
    memcpy(to, MONTHS[f.month - 1], 3);
    to[3] = ' ';
    to = put_digits(to + 4, f.year, 4);
    *to++ = ' ';
    buf_add(out, str_from(text, (size_t)(to - text)));
    add_time_and_zone(out, &f);
}

void date_add_imap(struct buf *out, int64_t at, int zone)
{
    int64_t day;
    struct fields f = fields_at(at, zone, &day);
    buf_addf(out, "%2d-%s-%04d ", f.day, MONTHS[f.month - 1], f.year);
    add_time_and_zone(out, &f);
}

int date_local_zone(int64_t at)
{
    time_t t = (time_t)at;
    struct tm local;
    return localtime_r(&t, &local) ? (int)(local.tm_gmtoff / 60) : 0;
}
