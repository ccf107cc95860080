/* One line an event, to standard error, in one write: key=value pairs or JSON (log_format). Never a secret:
 * no password, no message text, no key. Safe from any thread.
 *
 *   LOG_INFO("message.stored", F_STR("from", sender), F_INT("size", size));
 *   -> 2026-11-24T12:00:00.123Z info account[412] message.stored from=a@example.org size=4096
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    bool is_number;
    int64_t number;
    struct str text;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .text = (v)})
#define F_C(k, v)   ((struct log_field){.key = (k), .text = str_from_c(v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .is_number = true, .number = (int64_t)(v)})

#define LOG_LINE_MAX 4096 /* PIPE_BUF, so that lines of many processes never mix; longer values are cut */

/* `event` is a fixed dotted name: what happened, not a sentence. */
void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...)                                        \
    log_event((level), (event), (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_DEBUG(event, ...)   LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...)    LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARNING(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define LOG_ERROR(event, ...)   LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* Set once a process, before threads start, and anew in one that was forked: who speaks ("smtp", "account"),
 * what is said, and how. */
void log_identify(const char *role);
void log_configure(enum log_level least, enum log_format format);

/* Lines whose event begins with "message.", "queue." or "relay.", of any level, also go to `fd`: one end of a
 * SOCK_SEQPACKET pair whose other end the role `trace` reads, a line (as text, without its line end) a
 * packet. Nobody waits for it: where there is no room the line is lost, and the next one that has room says
 * how many were (LOG_TRACE_LOST). -1: nowhere. */
void log_trace(int fd);
/* To the trace alone, and longer than a log line may be: what was said in a conversation. */
void log_trace_event(const char *event, const struct log_field *fields, size_t n);
#define LOG_TRACE(event, ...)                                         \
    log_trace_event((event), (const struct log_field[]){__VA_ARGS__}, \
                    sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_TRACE_MAX ((size_t)24 * 1024) /* of its line: QUEUE_TRANSCRIPT_MAX, every line end escaped */
int log_trace_fd(void);
/* As LOG_INFO; the trace's line has one field more (NULL: it has not), as long as one of log_trace_event's.
 */
void log_event_and_more(const char *event, const struct log_field *fields, size_t n,
                        const struct log_field *more);
#define LOG_TRACE_LOST "trace_lost"

/* Says it and ends the process with _exit(70), EX_SOFTWARE. */
void log_die(const char *event, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
