/* The conversations of smtp_scripts.h. */
#include "base/log.h"
#include "check.h"
#include "smtp_fixture.h"
#include "smtp_scripts.h"

#include <stdio.h>
#include <string.h>

/* ~ matches a run without spaces, ... at the end anything. */
static bool matches(const char *text, const char *pattern)
{
    while (*pattern) {
        if (strcmp(pattern, "...") == 0)
            return true;
        if (*pattern == '~') {
            size_t run = strcspn(text, " ");
            if (run == 0)
                return false;
            text += run;
            pattern++;
        } else if (*pattern++ != *text++) {
            return false;
        }
    }
    return *text == '\0';
}

static void expect_event(const char *name, const char *want, size_t *at)
{
    const char *event = world.events + *at;
    size_t n = strcspn(event, "\n");
    char line[1000];
    snprintf(line, sizeof line, "%.*s", (int)n, event);
    if (n == 0)
        fail_msg("%s: nothing happened instead of: %s", name, want);
    if (!matches(line, want))
        fail_msg("%s: \"%s\" happened instead of \"%s\"", name, line, want);
    *at += n + 1;
}

static void expect_line(const char *name, struct client *c, const char *want, bool is_last)
{
    bool is_closed = false;
    do
        is_closed = !next_line(c);
    while (!is_closed && is_last && strlen(c->line) > 3 && c->line[3] == '-');
    if (strcmp(want, "<closed>") == 0 ? !is_closed : is_closed || !matches(c->line, want))
        fail_msg("%s: \"%s\" instead of \"%s\"", name, is_closed ? "<closed>" : c->line, want);
}

static void run(const struct smtp_script *s)
{
    struct client c;
    size_t at = 0;
    dial(&c, s->service, "192.0.2.1", s->tls);
    for (size_t i = 0; s->lines[i]; i++) {
        struct str line = str_from_c(s->lines[i]), text = str_from_offset(line, 3);
        if (str_starts(line, STR("C: "))) {
            sends(&c, text);
            sends(&c, STR("\r\n"));
        } else if (str_starts(line, STR("R: "))) {
            sends(&c, text);
        } else if (str_starts(line, STR("S: ")) || str_starts(line, STR("S> "))) {
            expect_line(s->name, &c, text.p, line.p[1] == '>');
        } else if (str_starts(line, STR("W: "))) {
            expect_event(s->name, text.p, &at);
        } else if (str_starts(line, STR("T: "))) {
            if (str_find(str_from(world.bytes, world.size), text) == STR_NONE)
                fail_msg("%s: \"%s\" is not in\n%.*s", s->name, text.p, (int)world.size, world.bytes);
        } else {
            fail_msg("%s: what is \"%s\"?", s->name, s->lines[i]);
        }
    }
    if (world.events[at])
        fail_msg("%s: this happened too: %s", s->name, world.events + at);
    hang_up(&c);
}

static void conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++)
        run(&SCRIPTS[i]);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
