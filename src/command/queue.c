/* golub queue ... */
#include "base/log.h"
#include "command/parts.h"
#include "queue/admin.h"
#include "trace/note.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 1000 /* messages that are listed */

/* --- which --- */

/* [ID] [--sender P] [--recipient P] [--destination P]; --all where neither is. */
#define FILTER_MISUSE "say which: an ID, --sender, --recipient, --destination or --all"

static bool take_filter(struct command_run *r, struct queue_admin_filter *f, bool *bad)
{
    *f = (struct queue_admin_filter){.sender = command_take_value(r, "--sender", bad),
                                     .recipient = command_take_value(r, "--recipient", bad),
                                     .destination = command_take_value(r, "--destination", bad)};
    if (f->sender && strcmp(f->sender, "<>") == 0)
        f->sender = "";
    return !*bad;
}

static bool take_id(const struct command_run *r, int64_t *id)
{
    uint64_t number;
    if (r->argc == 0 || !str_to_u64(str_from_c(r->argv[0]), &number) || number == 0 || number > INT32_MAX)
        return false;
    *id = (int64_t)number;
    return true;
}

/* --- as text --- */

static const char *name_of(enum queue_state state)
{
    static const char *const NAMES[] = {[QUEUE_STATE_WAITING] = "waiting",
                                        [QUEUE_STATE_SENT] = "sent",
                                        [QUEUE_STATE_FAILED] = "failed",
                                        [QUEUE_STATE_HELD] = "held"};
    return (unsigned)state < sizeof NAMES / sizeof *NAMES ? NAMES[state] : "?";
}

static struct str shown(struct str sender)
{
    return sender.n ? sender : STR("<>");
}

static void print_message(void *context, const struct queue_admin_message *m)
{
    size_t *count = context;
    char at[20];
    printf("%7lld  %-16s  %9llu  ", (long long)m->id, command_time(m->arrived, at),
           (unsigned long long)m->size);
    command_print_clean(shown(m->sender));
    putchar('\n');
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_admin_recipient *to = &m->recipients[i];
        printf("         %-7s  ", name_of(to->state));
        command_print_clean(to->address);
        if (to->state == QUEUE_STATE_WAITING)
            printf("  after %u attempts, next %s", to->attempts, command_time(to->next_attempt, at));
        if (to->reply.n > 0) {
            printf("  ");
            command_print_clean(to->reply);
        }
        putchar('\n');
    }
    ++*count;
}

static void print_destination(void *context, const struct queue_admin_destination *d)
{
    size_t *count = context;
    char at[20];
    printf("%9llu  %9llu  %-16s  ", (unsigned long long)d->waiting, (unsigned long long)d->held,
           command_time(d->next_attempt, at));
    command_print_clean(d->domain.n ? d->domain : STR("(here)"));
    putchar('\n');
    ++*count;
}

/* --- as JSON: an object a line --- */

static void print_json_recipient(const struct queue_admin_recipient *to)
{
    printf("{\"address\":");
    command_print_json(to->address);
    printf(",\"destination\":");
    command_print_json(to->destination);
    printf(",\"state\":\"%s\",\"attempts\":%u,\"next\":%lld,\"host\":", name_of(to->state), to->attempts,
           (long long)to->next_attempt);
    command_print_json(to->host);
    printf(",\"reply\":");
    command_print_json(to->reply);
    putchar('}');
}

/* Without its closing brace. */
static void begin_json_message(const struct queue_admin_message *m)
{
    printf("{\"id\":%lld,\"arrived\":%lld,\"size\":%llu,\"sender\":", (long long)m->id, (long long)m->arrived,
           (unsigned long long)m->size);
    command_print_json(m->sender);
    printf(",\"recipients\":[");
    for (size_t i = 0; i < m->recipient_count; i++) {
        if (i > 0)
            putchar(',');
        print_json_recipient(&m->recipients[i]);
    }
    putchar(']');
}

static void print_json_message(void *context, const struct queue_admin_message *m)
{
    size_t *count = context;
    begin_json_message(m);
    printf("}\n");
    ++*count;
}

