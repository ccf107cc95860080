#include "sendmail/options.h"

#include <string.h>

int sendmail_mode_of(const char *path)
{
    static const struct {
        const char *name;
        enum sendmail_mode mode;
    } NAMES[] = {{"sendmail", SENDMAIL_SEND}, {"mailq", SENDMAIL_LIST}, {"newaliases", SENDMAIL_NEWALIASES}};
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(slash ? slash + 1 : path, NAMES[i].name) == 0)
            return (int)NAMES[i].mode;
    return -1;
}

/* How a letter takes its value: behind it or as the next argument; only behind it (-q30m, -oi); not at all.
 */
enum taking { TAKES_NOTHING, TAKES_VALUE, TAKES_REST };
static const struct {
    char letter;
    enum taking taking;
} LETTERS[] = {
    {'A', TAKES_REST},    {'B', TAKES_VALUE},   {'C', TAKES_VALUE},   {'F', TAKES_VALUE},
    {'G', TAKES_NOTHING}, {'I', TAKES_NOTHING}, {'L', TAKES_VALUE},   {'N', TAKES_VALUE},
    {'O', TAKES_VALUE},   {'R', TAKES_VALUE},   {'U', TAKES_NOTHING}, {'V', TAKES_VALUE},
    {'X', TAKES_VALUE},   {'b', TAKES_VALUE},   {'c', TAKES_NOTHING}, {'d', TAKES_REST},
    {'e', TAKES_REST},    {'f', TAKES_VALUE},   {'h', TAKES_VALUE},   {'i', TAKES_NOTHING},
    {'m', TAKES_NOTHING}, {'n', TAKES_NOTHING}, {'o', TAKES_REST},    {'p', TAKES_VALUE},
    {'q', TAKES_REST},    {'r', TAKES_VALUE},   {'t', TAKES_NOTHING}, {'v', TAKES_NOTHING},
    {'x', TAKES_NOTHING},
};

static bool find(char letter, enum taking *out)
{
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++)
        if (LETTERS[i].letter == letter) {
            *out = LETTERS[i].taking;
            return true;
        }
    return false;
}

/* Nothing that comes from a command line may begin a line in a header or a command. */
static bool is_clean(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < ' ' || *value == 127)
            return false;
    return true;
}

static bool take_mode(struct sendmail_options *o, const char *value, struct err *e)
{
    switch (value[0]) {
    case 'm': return true;
    case 'p': o->mode = SENDMAIL_LIST; return true;
    case 'i': o->mode = SENDMAIL_NEWALIASES; return true;
    case 's': o->mode = SENDMAIL_SESSION; return true;
    case 'd':
    case 'D':
    case 'l': return err_set(e, ERR_PERMANENT, "-b%s: the server is started with golub serve", value);
    default: return err_set(e, ERR_PERMANENT, "-b%s is not known here", value);
    }
}

/* RFC 3461 section 4.1: NEVER, or a list of the others. */
static bool take_notify(struct sendmail_options *o, const char *value, struct err *e)
{
    struct str rest = str_from_c(value), word;
    size_t words = 0;
    bool never = false;
    while (rest.n > 0) {
        str_cut(&rest, ',', &word);
        bool is_never = str_eq_nocase(word, STR("never"));
        if (!is_never && !str_eq_nocase(word, STR("success")) && !str_eq_nocase(word, STR("failure")) &&
            !str_eq_nocase(word, STR("delay")))
            return err_set(e, ERR_PERMANENT, "-N takes never, or a list of success, failure and delay");
        never |= is_never;
        words++;
    }
    if (words == 0 || (never && words > 1))
        return err_set(e, ERR_PERMANENT, "-N takes never, or a list of success, failure and delay");
    o->notify = value;
    return true;
}

static bool take_return(struct sendmail_options *o, const char *value, struct err *e)
{
    struct str s = str_from_c(value);
    if (!str_eq_nocase(s, STR("full")) && !str_eq_nocase(s, STR("hdrs")))
        return err_set(e, ERR_PERMANENT, "-R takes full or hdrs");
    o->ret = value;
    return true;
}

/* What has no meaning here (how errors are told, how deep, which log) is taken and left. */
static bool take(struct sendmail_options *o, char letter, const char *value, struct err *e)
{
    switch (letter) {
    case 'b': return take_mode(o, value, e);
    case 'C': o->config = value; break;
    case 'F': o->name = value; break;
    case 'f':
    case 'r': o->sender = strcmp(value, "<>") == 0 ? "" : value; break;
    case 'I': o->mode = SENDMAIL_NEWALIASES; break;
    case 'i': o->dot_is_text = true; break;
    case 'N': return take_notify(o, value, e);
    case 'o': o->dot_is_text |= value[0] == 'i'; break;
    case 'q': o->mode = SENDMAIL_FLUSH; break;
    case 'R': return take_return(o, value, e);
    case 't': o->has_recipients = true; break;
    case 'V': o->envelope_id = value; break;
    case 'v': o->is_verbose = true; break;
    default: break;
    }
    return true;
}

/* -O name=value: of all those settings only this one has a meaning here. */
static void take_setting(struct sendmail_options *o, const char *value)
{
    if (str_eq_nocase(str_from_c(value), STR("IgnoreDots=true")))
        o->dot_is_text = true;
}

/* One argument that begins with a dash: letters in a row, up to one that takes a value. *at is the argument's
 * place, moved on if the value is the next. */
static bool take_argument(struct sendmail_options *o, int argc, char *const *argv, int *at, struct err *e)
{
    for (const char *c = argv[*at] + 1; *c; c++) {
        enum taking taking;
        const char *value = "";
        if (!find(*c, &taking))
            return err_set(e, ERR_PERMANENT, "there is no option -%c", *c);
        if (taking != TAKES_NOTHING)
            value = c + 1;
        if (taking == TAKES_VALUE && *value == '\0') {
            if (*at + 1 >= argc)
                return err_set(e, ERR_PERMANENT, "-%c needs a value", *c);
            value = argv[++*at];
        }
        if (!is_clean(value))
            return err_set(e, ERR_PERMANENT, "the value of -%c has control characters", *c);
        if (*c == 'O')
            take_setting(o, value);
        else if (!take(o, *c, value, e))
            return false;
        if (taking != TAKES_NOTHING)
            return true;
    }
    return true;
}

bool sendmail_options_read(int argc, char *const *argv, struct sendmail_options *out, struct err *e)
{
    int mode = sendmail_mode_of(argv[0]), at = 1;
    *out = (struct sendmail_options){.mode = mode >= 0 ? (enum sendmail_mode)mode : SENDMAIL_SEND};
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (!take_argument(out, argc, argv, &at, e))
            return false;
    }
    out->first_recipient = at;
    for (; at < argc; at++)
        if (!is_clean(argv[at]))
            return err_set(e, ERR_PERMANENT, "a recipient has control characters");
    return true;
}
