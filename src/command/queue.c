/* golub queue ... */
#include "queue/admin.h"

#include "command/parts.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(enum queue_state state)
{
    return state == QUEUE_STATE_SENT ? "sent" : state == QUEUE_STATE_FAILED ? "failed" : "waiting";
}

static struct str shown(struct str sender)
{
    return sender.n ? sender : STR("<>");
}

/* What another server answered and what a sender wrote may be anything: a terminal must not obey it. */
static void print_clean(struct str text, bool keeps_lines)
{
    for (size_t i = 0; i < text.n; i++) {
        bool is_control = (unsigned char)text.p[i] < ' ' || text.p[i] == 127;
        if (text.p[i] != '\r')
            putchar(is_control && !(keeps_lines && text.p[i] == '\n') ? ' ' : text.p[i]);
    }
}

static void print_text(struct str text)
{
    print_clean(text, false);
}

static void print_message(void *context, const struct queue_admin_message *m)
{
    size_t *count = context;
    char at[20];
    printf("%7lld  %-16s  %9llu  ", (long long)m->id, command_time(m->arrived, at),
           (unsigned long long)m->size);
    print_text(shown(m->sender));
    putchar('\n');
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_admin_recipient *to = &m->recipients[i];
        printf("         %-7s  ", name_of(to->state));
        print_text(to->address);
        if (to->state == QUEUE_STATE_WAITING)
            printf("  after %u attempts, next %s", to->attempts, command_time(to->next_attempt, at));
        if (to->reply.n > 0) {
            printf("  ");
            print_text(to->reply);
        }
        putchar('\n');
    }
    ++*count;
}

int run_queue_list(struct command_run *r)
{
    struct err e = ERR_INIT;
    size_t count = 0;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    printf("%7s  %-16s  %9s  %s\n", "ID", "ARRIVED", "BYTES", "SENDER AND RECIPIENTS");
    if (!queue_admin_list(r->config, print_message, &count, &e))
        return command_fail(&e);
    printf("%zu message%s\n", count, count == 1 ? "" : "s");
    return COMMAND_DONE;
}

static bool take_id(const struct command_run *r, int64_t *id)
{
    uint64_t number;
    if (!str_to_u64(str_from_c(r->argv[0]), &number) || number == 0 || number > INT64_MAX)
        return false;
    *id = (int64_t)number;
    return true;
}

int run_queue_show(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct queue_admin_message m;
    struct err e = ERR_INIT;
    char at[20];
    size_t count = 0;
    int64_t id;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!take_id(r, &id))
        return command_misuse(r, "the ID is a number that golub queue list shows");
    if (!queue_admin_show(r->config, id, &a, &m, &e))
        return command_fail(&e);
    print_message(&count, &m);
    if (m.attempt_count > 0)
        printf("\nattempts\n");
    for (size_t i = 0; i < m.attempt_count; i++) {
        const struct queue_admin_attempt *t = &m.attempts[i];
        printf("  %s  ", command_time(t->at, at));
        print_text(arena_printf(&a, "%.*s  %.*s  %.*s", STR_ARGS(t->address), STR_ARGS(t->host),
                                STR_ARGS(t->reply)));
        putchar('\n');
    }
    printf("\nheader\n");
    print_clean(m.header, true);
    if (m.header.n > 0 && m.header.p[m.header.n - 1] != '\n')
        putchar('\n');
    return COMMAND_DONE;
}

static int change(struct command_run *r,
                  bool (*change_it)(const struct config *, int64_t, size_t *, struct err *), const char *done)
{
    struct err e = ERR_INIT;
    size_t count = 0;
    int64_t id = QUEUE_ADMIN_ALL;
    bool all = command_take_flag(r, "--all");
    if (!command_has_arguments(r, all ? 0 : 1, all ? 0 : 1))
        return COMMAND_MISUSED;
    if (!all && !take_id(r, &id))
        return command_misuse(r, "the ID is a number that golub queue list shows");
    if (!change_it(r->config, id, &count, &e))
        return command_fail(&e);
    printf("%zu message%s %s\n", count, count == 1 ? "" : "s", done);
    return COMMAND_DONE;
}

int run_queue_retry(struct command_run *r)
{
    return change(r, queue_admin_retry, "will be tried now");
}

int run_queue_drop(struct command_run *r)
{
    return change(r, queue_admin_drop, "dropped");
}
