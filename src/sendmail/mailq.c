#include "sendmail/mailq.h"

#include "base/mem.h"
#include "queue/admin.h"
#include "sendmail/mailq_socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REASON_WIDTH 76 /* of a line: reasons stand at its right end */

struct listing {
    size_t count;
    uint64_t bytes;
};

static void put_clean(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        putchar((unsigned char)text.p[i] < ' ' || text.p[i] == 127 ? ' ' : text.p[i]);
}

static bool is_alive(enum queue_state s)
{
    return s == QUEUE_STATE_WAITING || s == QUEUE_STATE_HELD;
}

/* '*': it is under way, or about to be. '!': held. */
static char mark_of(const struct queue_admin_message *m, int64_t now)
{
    bool is_held = true, is_due = false;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_admin_recipient *r = &m->recipients[i];
        is_held = is_held && r->state != QUEUE_STATE_WAITING;
        is_due = is_due || (r->state == QUEUE_STATE_WAITING && r->next_attempt <= now);
    }
    return is_held ? '!' : is_due ? '*' : ' ';
}

static void print_reason(struct str reason)
{
    int padding = reason.n + 2 < REASON_WIDTH ? (int)(REASON_WIDTH - reason.n - 2) : 0;
    printf("%*s(", padding, "");
    put_clean(reason);
    printf(")\n");
}

static void print_message(void *context, const struct queue_admin_message *m)
{
    struct listing *l = context;
    char id[24], at[32] = "";
    time_t arrived = (time_t)m->arrived;
    struct tm tm;
    if (localtime_r(&arrived, &tm))
        strftime(at, sizeof at, "%a %b %e %H:%M:%S", &tm);
    if (l->count == 0)
        printf("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n");
    snprintf(id, sizeof id, "%lld%c", (long long)m->id, mark_of(m, (int64_t)time(NULL)));
    printf("%-11s %7llu %-20s ", id, (unsigned long long)m->size, at);
    put_clean(m->sender.n ? m->sender : STR("MAILER-DAEMON"));
    putchar('\n');
    struct str last = STR("");
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_admin_recipient *r = &m->recipients[i];
        if (!is_alive(r->state))
            continue;
        if (r->reply.n > 0 && !str_eq(r->reply, last))
            print_reason(r->reply);
        last = r->reply;
        printf("%-10s %8s %-20s ", "", "", "");
        put_clean(r->address);
        putchar('\n');
    }
    putchar('\n');
    l->count++;
    l->bytes += m->size;
}

static enum sendmail_exit refused(const struct err *e)
{
    fprintf(stderr, "mailq: %s\n", e->text);
    return e->kind == ERR_TEMPORARY ? SENDMAIL_TEMPORARY : SENDMAIL_UNAVAILABLE;
}

/* Who can open the queue itself, whether the server runs or not. */
static bool is_administrator(const struct config *c)
{
    CLEAN_FREE char *data = mem_copy_c(c->data.p, c->data.n);
    struct stat st;
    return geteuid() == 0 || (stat(data, &st) == 0 && st.st_uid == geteuid());
}

static bool list(const struct config *c, struct listing *l, struct err *e)
{
    struct queue_admin_filter all = {0};
    bool more;
    return is_administrator(c) ? queue_admin_list(c, &all, SIZE_MAX, print_message, l, &more, e)
                               : mailq_socket_list(c, print_message, l, e);
}

enum sendmail_exit mailq_list(const struct config *c)
{
    struct listing l = {0};
    struct err e = ERR_INIT;
    if (!list(c, &l, &e))
        return refused(&e);
    if (l.count == 0)
        printf("Mail queue is empty\n");
    else
        printf("-- %llu Kbytes in %zu Request%s.\n", (unsigned long long)(l.bytes / 1024), l.count,
               l.count == 1 ? "" : "s");
    return SENDMAIL_OK;
}

static void ignore(void *context, const struct queue_admin_change *change)
{
    (void)context, (void)change;
}

enum sendmail_exit mailq_flush(const struct config *c)
{
    struct queue_admin_filter all = {0};
    struct queue_admin_counts counts;
    struct err e = ERR_INIT;
    bool good = is_administrator(c)
                    ? queue_admin_change(c, QUEUE_ADMIN_RETRY, &all, STR(""), ignore, NULL, &counts, &e)
                    : mailq_socket_retry(c, &e);
    return good ? SENDMAIL_OK : refused(&e);
}