static void print_json_destination(void *context, const struct queue_admin_destination *d)
{
    size_t *count = context;
    printf("{\"destination\":");
    command_print_json(d->domain);
    printf(",\"waiting\":%llu,\"held\":%llu,\"next\":%lld}\n", (unsigned long long)d->waiting,
           (unsigned long long)d->held, (long long)d->next_attempt);
    ++*count;
}

/* --- list --- */

static int list_destinations(struct command_run *r, bool as_json)
{
    struct err e = ERR_INIT;
    size_t count = 0;
    if (!as_json)
        printf("%9s  %9s  %-16s  %s\n", "WAITING", "HELD", "NEXT", "DESTINATION");
    if (!queue_admin_destinations(r->config, as_json ? print_json_destination : print_destination, &count,
                                  &e))
        return command_fail(&e);
    return COMMAND_DONE;
}

int run_queue_list(struct command_run *r)
{
    struct err e = ERR_INIT;
    struct queue_admin_filter filter;
    size_t count = 0;
    uint32_t limit = LIMIT_DEFAULT;
    bool bad = false, more;
    bool as_json = command_take_flag(r, "--json"), by_destination = command_take_flag(r, "--destinations");
    const char *typed = command_take_value(r, "--limit", &bad);
    if (!take_filter(r, &filter, &bad))
        return command_misuse(r, NULL);
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (typed && (!str_to_u32(str_from_c(typed), &limit) || limit == 0))
        return command_misuse(r, "the limit is a number of messages");
    if (by_destination)
        return list_destinations(r, as_json);
    if (!as_json)
        printf("%7s  %-16s  %9s  %s\n", "ID", "ARRIVED", "BYTES", "SENDER AND RECIPIENTS");
    if (!queue_admin_list(r->config, &filter, limit, as_json ? print_json_message : print_message, &count,
                          &more, &e))
        return command_fail(&e);
    if (!as_json)
        printf("%zu message%s\n", count, count == 1 ? "" : "s");
    if (more)
        fprintf(stderr, "golub: there are more: --limit shows them, --destinations counts them\n");
    return COMMAND_DONE;
}

/* --- show --- */

static void print_attempt(const struct queue_admin_attempt *t)
{
    char at[20];
    printf("  %s  ", command_time(t->at, at));
    command_print_clean(t->address);
    printf("  ");
    command_print_clean(t->host);
    printf("  ");
    command_print_clean(t->reply);
    putchar('\n');
    command_print_transcript(t->transcript);
}

static void print_header(struct str header)
{
    struct str line;
    while (header.n > 0) {
        str_cut(&header, '\n', &line);
        command_print_clean(str_trim(line).n ? str_slice(line, 0, line.n - (line.p[line.n - 1] == '\r'))
                                             : STR(""));
        putchar('\n');
    }
}

static void print_json_shown(const struct queue_admin_message *m)
{
    begin_json_message(m);
    printf(",\"attempts\":[");
    for (size_t i = 0; i < m->attempt_count; i++) {
        const struct queue_admin_attempt *t = &m->attempts[i];
        printf("%s{\"at\":%lld,\"address\":", i ? "," : "", (long long)t->at);
        command_print_json(t->address);
        printf(",\"host\":");
        command_print_json(t->host);
        printf(",\"reply\":");
        command_print_json(t->reply);
        printf(",\"transcript\":");
        command_print_json(t->transcript);
        putchar('}');
    }
    printf("],\"header\":");
    command_print_json(m->header);
    printf("}\n");
}

int run_queue_show(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct queue_admin_message m;
    struct err e = ERR_INIT;
    size_t count = 0;
    int64_t id;
    bool as_json = command_take_flag(r, "--json");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!take_id(r, &id))
        return command_misuse(r, "the ID is a number that golub queue list shows");
    if (!queue_admin_show(r->config, id, &a, &m, &e))
        return command_fail(&e);
    if (as_json) {
        print_json_shown(&m);
        return COMMAND_DONE;
    }
    print_message(&count, &m);
    if (m.attempt_count > 0)
        printf("\nattempts\n");
    for (size_t i = 0; i < m.attempt_count; i++)
        print_attempt(&m.attempts[i]);
    printf("\nheader\n");
    print_header(m.header);
    return COMMAND_DONE;
}

