#include "directory/aliases_file.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to `stop` outside quotes: taken off the front of *s, the stop too. */
static struct str take_until(struct str *s, char stop, struct arena *a)
{
    char *out = ARENA_ARRAY(a, char, s->n + 1);
    size_t n = 0, i = 0;
    bool quoted = false, is_escaped = false, was_quoted = false;
    *s = str_trim(*s);
    for (; i < s->n && (quoted || is_escaped || s->p[i] != stop); i++) {
        char c = s->p[i];
        if (is_escaped || (c != '\\' && c != '"'))
            out[n++] = c;
        else if (c == '"')
            quoted = !quoted, was_quoted = true;
        is_escaped = !is_escaped && c == '\\';
    }
    *s = str_from_offset(*s, i < s->n ? i + 1 : i);
    struct str taken = str_from(out, n);
    return was_quoted ? taken : str_trim(taken);
}

static struct str take_line(struct aliases_reader *r)
{
    struct str line = STR("");
    r->line++;
    str_cut(&r->rest, '\n', &line);
    return line;
}

static bool is_empty(struct str line)
{
    struct str text = str_trim(line);
    return text.n == 0 || text.p[0] == '#';
}

/* The next line that says something. */
static bool skip_empty(struct aliases_reader *r)
{
    struct aliases_reader ahead = *r;
    while (ahead.rest.n > 0) {
        *r = ahead;
        if (!is_empty(take_line(&ahead)))
            return true;
    }
    *r = ahead;
    return false;
}

/* A line with what goes on in further ones, without comments between. */
static bool next_line(struct aliases_reader *r, struct arena *a, unsigned *number, struct str *out)
{
    if (!skip_empty(r))
        return false;
    struct aliases_reader end = *r;
    take_line(&end);
    while (skip_empty(&end) && is_blank(end.rest.p[0]))
        take_line(&end);
    char *text = ARENA_ARRAY(a, char, r->rest.n - end.rest.n + 1);
    size_t n = 0;
    *number = r->line + 1;
    while (r->line < end.line) {
        struct str line = take_line(r);
        if (is_empty(line))
            continue;
        memcpy(text + n, line.p, line.n);
        n += line.n;
        text[n++] = ' '; /* for its line end */
    }
    *out = str_from(text, n);
    return true;
}

bool aliases_next(struct aliases_reader *r, struct arena *a, struct aliases_entry *out)
{
    struct str line;
    *out = (struct aliases_entry){.name = STR("")};
    if (!next_line(r, a, &out->line, &line))
        return false;
    if (str_find_byte(line, ':') != STR_NONE)
        out->name = take_until(&line, ':', a);
    size_t commas = 0;
    for (size_t i = 0; i < line.n; i++)
        commas += line.p[i] == ',';
    out->targets = ARENA_ARRAY(a, struct str, commas + 1);
    while (str_trim(line).n > 0) {
        struct str target = take_until(&line, ',', a);
        if (target.n > 0)
            out->targets[out->count++] = target;
    }
    return true;
}

const char *aliases_other_kind(struct str target)
{
    static const struct {
        struct str front;
        const char *what;
    } KINDS[] = {
        {STR_INIT("|"), "a program"}, {STR_INIT("/"), "a file"}, {STR_INIT(":"), "a list in a file"}};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (str_starts(target, KINDS[i].front))
            return KINDS[i].what;
    return NULL;
}
