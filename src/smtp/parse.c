#include "smtp/parse.h"

#include "message/address.h"

static struct str skip_spaces(struct str s)
{
    size_t n = 0;
    while (n < s.n && ascii_is_space(s.p[n]))
        n++;
    return str_from_offset(s, n);
}

/* The next word, up to white space; *rest then stands at the word after it. */
static struct str take_word(struct str *rest)
{
    struct str s = skip_spaces(*rest);
    size_t n = 0;
    while (n < s.n && !ascii_is_space(s.p[n]))
        n++;
    *rest = skip_spaces(str_from_offset(s, n));
    return str_slice(s, 0, n);
}

/* --- paths --- */

/* A-d-l ":" with A-d-l = At-domain *("," At-domain). It must be accepted and should be ignored; what follows
 * it is the address. False: it begins as a route and is none. */
static bool skip_source_route(struct str *in)
{
    if (!str_starts(*in, STR("@")))
        return true;
    size_t colon = str_find_byte(*in, ':');
    struct str route = str_slice(*in, 0, colon);
    for (size_t i = 0; i < route.n; i++) {
        char c = route.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '@' && c != '.' && c != '-' && c != '_' &&
            c != ',')
            return false;
    }
    if (colon == STR_NONE)
        return false;
    *in = str_from_offset(*in, colon + 1);
    return true;
}

/* Path = "<" [A-d-l ":"] Mailbox ">", with "<>" in MAIL and "<Postmaster>" in RCPT. */
static bool take_path(struct str *in, enum smtp_verb verb, bool utf8, struct arena *a, struct smtp_path *out)
{
    static const struct str POSTMASTER = STR_INIT("<postmaster>");
    *out = (struct smtp_path){STR(""), STR("")};
    if (verb == SMTP_MAIL && str_starts(*in, STR("<>"))) {
        *in = str_from_offset(*in, 2);
        return true;
    }
    if (verb == SMTP_RCPT && str_starts_nocase(*in, POSTMASTER)) {
        out->local = STR("postmaster");
        *in = str_from_offset(*in, POSTMASTER.n);
        return true;
    }
    if (!str_starts(*in, STR("<")))
        return false;
    struct str rest = str_from_offset(*in, 1);
    if (!skip_source_route(&rest) || !address_take_smtp(&rest, utf8, a, &out->local, &out->domain) ||
        !str_starts(rest, STR(">")))
        return false;
    *in = str_from_offset(rest, 1);
    return true;
}

struct str smtp_path_text(const struct smtp_path *p, struct arena *a)
{
    if (p->local.n == 0 && p->domain.n == 0)
        return STR("");
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT); /* bounded by the line that the path came from */
    address_add(&text, p->local, p->domain);
    return arena_copy(a, buf_str(&text));
}

struct str smtp_address_text(struct str plain, struct arena *a)
{
    size_t at = str_rfind_byte(plain, '@');
    struct smtp_path path = {str_slice(plain, 0, at),
                             at == STR_NONE ? STR("") : str_from_offset(plain, at + 1)};
    return smtp_path_text(&path, a);
}

/* --- the arguments of each verb --- */

/* What the rules of all verbs have in common. */
struct taking {
    unsigned offered;
    struct arena *a;
    struct smtp_command *out;
};

/* "FROM:" or "TO:" and the path; *rest is then the parameters. */
static enum smtp_fault take_address(struct str *rest, struct str keyword, const struct taking *t)
{
    bool utf8 = t->offered & EXTENSION_BIT(EXTENSION_SMTPUTF8);
    if (!str_starts_nocase(*rest, keyword))
        return SMTP_BAD_ARGUMENT;
    /* No space belongs behind the colon, but many programs put one there. */
    *rest = skip_spaces(str_from_offset(*rest, keyword.n));
    if (!take_path(rest, t->out->verb, utf8, t->a, &t->out->path) ||
        (rest->n > 0 && !ascii_is_space(rest->p[0])))
        return SMTP_BAD_PATH;
    *rest = skip_spaces(*rest);
    return SMTP_GOOD;
}

static const enum smtp_fault PARAMETER_FAULTS[] = {
    [PARAMETER_GOOD] = SMTP_GOOD,
    [PARAMETER_BAD] = SMTP_BAD_PARAMETER,
    [PARAMETER_UNKNOWN] = SMTP_UNKNOWN_PARAMETER,
};

bool smtp_path_is_ascii(const struct smtp_path *p)
{
    const struct str parts[] = {p->local, p->domain};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < parts[i].n; k++)
            if ((unsigned char)parts[i].p[k] >= 0x80)
                return false;
    return true;
}

static enum smtp_fault take_mail(struct str rest, const struct taking *t)
{
    struct smtp_command *out = t->out;
    enum smtp_fault fault = take_address(&rest, STR("FROM:"), t);
    if (fault == SMTP_GOOD)
        fault = PARAMETER_FAULTS[parameters_read_mail(rest, t->offered, t->a, &out->mail, &out->culprit)];
    if (fault == SMTP_GOOD && !out->mail.asked.is_utf8 && !smtp_path_is_ascii(&out->path))
        return SMTP_NEEDS_UTF8;
    return fault;
}