/* --- changes --- */

static const struct action {
    const char *event, *done;
} ACTIONS[QUEUE_ADMIN_ACTIONS] = {
    [QUEUE_ADMIN_HOLD] = {"queue.held", "held"},
    [QUEUE_ADMIN_RELEASE] = {"queue.released", "released, to be tried now"},
    [QUEUE_ADMIN_RETRY] = {"queue.retried", "to be tried now"},
    [QUEUE_ADMIN_DROP] = {"queue.dropped", "dropped"},
    [QUEUE_ADMIN_REDIRECT] = {"queue.redirected", "redirected"},
};

struct changing {
    const struct action *action;
    struct str to;
    struct trace_notes notes;
};

static void note(void *context, const struct queue_admin_change *change)
{
    struct changing *c = context;
    char id[33] = "";
    if (change->delivery.n == 16)
        str_write_hex((const unsigned char *)change->delivery.p, 16, id);
    LOG_INFO(c->action->event, F_C("id", id), F_INT("queue", change->message), F_STR("from", change->sender),
             F_STR("to", change->address), F_STR("into", c->to), F_C("by", "an administrator"));
    trace_notes_take(&c->notes);
}

static int change(struct command_run *r, enum queue_admin_action action, struct str to)
{
    struct err e = ERR_INIT;
    struct queue_admin_filter filter;
    struct queue_admin_counts counts = {0};
    struct changing c = {.action = &ACTIONS[action], .to = to};
    bool bad = false, all = command_take_flag(r, "--all");
    if (!take_filter(r, &filter, &bad))
        return command_misuse(r, NULL);
    bool has_pattern = filter.sender || filter.recipient || filter.destination;
    if (!command_has_arguments(r, 0, all ? 0 : 1))
        return COMMAND_MISUSED;
    if (r->argc == 1 && !take_id(r, &filter.id))
        return command_misuse(r, "the ID is a number that golub queue list shows");
    if (r->argc == 0 && !all && !has_pattern)
        return command_misuse(r, FILTER_MISUSE);
    trace_notes_begin(&c.notes, r->config->data);
    bool good = queue_admin_change(r->config, action, &filter, to, note, &c, &counts, &e);
    if (!trace_notes_end(&c.notes))
        fprintf(stderr, "golub: the trace does not know of it: %s\n", c.notes.error.text);
    if (!good)
        return command_fail(&e);
    printf("%zu message%s %s", counts.messages, counts.messages == 1 ? "" : "s", c.action->done);
    printf(" (%zu recipient%s)\n", counts.recipients, counts.recipients == 1 ? "" : "s");
    return COMMAND_DONE;
}

int run_queue_hold(struct command_run *r)
{
    return change(r, QUEUE_ADMIN_HOLD, STR(""));
}

int run_queue_release(struct command_run *r)
{
    return change(r, QUEUE_ADMIN_RELEASE, STR(""));
}

int run_queue_retry(struct command_run *r)
{
    return change(r, QUEUE_ADMIN_RETRY, STR(""));
}

int run_queue_drop(struct command_run *r)
{
    return change(r, QUEUE_ADMIN_DROP, STR(""));
}

int run_queue_redirect(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    bool bad = false;
    const char *typed = command_take_value(r, "--to", &bad);
    struct str to = typed ? command_address(typed, &a) : STR("");
    size_t at = str_rfind_byte(to, '@');
    if (bad || !typed)
        return command_misuse(r, "to whom? --to ADDRESS");
    if (at == STR_NONE || at == 0 || at + 1 == to.n)
        return command_misuse(r, "--to takes an address, NAME@DOMAIN");
    return change(r, QUEUE_ADMIN_REDIRECT, to);
}
