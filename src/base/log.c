#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *speaker = "golub";
static pid_t speaker_pid; /* 0: nobody has said who speaks */
static enum log_level least_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

static int trace_fd = -1;
static atomic_uint trace_lost;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warning", "error"};

/* Not filled with zeros first, which would take longer than to write a line into it. */
#define AS_IT_IS __attribute__((uninitialized))

/* A line being made: like struct buf, but it may never allocate (log_die is called without memory). */
struct line {
    char *p;
    size_t n, max;
};

static void add_byte(struct line *l, char c)
{
    if (l->n < l->max - 3) /* room for the closing quote, brace and newline */
        l->p[l->n++] = c;
}

static void add_bytes(struct line *l, const char *p, size_t n)
{
    size_t room = l->max - 3 - l->n;
    n = n < room ? n : room;
    if (n > 0)
        memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void add_c(struct line *l, const char *s)
{
    add_bytes(l, s, strlen(s));
}

static bool is_bare(struct str s)
{
    static const bool ODD[256] = {
        [0 ... ' '] = true, ['"'] = true, ['='] = true, ['\\'] = true, [127] = true};
    bool odd = false;
    for (size_t i = 0; i < s.n; i++)
        odd |= ODD[(unsigned char)s.p[i]];
    return s.n > 0 && !odd;
}

static void add_escape(struct line *l, unsigned char c)
{
    static const char HEX[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        add_byte(l, '\\');
        add_byte(l, (char)c);
    } else {
        add_c(l, "\\u00");
        add_byte(l, HEX[c >> 4]);
        add_byte(l, HEX[c & 15]);
    }
}

static bool needs_escape(char c)
{
    return (unsigned char)c < ' ' || c == '"' || c == '\\' || c == 127;
}

/* JSON's escapes serve both formats. Bytes of 128 and over go through: the lines are UTF-8 if the value is.
 */
static void add_quoted(struct line *l, struct str s)
{
    const size_t closing = 12; /* room for one escape more and the end */
    add_byte(l, '"');
    for (size_t i = 0; i < s.n && l->n < l->max - closing;) {
        size_t from = i, most = l->max - closing - l->n;
        while (i < s.n && i - from < most && !needs_escape(s.p[i]))
            i++;
        add_bytes(l, s.p + from, i - from);
        if (i < s.n && i - from < most)
            add_escape(l, (unsigned char)s.p[i++]);
    }
    l->p[l->n++] = '"';
}

static void add_number(struct line *l, int64_t v)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        digits[--at] = '-';
    add_bytes(l, digits + at, sizeof digits - at);
}

/* A second's text is made once: busy threads say many lines in it. */
static void add_time(struct line *l)
{
    static _Thread_local char text[40];
    static _Thread_local time_t made_for = -1;
    static _Thread_local size_t n;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (ts.tv_sec != made_for) {
        struct tm tm;
        gmtime_r(&ts.tv_sec, &tm);
        n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &tm);
        made_for = ts.tv_sec;
    }
    int ms = (int)(ts.tv_nsec / 1000000);
    char rest[] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    add_bytes(l, text, n);
    add_bytes(l, rest, sizeof rest);
}

static void add_fields(struct line *l, bool json, const struct log_field *fields, size_t n)
{
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
            add_bytes(l, fields[i].text.p, fields[i].text.n);
        else
            add_quoted(l, fields[i].text);
    }
}

static pid_t pid(void)
{
    return speaker_pid ? speaker_pid : getpid();
}

struct event {
    enum log_level level;
    const char *name;
    const struct log_field *fields;
    size_t n;
};

static void make_json(struct line *l, const struct event *e)
{
    add_c(l, "{\"time\":\"");
    add_time(l);
    add_c(l, "\",\"level\":\"");
    add_c(l, LEVEL_NAMES[e->level]);
    add_c(l, "\",\"role\":\"");
    add_c(l, speaker);
    add_c(l, "\",\"pid\":");
    add_number(l, pid());
    add_c(l, ",\"event\":");
    add_quoted(l, str_from_c(e->name));
    add_fields(l, true, e->fields, e->n);
    l->p[l->n++] = '}';
}

static void make_text(struct line *l, const struct event *e)
{
    add_time(l);
    add_byte(l, ' ');
    add_c(l, LEVEL_NAMES[e->level]);
    add_byte(l, ' ');
    add_c(l, speaker);
    add_byte(l, '[');
    add_number(l, pid());
    add_c(l, "] ");
    add_c(l, e->name);
    add_fields(l, false, e->fields, e->n);
}

static void write_line(struct line *l)
{
    l->p[l->n++] = '\n';
    ssize_t written = write(STDERR_FILENO, l->p, l->n);
    (void)written; /* a log that cannot be written has nobody left to be told */
    l->n--;
}

/* --- the trace --- */

static bool is_traced(const char *event)
{
    static const struct str KINDS[] = {STR_INIT("message."), STR_INIT("queue."), STR_INIT("relay.")};
    for (size_t i = 0; trace_fd >= 0 && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strncmp(event, KINDS[i].p, KINDS[i].n) == 0)
            return true;
    return false;
}

/* The line is changed where earlier ones were lost. */
static void trace_line(struct line *l)
{
    unsigned lost = atomic_load_explicit(&trace_lost, memory_order_relaxed);
    if (lost > 0) {
        lost = atomic_exchange(&trace_lost, 0);
        add_fields(l, false, &F_INT(LOG_TRACE_LOST, lost), 1);
    }
    if (send(trace_fd, l->p, l->n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        atomic_fetch_add(&trace_lost, lost + 1);
}

void log_trace(int fd)
{
    trace_fd = fd;
}

int log_trace_fd(void)
{
    return trace_fd;
}

/* `more` (NULL: nothing) goes to the trace alone, where there is `room` for it. */
static void say(const struct event *e, const struct log_field *more, char *bytes, size_t room)
{
    bool is_logged = e->level >= least_level, traced = is_traced(e->name);
    bool json = line_format == LOG_FORMAT_JSON;
    struct line l = {.p = bytes, .max = LOG_LINE_MAX};
    if (is_logged && json) {
        make_json(&l, e);
        write_line(&l);
        l.n = 0;
    }
    if (traced || (is_logged && !json))
        make_text(&l, e);
    if (is_logged && !json)
        write_line(&l);
    l.max = room;
    if (traced && more)
        add_fields(&l, false, more, 1);
    if (traced)
        trace_line(&l);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    char bytes[LOG_LINE_MAX];
    say(&(struct event){level, event, fields, n}, NULL, bytes, sizeof bytes);
}

void log_event_and_more(const char *event, const struct log_field *fields, size_t n,
                        const struct log_field *more)
{
    char bytes[LOG_TRACE_MAX] AS_IT_IS;
    say(&(struct event){LOG_LEVEL_INFO, event, fields, n}, more, bytes, sizeof bytes);
}

void log_trace_event(const char *event, const struct log_field *fields, size_t n)
{
    const struct event e = {LOG_LEVEL_INFO, event, fields, n};
    char bytes[LOG_TRACE_MAX] AS_IT_IS;
    struct line l = {.p = bytes, .max = sizeof bytes};
    if (!is_traced(event))
        return;
    make_text(&l, &e);
    trace_line(&l);
}

void log_identify(const char *role)
{
    speaker = role;
    speaker_pid = getpid(); /* a process that was forked says anew who it is */
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
