/* golub trace: what became of a message. */
#include "base/clock.h"
#include "base/mem.h"
#include "command/parts.h"
#include "command/trace_words.h"
#include "trace/ask.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 100 /* messages: some screens */

struct wish {
    struct trace_question question;
    bool as_json;
};

/* --- as text --- */

static void print_line(const struct trace_said *said, struct arena *a)
{
    struct trace_line l;
    if (!trace_line_read(said->text, a, &l))
        return;
    struct str talk = trace_line_get(&l, STR("transcript"));
    command_print_transcript(talk);
    if (str_eq(l.event, STR("queue.attempt"))) /* a line with nothing else, until November 2026 */
        return;
    printf("  ");
    command_print_moment(said->at, true);
    struct str words = trace_words(&l, a);
    printf("  %.*s\n", STR_ARGS(words));
}

static void print_message(const struct trace_message *m, struct arena *a)
{
    if (m->delivery.n > 0 && m->queue > 0)
        printf("message %.*s, number %llu in the queue\n", STR_ARGS(m->delivery),
               (unsigned long long)m->queue);
    else if (m->delivery.n > 0)
        printf("message %.*s\n", STR_ARGS(m->delivery));
    else if (m->queue > 0)
        printf("message number %llu in the queue\n", (unsigned long long)m->queue);
    else
        printf("no message\n");
    for (size_t i = 0; i < m->count; i++) {
        print_line(&m->lines[i], a);
        arena_reset(a);
    }
    putchar('\n');
}

/* --- as JSON: an object a message, a line each --- */

static void print_json_line(const struct trace_said *said, struct arena *a)
{
    struct trace_line l;
    uint64_t number;
    if (!trace_line_read(said->text, a, &l))
        return;
    printf("{\"time\":\"%.*s\",\"role\":", (int)str_find_byte(l.text, ' '), l.text.p);
    command_print_json(l.role);
    printf(",\"event\":");
    command_print_json(l.event);
    for (size_t i = 0; i < l.count; i++) {
        const struct trace_field *f = &l.fields[i];
        putchar(',');
        command_print_json(f->key);
        putchar(':');
        if (!f->is_quoted && str_to_u64(f->value, &number) && number < UINT64_C(1) << 53)
            printf("%llu", (unsigned long long)number);
        else
            command_print_json(f->value);
    }
    putchar('}');
}

static void print_json(const struct trace_message *m, struct arena *a)
{
    printf("{\"delivery\":");
    command_print_json(m->delivery);
    printf(",\"queue\":%llu,\"events\":[", (unsigned long long)m->queue);
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0)
            putchar(',');
        print_json_line(&m->lines[i], a);
        arena_reset(a);
    }
    printf("]}\n");
}

/* --- the command --- */

static bool take_moment(struct command_run *r, const char *name, int64_t *at, int64_t otherwise, bool *bad)
{
    const char *typed = command_take_value(r, name, bad);
    int64_t seconds;
    *at = otherwise;
    if (!typed)
        return true;
    if (!command_read_moment(typed, &seconds))
        return false;
    *at = seconds * 1000;
    return true;
}

static int take_wish(struct command_run *r, struct wish *w)
{
    bool bad = false;
    uint32_t limit = LIMIT_DEFAULT;
    w->as_json = command_take_flag(r, "--json");
    const char *typed_limit = command_take_value(r, "--limit", &bad);
    if (!take_moment(r, "--since", &w->question.since, 0, &bad) ||
        !take_moment(r, "--until", &w->question.until, INT64_MAX, &bad))
        return command_misuse(r, "when: " COMMAND_MOMENT_FORMS);
    if (bad)
        return command_misuse(r, NULL);
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (typed_limit && (!str_to_u32(str_from_c(typed_limit), &limit) || limit == 0))
        return command_misuse(r, "the limit is a number of messages");
    w->question.limit = limit;
    w->question.typed = str_from_c(r->argv[0]);
    return COMMAND_DONE;
}

static void print_rest(const struct trace_answer *answer)
{
    if (answer->count == 0)
        fprintf(stderr, "golub: the trace has nothing about that\n");
    if (answer->left_out > 0)
        fprintf(stderr,
                "golub: the newest %zu are shown; %zu older ones are not (--limit, --since, --until)\n",
                answer->count, answer->left_out);
    if (answer->lost > 0)
        fprintf(stderr, "golub: %llu lines of that time were lost under load, perhaps some of these\n",
                (unsigned long long)answer->lost);
}

int run_trace(struct command_run *r)
{
    CLEAN_TRACE_ANSWER struct trace_answer answer = {0};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FREE char *folder = trace_folder(r->config->data);
    struct wish w = {0};
    struct err e = ERR_INIT;
    int code = take_wish(r, &w);
    if (code != COMMAND_DONE)
        return code;
    if (!trace_ask(folder, &w.question, &answer, &e))
        return command_fail(&e);
    for (size_t i = 0; i < answer.count; i++) {
        if (w.as_json)
            print_json(&answer.messages[i], &a);
        else
            print_message(&answer.messages[i], &a);
    }
    print_rest(&answer);
    return answer.count > 0 ? COMMAND_DONE : COMMAND_FAILED;
}
