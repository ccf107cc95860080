#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *speaker = "golub";
static enum log_level least_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warning", "error"};

/* A line being made: like struct buf, but it may never allocate (log_die is called without memory). */
struct line {
    char p[LOG_LINE_MAX];
    size_t n;
};

static void add_byte(struct line *l, char c)
{
    if (l->n < sizeof l->p - 3) /* room for the closing quote, brace and newline */
        l->p[l->n++] = c;
}

static void add_c(struct line *l, const char *s)
{
    while (*s)
        add_byte(l, *s++);
}

static bool is_bare(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' || s.p[i] == 127)
            return false;
    return s.n > 0;
}

/* JSON's escapes serve both formats. Bytes of 128 and over go through: the lines are UTF-8 if the value is.
 */
static void add_quoted(struct line *l, struct str s)
{
    static const char HEX[] = "0123456789abcdef";
    add_byte(l, '"');
    for (size_t i = 0; i < s.n && l->n < sizeof l->p - 12; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            add_byte(l, '\\');
            add_byte(l, (char)c);
        } else if (c < ' ' || c == 127) {
            add_c(l, "\\u00");
            add_byte(l, HEX[c >> 4]);
            add_byte(l, HEX[c & 15]);
        } else {
            add_byte(l, (char)c);
        }
    }
    l->p[l->n++] = '"';
}

static void add_number(struct line *l, int64_t v)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)v);
    add_c(l, digits);
}

static void add_time(struct line *l)
{
    struct timespec ts;
    struct tm tm;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03dZ", (int)(ts.tv_nsec / 1000000));
    add_c(l, text);
}

static void add_fields(struct line *l, const struct log_field *fields, size_t n)
{
    bool json = line_format == LOG_FORMAT_JSON;
    for (size_t i = 0; i < n; i++) {
        add_byte(l, json ? ',' : ' ');
        if (json)
            add_quoted(l, str_from_c(fields[i].key));
        else
            add_c(l, fields[i].key);
        add_byte(l, json ? ':' : '=');
        if (fields[i].is_number)
            add_number(l, fields[i].number);
        else if (!json && is_bare(fields[i].text))
            for (size_t k = 0; k < fields[i].text.n; k++)
                add_byte(l, fields[i].text.p[k]);
        else
            add_quoted(l, fields[i].text);
    }
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    if (level < least_level)
        return;
    struct line l = {.n = 0};
    if (line_format == LOG_FORMAT_JSON) {
        add_c(&l, "{\"time\":\"");
        add_time(&l);
        add_c(&l, "\",\"level\":\"");
        add_c(&l, LEVEL_NAMES[level]);
        add_c(&l, "\",\"role\":\"");
        add_c(&l, speaker);
        add_c(&l, "\",\"pid\":");
        add_number(&l, getpid());
        add_c(&l, ",\"event\":");
        add_quoted(&l, str_from_c(event));
        add_fields(&l, fields, n);
        l.p[l.n++] = '}';
    } else {
        add_time(&l);
        add_byte(&l, ' ');
        add_c(&l, LEVEL_NAMES[level]);
        add_byte(&l, ' ');
        add_c(&l, speaker);
        add_byte(&l, '[');
        add_number(&l, getpid());
        add_c(&l, "] ");
        add_c(&l, event);
        add_fields(&l, fields, n);
    }
    l.p[l.n++] = '\n';
    ssize_t written = write(STDERR_FILENO, l.p, l.n);
    (void)written; /* a log that cannot be written has nobody left to be told */
}

void log_identify(const char *role)
{
    speaker = role;
}

void log_configure(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

void log_die(const char *event, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    LOG_ERROR(event, F_C("error", text));
    _exit(70);
}
