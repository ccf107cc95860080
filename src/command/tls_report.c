/* golub tls-report ...: reports about TLS (RFC 8460) that others sent us, and what ours are made of. */
#include "trust/tls_report.h"
#include "base/buf.h"
#include "command/parts.h"
#include "queue/tls_memory.h"
#include "queue/tls_received.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FILE_MAX \
    ((size_t)32 * 1024 * 1024) /* a message with a report of TLS_REPORT_BYTES_MAX, packed and in base64 */

/* --- reading one: a message, or the report by itself, packed or not --- */

static bool read_file(const char *path, struct buf *out, struct err *e)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    size_t n = 0;
    if (!f)
        return err_set(e, ERR_PERMANENT, "%s: %s", path, strerror(errno));
    do {
        char *room = buf_room(out, 65536);
        n = room ? fread(room, 1, 65536, f) : 0;
        buf_grew(out, n);
    } while (n > 0);
    bool failed = ferror(f) != 0;
    if (!is_stdin)
        fclose(f);
    if (failed || out->overflow)
        return err_set(e, ERR_PERMANENT, "%s: %s", path, failed ? strerror(errno) : "too large for a report");
    return true;
}

static void print_field(const char *name, struct str value)
{
    printf("%-9s", name);
    command_print_clean(value);
    putchar('\n');
}

static void print_row(const struct tls_report_row *r)
{
    if (!r->is_detail) {
        printf("\n%llu good, %llu failed  ", (unsigned long long)r->good, (unsigned long long)r->failed);
        command_print_clean(r->domain);
        printf("  ");
        command_print_clean(r->type);
        printf("%s", r->mx.n ? "  mx " : "");
        command_print_clean(r->mx);
        putchar('\n');
        return;
    }
    printf("  %6llu  ", (unsigned long long)r->failed);
    const struct str *const FIELDS[] = {&r->result, &r->host, &r->address, &r->source, &r->reason};
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        printf("%s", FIELDS[i] == &r->source && r->source.n ? "from " : "");
        command_print_clean(*FIELDS[i]);
        printf("%s", FIELDS[i]->n ? "  " : "");
    }
    putchar('\n');
}

static bool show(const char *path, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf file, json;
    struct tls_report_read report;
    buf_init(&file, FILE_MAX);
    buf_init(&json, TLS_REPORT_BYTES_MAX);
    if (!read_file(path, &file, e))
        return false;
    if (!tls_report_unpack(buf_str(&file), &a, &json, e) || !tls_report_read(buf_str(&json), &a, &report, e))
        return err_prefix(e, "%s", path);
    print_field("from", report.organization);
    print_field("contact", report.contact);
    print_field("report", report.id);
    print_field("begin", report.begin);
    print_field("end", report.end);
    for (size_t i = 0; i < report.count; i++)
        print_row(&report.rows[i]);
    return true;
}

/* --- those that came, as they are kept --- */

static struct str day_of(struct str time)
{
    return str_slice(time, 0, 10); /* RFC 3339 */
}

static void print_received(void *context, const struct queue_tls_received *r)
{
    struct str first = day_of(r->begin), last = day_of(r->end);
    CLEAN_BUF struct buf days;
    (void)context;
    buf_init(&days, BUF_MAX_DEFAULT);
    buf_add(&days, first);
    if (!str_eq(first, last)) /* section 4.1: a day, as a rule */
        buf_addf(&days, "/%.*s", STR_ARGS(last));
    command_print_clean(buf_str(&days));
    printf("%*s  %8llu  %8llu  ", days.n < 10 ? (int)(10 - days.n) : 0, "", (unsigned long long)r->about.good,
           (unsigned long long)r->about.failed);
    command_print_clean(r->about.domain);
    printf("  ");
    command_print_clean(r->organization);
    printf("%s", r->about.failures.n ? "  " : "");
    command_print_clean(r->about.failures);
    putchar('\n');
}

static int list_received(struct command_run *r)
{
    struct err e = ERR_INIT;
    printf("%-10s  %8s  %8s  %s\n", "DAY (UTC)", "GOOD", "FAILED", "DOMAIN  FROM  FAILURES");
    return queue_tls_received_list(r->config, print_received, NULL, &e) ? COMMAND_DONE : command_fail(&e);
}

int run_tls_report(struct command_run *r)
{
    struct err e = ERR_INIT;
    if (r->argc == 0)
        return list_received(r);
    for (int i = 0; i < r->argc; i++) {
        if (i > 0)
            putchar('\n');
        if (!show(r->argv[i], &e))
            return command_fail(&e);
    }
    return COMMAND_DONE;
}

/* --- ours --- */

static void print_day(void *context, const struct queue_tls_day *d)
{
    static const char *const STATES[] = {[TLS_DAY_COUNTING] = "counting",
                                         [TLS_DAY_SENDING] = "sending",
                                         [TLS_DAY_SENT] = "sent",
                                         [TLS_DAY_NOBODY] = "not asked for",
                                         [TLS_DAY_GIVEN_UP] = "given up"};
    char day[20] = "";
    time_t t = (time_t)(d->day * 86400);
    struct tm tm;
    (void)context;
    if (gmtime_r(&t, &tm))
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    printf("%-10s  %8llu  %8llu  %-13s  ", day, (unsigned long long)d->good, (unsigned long long)d->failed,
           (unsigned)d->state < TLS_DAY_STATES ? STATES[d->state] : "");
    command_print_clean(d->domain);
    putchar('\n');
}

int run_tls_report_list(struct command_run *r)
{
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    printf("%-10s  %8s  %8s  %-13s  %s\n", "DAY (UTC)", "GOOD", "FAILED", "REPORT", "DOMAIN");
    return queue_tls_list(r->config, print_day, NULL, &e) ? COMMAND_DONE : command_fail(&e);
}

int run_tls_report_send(struct command_run *r)
{
    struct err e = ERR_INIT;
    int64_t n = 0;
    if (!command_has_arguments(r, 0, 1))
        return COMMAND_MISUSED;
    if (!queue_tls_ask(r->config, r->argc == 1 ? str_from_c(r->argv[0]) : STR(""), &n, &e))
        return command_fail(&e);
    printf("%lld report%s will be sent now, if the server runs\n", (long long)n, n == 1 ? "" : "s");
    return COMMAND_DONE;
}
