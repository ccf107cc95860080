#include "pop3/parse.h"

#include "sasl/sasl.h"

enum arguments {
    NOTHING,
    TEXT,         /* the rest of the line, at least one byte */
    MAYBE_NUMBER, /* a message, or none for all */
    NUMBER,       /* a message */
    NUMBER_AND_LINES,
    RANGE,     /* none, or a word */
    MECHANISM, /* none, or a mechanism, or that and an initial response */
    WHATEVER,  /* the command is refused anyway */
};

static const struct {
    struct str word;
    enum pop3_verb verb;
    enum arguments arguments;
} COMMANDS[] = {
    {STR_INIT("APOP"), POP3_APOP, WHATEVER},     {STR_INIT("AUTH"), POP3_AUTH, MECHANISM},
    {STR_INIT("CAPA"), POP3_CAPA, NOTHING},      {STR_INIT("DELE"), POP3_DELE, NUMBER},
    {STR_INIT("LANG"), POP3_LANG, RANGE},        {STR_INIT("LIST"), POP3_LIST, MAYBE_NUMBER},
    {STR_INIT("NOOP"), POP3_NOOP, NOTHING},      {STR_INIT("PASS"), POP3_PASS, TEXT},
    {STR_INIT("QUIT"), POP3_QUIT, NOTHING},      {STR_INIT("RETR"), POP3_RETR, NUMBER},
    {STR_INIT("RSET"), POP3_RSET, NOTHING},      {STR_INIT("STAT"), POP3_STAT, NOTHING},
    {STR_INIT("STLS"), POP3_STLS, NOTHING},      {STR_INIT("TOP"), POP3_TOP, NUMBER_AND_LINES},
    {STR_INIT("UIDL"), POP3_UIDL, MAYBE_NUMBER}, {STR_INIT("USER"), POP3_USER, TEXT},
    {STR_INIT("UTF8"), POP3_UTF8, NOTHING},
};

/* The bytes up to the next space, which is stepped over; all of them where there is none. */
static struct str take_word(struct str *rest)
{
    struct str word;
    str_cut(rest, ' ', &word);
    return word;
}

static bool fail(const char **problem, const char *text)
{
    *problem = text;
    return false;
}

/* Trailing spaces are forgiven where no text is awaited: old clients pad. */
static bool take_arguments(struct str rest, enum arguments arguments, struct pop3_command *out,
                           const char **problem)
{
    if (arguments == TEXT) {
        out->text = rest;
        return rest.n > 0 || fail(problem, "an argument is missing");
    }
    if (arguments == WHATEVER)
        return true;
    rest = str_trim(rest);
    if (arguments == NOTHING)
        return rest.n == 0 || fail(problem, "no argument belongs here");
    if (arguments == RANGE) {
        out->text = rest;
        return str_find_byte(rest, ' ') == STR_NONE || fail(problem, "one language at most");
    }
    if (arguments == MECHANISM) {
        out->text = take_word(&rest);
        out->has_response = rest.n > 0;
        out->response = rest;
        return str_find_byte(rest, ' ') == STR_NONE || fail(problem, "one initial response at most");
    }
    struct str number = take_word(&rest);
    if (number.n == 0)
        return arguments == MAYBE_NUMBER || fail(problem, "a message number is missing");
    out->has_number = true;
    if (!str_to_u32(number, &out->number) || out->number == 0)
        return fail(problem, "that is no message number");
    if (arguments == NUMBER_AND_LINES)
        return str_to_u32(rest, &out->lines) || fail(problem, "a number of lines is missing");
    return rest.n == 0 || fail(problem, "one message number at most");
}

bool pop3_parse(struct str line, struct pop3_command *out, const char **problem)
{
    *out = (struct pop3_command){.verb = POP3_UNKNOWN};
    /* CR and NUL have no place in a line: what one side takes for a line end must be one for all. */
    if (str_find_byte(line, '\r') != STR_NONE || str_find_byte(line, '\0') != STR_NONE)
        return fail(problem, "a control character stands in the line");
    struct str rest = line, word = take_word(&rest);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (str_eq_nocase(word, COMMANDS[i].word)) {
            out->verb = COMMANDS[i].verb;
            return take_arguments(rest, COMMANDS[i].arguments, out, problem);
        }
    return fail(problem, "unknown command");
}

void pop3_add_capabilities(struct buf *out, const struct config *config, const struct pop3_offer *offer)
{
    buf_add(out, STR("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"));
    if (config->pop3_expire_days == 0)
        buf_add(out, STR("EXPIRE NEVER\r\n"));
    else
        buf_addf(out, "EXPIRE %u\r\n", config->pop3_expire_days);
    if (config->pop3_login_delay_s > 0)
        buf_addf(out, "LOGIN-DELAY %u\r\n", config->pop3_login_delay_s);
    buf_add(out, STR("UTF8 USER\r\nLANG\r\n"));
    if (offer->starttls)
        buf_add(out, STR("STLS\r\n"));
    if (offer->login) {
        buf_add(out, STR("USER\r\nSASL "));
        sasl_add_names(out, "", " ", offer->bindings);
        buf_add(out, STR("\r\n"));
    }
    buf_add(out, STR("IMPLEMENTATION golub\r\n.\r\n"));
}

/* The languages of RFC 6856 section 3, which wants i-default too: it is English (RFC 2277 section 4.5). */
static const struct {
    struct str tag;
    const char *name;
} LANGUAGES[] = {{STR_INIT("en"), "English"}, {STR_INIT("i-default"), "Default"}};

/* Lookup of RFC 4647 section 3.4: a range that matches nothing is tried without its last subtag. */
static const struct str *find_language(struct str range)
{
    if (str_eq(range, STR("*")))
        return &LANGUAGES[0].tag;
    while (range.n > 0) {
        for (size_t i = 0; i < sizeof LANGUAGES / sizeof *LANGUAGES; i++)
            if (str_eq_nocase(range, LANGUAGES[i].tag))
                return &LANGUAGES[i].tag;
        size_t cut = str_rfind_byte(range, '-');
        range = str_slice(range, 0, cut == STR_NONE ? 0 : cut);
    }
    return NULL;
}

void pop3_answer_lang(const struct pop3_command *c, struct buf *out)
{
    if (c->text.n == 0) {
        buf_add(out, STR("+OK Languages follow\r\n"));
        for (size_t i = 0; i < sizeof LANGUAGES / sizeof *LANGUAGES; i++)
            buf_addf(out, "%.*s %s\r\n", STR_ARGS(LANGUAGES[i].tag), LANGUAGES[i].name);
        buf_add(out, STR(".\r\n"));
        return;
    }
    const struct str *tag = find_language(c->text);
    if (tag)
        buf_addf(out, "+OK %.*s English it is\r\n", STR_ARGS(*tag));
    else
        buf_add(out, STR("-ERR There are no words in that language; LANG lists those there are\r\n"));
}

const char *pop3_system_code(const struct err *e)
{
    return e->kind == ERR_TEMPORARY ? "SYS/TEMP" : "SYS/PERM";
}