static enum smtp_fault take_rcpt(struct str rest, const struct taking *t)
{
    enum smtp_fault fault = take_address(&rest, STR("TO:"), t);
    return fault != SMTP_GOOD ? fault
                              : PARAMETER_FAULTS[parameters_read_rcpt(rest, t->offered, t->a, &t->out->rcpt,
                                                                      &t->out->culprit)];
}

/* "BDAT" SP chunk-size [SP "LAST"]: RFC 3030 section 2 */
static enum smtp_fault take_bdat(struct str rest, const struct taking *t)
{
    struct str size = take_word(&rest);
    t->out->is_last = str_eq_nocase(rest, STR("LAST"));
    bool good = str_to_u64(size, &t->out->octets) && (rest.n == 0 || t->out->is_last);
    return good ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

/* A domain or an address literal is asked for. Clients say their machine's name, which may be no domain, and
 * RFC 5321 section 4.1.4 wants them served; so any one printable word will do. */
static enum smtp_fault take_name(struct str rest, const struct taking *t)
{
    struct smtp_command *out = t->out;
    out->argument = take_word(&rest);
    bool good = out->argument.n > 0 && out->argument.n <= SMTP_HELO_MAX && rest.n == 0;
    return good ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static enum smtp_fault take_nothing(struct str rest, const struct taking *t)
{
    struct smtp_command *out = t->out;
    out->argument = rest;
    return rest.n == 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static enum smtp_fault take_anything(struct str rest, const struct taking *t)
{
    struct smtp_command *out = t->out;
    out->argument = rest;
    return SMTP_GOOD;
}

static enum smtp_fault take_string(struct str rest, const struct taking *t)
{
    take_anything(rest, t);
    return rest.n > 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

/* AUTH mechanism [initial-response] */
static enum smtp_fault take_auth(struct str rest, const struct taking *t)
{
    struct smtp_command *out = t->out;
    out->argument = take_word(&rest);
    out->has_initial = rest.n > 0;
    out->initial = take_word(&rest);
    return out->argument.n > 0 && rest.n == 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static const struct verb {
    struct str name;
    enum smtp_fault (*take)(struct str rest, const struct taking *t);
} VERBS[SMTP_VERB_COUNT] = {
    [SMTP_EHLO] = {STR_INIT("EHLO"), take_name},
    [SMTP_HELO] = {STR_INIT("HELO"), take_name},
    [SMTP_LHLO] = {STR_INIT("LHLO"), take_name},
    [SMTP_MAIL] = {STR_INIT("MAIL"), take_mail},
    [SMTP_RCPT] = {STR_INIT("RCPT"), take_rcpt},
    [SMTP_DATA] = {STR_INIT("DATA"), take_nothing},
    [SMTP_BDAT] = {STR_INIT("BDAT"), take_bdat},
    [SMTP_RSET] = {STR_INIT("RSET"), take_nothing},
    [SMTP_NOOP] = {STR_INIT("NOOP"), take_anything},
    [SMTP_QUIT] = {STR_INIT("QUIT"), take_nothing},
    [SMTP_VRFY] = {STR_INIT("VRFY"), take_string},
    [SMTP_HELP] = {STR_INIT("HELP"), take_anything},
    [SMTP_STARTTLS] = {STR_INIT("STARTTLS"), take_nothing},
    [SMTP_AUTH] = {STR_INIT("AUTH"), take_auth},
    [SMTP_EXPN] = {STR_INIT("EXPN"), take_string},
    [SMTP_XCLIENT] = {STR_INIT("XCLIENT"), take_string},
    [SMTP_XQUEUE] = {STR_INIT("XQUEUE"), take_string},
};

/* RFC 5321 section 4.1.2: commands are printable; what bytes over 127 mean (RFC 6531) is left to each rule.
 */
static bool has_control_byte(struct str line)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

enum smtp_fault smtp_parse(struct str line, unsigned offered, struct arena *a, struct smtp_command *out)
{
    const struct taking t = {.offered = offered, .a = a, .out = out};
    *out = (struct smtp_command){.verb = SMTP_VERB_COUNT};
    if (has_control_byte(line))
        return SMTP_BAD_BYTES;
    struct str rest = line;
    struct str word = take_word(&rest);
    rest = str_trim(rest); /* white space at the end of a line is harmless, and some clients send it */
    for (size_t i = 0; i < SMTP_VERB_COUNT; i++) {
        if (!str_eq_nocase(word, VERBS[i].name))
            continue;
        out->verb = (enum smtp_verb)i;
        return VERBS[i].take(rest, &t);
    }
    return SMTP_NO_SUCH_VERB;
}
