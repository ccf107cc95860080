#include "smtp/parse.h"

#include "message/address.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

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
static bool take_path(struct str *in, enum smtp_verb verb, struct arena *a, struct smtp_path *out)
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
    if (!skip_source_route(&rest) || !address_take_smtp(&rest, false, a, &out->local, &out->domain) ||
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

/* --- parameters --- */

static enum smtp_fault read_size(struct str value, struct smtp_command *out)
{
    size_t digits = 0;
    while (digits < value.n && ascii_is_digit(value.p[digits]))
        digits++;
    if (digits == 0 || digits != value.n || digits > 20 || out->has_size) /* RFC 1870 section 3: 1*20DIGIT */
        return SMTP_BAD_PARAMETER;
    out->has_size = true;
    out->size = UINT64_MAX;
    str_to_u64(value, &out->size); /* twenty digits may not fit: then it is too large in any case */
    return SMTP_GOOD;
}

static enum smtp_fault read_body(struct str value, struct smtp_command *out)
{
    out->is_8bit = str_eq_nocase(value, STR("8BITMIME"));
    return out->is_8bit || str_eq_nocase(value, STR("7BIT")) ? SMTP_GOOD : SMTP_BAD_PARAMETER;
}

/* RFC 4954 section 5: AUTH=<> or an xtext mailbox. We trust nobody to vouch for a sender, as if AUTH=<> had
 * been said. */
static enum smtp_fault read_auth(struct str value, struct smtp_command *out)
{
    (void)out;
    return value.n > 0 ? SMTP_GOOD : SMTP_BAD_PARAMETER;
}

static const struct parameter {
    struct str keyword;
    enum smtp_fault (*read)(struct str value, struct smtp_command *out);
} MAIL_PARAMETERS[] = {
    {STR_INIT("SIZE"), read_size},
    {STR_INIT("BODY"), read_body},
    {STR_INIT("AUTH"), read_auth},
};

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
static enum smtp_fault read_parameter(struct str word, struct smtp_command *out, unsigned *seen)
{
    struct str value = word, keyword;
    if (!str_cut(&value, '=', &keyword)) {
        keyword = word;
        value = STR("");
    }
    for (size_t i = 0; out->verb == SMTP_MAIL && i < COUNT(MAIL_PARAMETERS); i++) {
        if (!str_eq_nocase(keyword, MAIL_PARAMETERS[i].keyword))
            continue;
        if (*seen & 1u << i)
            return SMTP_BAD_PARAMETER;
        *seen |= 1u << i;
        return MAIL_PARAMETERS[i].read(value, out);
    }
    return SMTP_UNKNOWN_PARAMETER;
}

static enum smtp_fault read_parameters(struct str rest, struct smtp_command *out)
{
    unsigned seen = 0;
    enum smtp_fault fault = SMTP_GOOD;
    while (fault == SMTP_GOOD && rest.n > 0)
        fault = read_parameter(take_word(&rest), out, &seen);
    return fault;
}

/* --- the arguments of each verb --- */

static enum smtp_fault take_mail_or_rcpt(struct str rest, struct str keyword, struct arena *a,
                                         struct smtp_command *out)
{
    if (!str_starts_nocase(rest, keyword))
        return SMTP_BAD_ARGUMENT;
    /* No space belongs behind the colon, but many programs put one there. */
    rest = skip_spaces(str_from_offset(rest, keyword.n));
    if (!take_path(&rest, out->verb, a, &out->path) || (rest.n > 0 && !ascii_is_space(rest.p[0])))
        return SMTP_BAD_PATH;
    return read_parameters(skip_spaces(rest), out);
}

static enum smtp_fault take_mail(struct str rest, struct arena *a, struct smtp_command *out)
{
    return take_mail_or_rcpt(rest, STR("FROM:"), a, out);
}

static enum smtp_fault take_rcpt(struct str rest, struct arena *a, struct smtp_command *out)
{
    return take_mail_or_rcpt(rest, STR("TO:"), a, out);
}

/* A domain or an address literal is asked for. Clients say their machine's name, which may be no domain, and
 * RFC 5321 section 4.1.4 wants them served; so any one printable word will do. */
static enum smtp_fault take_name(struct str rest, struct arena *a, struct smtp_command *out)
{
    (void)a;
    out->argument = take_word(&rest);
    bool good = out->argument.n > 0 && out->argument.n <= SMTP_HELO_MAX && rest.n == 0;
    return good ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static enum smtp_fault take_nothing(struct str rest, struct arena *a, struct smtp_command *out)
{
    (void)a;
    out->argument = rest;
    return rest.n == 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static enum smtp_fault take_anything(struct str rest, struct arena *a, struct smtp_command *out)
{
    (void)a;
    out->argument = rest;
    return SMTP_GOOD;
}

static enum smtp_fault take_string(struct str rest, struct arena *a, struct smtp_command *out)
{
    take_anything(rest, a, out);
    return rest.n > 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

/* AUTH mechanism [initial-response] */
static enum smtp_fault take_auth(struct str rest, struct arena *a, struct smtp_command *out)
{
    (void)a;
    out->argument = take_word(&rest);
    out->has_initial = rest.n > 0;
    out->initial = take_word(&rest);
    return out->argument.n > 0 && rest.n == 0 ? SMTP_GOOD : SMTP_BAD_ARGUMENT;
}

static const struct verb {
    struct str name;
    enum smtp_fault (*take)(struct str rest, struct arena *a, struct smtp_command *out);
} VERBS[SMTP_VERB_COUNT] = {
    [SMTP_EHLO] = {STR_INIT("EHLO"), take_name},
    [SMTP_HELO] = {STR_INIT("HELO"), take_name},
    [SMTP_MAIL] = {STR_INIT("MAIL"), take_mail},
    [SMTP_RCPT] = {STR_INIT("RCPT"), take_rcpt},
    [SMTP_DATA] = {STR_INIT("DATA"), take_nothing},
    [SMTP_RSET] = {STR_INIT("RSET"), take_nothing},
    [SMTP_NOOP] = {STR_INIT("NOOP"), take_anything},
    [SMTP_QUIT] = {STR_INIT("QUIT"), take_nothing},
    [SMTP_VRFY] = {STR_INIT("VRFY"), take_string},
    [SMTP_HELP] = {STR_INIT("HELP"), take_anything},
    [SMTP_STARTTLS] = {STR_INIT("STARTTLS"), take_nothing},
    [SMTP_AUTH] = {STR_INIT("AUTH"), take_auth},
    [SMTP_EXPN] = {STR_INIT("EXPN"), take_string},
};

/* RFC 5321 section 4.1.2: commands are printable; SMTPUTF8 (RFC 6531) is not offered, but what bytes over 127
 * mean is left to each rule. */
static bool has_control_byte(struct str line)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

enum smtp_fault smtp_parse(struct str line, struct arena *a, struct smtp_command *out)
{
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
        return VERBS[i].take(rest, a, out);
    }
    return SMTP_NO_SUCH_VERB;
}
