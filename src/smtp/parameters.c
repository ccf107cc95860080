#include "smtp/parameters.h"

#include "message/timestamp.h"
#include "message/xtext.h"
#include "smtp/orcpt.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* What a parameter is read into: `mail` or `rcpt`. */
struct reading {
    struct arena *a;
    unsigned offered;
    struct smtp_mail_parameters *mail;
    struct envelope_recipient *rcpt;
};

/* At least one digit, at most `digits`, and nothing else. */
static bool take_number(struct str value, size_t digits, uint64_t *out)
{
    return value.n <= digits && str_to_u64(value, out);
}

/* --- of MAIL --- */

static bool read_size(struct reading *r, struct str value)
{
    size_t digits = 0;
    while (digits < value.n && ascii_is_digit(value.p[digits]))
        digits++;
    if (digits == 0 || digits != value.n || digits > 20) /* RFC 1870 section 3: 1*20DIGIT */
        return false;
    r->mail->has_size = true;
    r->mail->size = UINT64_MAX;
    str_to_u64(value, &r->mail->size); /* twenty digits may not fit: then it is too large in any case */
    return true;
}

static bool read_body(struct reading *r, struct str value)
{
    static const struct {
        struct str name;
        enum envelope_body body;
        enum smtp_extension needs;
    } BODIES[] = {
        {STR_INIT("7BIT"), ENVELOPE_7BIT, EXTENSION_8BITMIME},
        {STR_INIT("8BITMIME"), ENVELOPE_8BIT, EXTENSION_8BITMIME},
        {STR_INIT("BINARYMIME"), ENVELOPE_BINARY, EXTENSION_BINARYMIME},
    };
    for (size_t i = 0; i < COUNT(BODIES); i++)
        if (str_eq_nocase(value, BODIES[i].name) && r->offered & EXTENSION_BIT(BODIES[i].needs)) {
            r->mail->asked.body = BODIES[i].body;
            return true;
        }
    return false;
}

/* RFC 4954 section 5: AUTH=<> or an xtext mailbox. We trust nobody to vouch for a sender, as if AUTH=<> had
 * been said. */
static bool read_auth(struct reading *r, struct str value)
{
    CLEAN_BUF struct buf mailbox;
    (void)r;
    buf_init(&mailbox, value.n + 1);
    return value.n > 0 && xtext_decode(value, &mailbox);
}

static bool read_utf8(struct reading *r, struct str value)
{
    (void)value;
    r->mail->asked.is_utf8 = true;
    return true;
}

static bool read_requiretls(struct reading *r, struct str value)
{
    (void)value;
    r->mail->asked.requires_tls = true;
    return true;
}

static bool read_prdr(struct reading *r, struct str value)
{
    (void)value;
    r->mail->is_prdr = true;
    return true;
}

/* RFC 3461 section 4.3 */
static bool read_ret(struct reading *r, struct str value)
{
    bool is_full = str_eq_nocase(value, STR("FULL"));
    r->mail->asked.ret = is_full ? ENVELOPE_RETURN_FULL : ENVELOPE_RETURN_HEADERS;
    return is_full || str_eq_nocase(value, STR("HDRS"));
}

/* RFC 3461 section 4.4: xtext of printable characters and white space, which goes into reports as it is. */
static bool read_envid(struct reading *r, struct str value)
{
    CLEAN_BUF struct buf id;
    buf_init(&id, ENVELOPE_ID_MAX);
    if (value.n == 0 || value.n > ENVELOPE_ID_MAX || !xtext_decode(value, &id))
        return false;
    for (size_t i = 0; i < id.n; i++)
        if ((id.p[i] < ' ' && id.p[i] != '\t') || id.p[i] > '~')
            return false;
    r->mail->asked.id = arena_copy(r->a, buf_str(&id));
    return true;
}

/* RFC 2852 section 4: by-time ";" by-mode [by-trace], by-time = ["-" / "+"] 1*9DIGIT */
static bool read_by(struct reading *r, struct str value)
{
    struct str mode = value, time;
    uint64_t seconds;
    if (!str_cut(&mode, ';', &time))
        return false;
    bool is_negative = str_starts(time, STR("-"));
    if (is_negative || str_starts(time, STR("+")))
        time = str_from_offset(time, 1);
    bool wants_return = str_starts_nocase(mode, STR("R")), wants_notice = str_starts_nocase(mode, STR("N"));
    struct str trace = str_from_offset(mode, 1);
    r->mail->asked.by_trace = str_eq_nocase(trace, STR("T"));
    if (!take_number(time, 9, &seconds) || !(wants_return || wants_notice) ||
        (trace.n > 0 && !r->mail->asked.by_trace))
        return false;
    r->mail->asked.by = wants_return ? ENVELOPE_BY_RETURN : ENVELOPE_BY_NOTIFY;
    r->mail->by_s = is_negative ? -(int64_t)seconds : (int64_t)seconds;
    /* Section 4.1.1: nothing can be delivered before it came; only a notice can be late already. */
    return wants_notice || r->mail->by_s > 0;
}

/* RFC 4865 section 4: one of the two, a positive number of at most nine digits, or a moment. */
static bool read_hold_for(struct reading *r, struct str value)
{
    uint64_t seconds;
    if (!take_number(value, 9, &seconds) || seconds == 0 || r->mail->asked.hold_until != 0)
        return false;
    r->mail->hold_for_s = (int64_t)seconds;
    return true;
}

static bool read_hold_until(struct reading *r, struct str value)
{
    return r->mail->hold_for_s == 0 && timestamp_parse(value, &r->mail->asked.hold_until) &&
           r->mail->asked.hold_until > 0;
}

/* RFC 6710 section 4.1: priority-value = (["-"] NZDIGIT) / "0" */
static bool read_priority(struct reading *r, struct str value)
{
    bool is_negative = str_starts(value, STR("-"));
    struct str digit = str_from_offset(value, is_negative);
    uint64_t n;
    if (!take_number(digit, 1, &n) || (is_negative && n == 0))
        return false;
    r->mail->has_priority = true;
    r->mail->asked.priority = is_negative ? -(int)n : (int)n;
    return true;
}

/* RFC 3865 section 2.2: keywords that begin with a letter, parted by commas. */
static bool read_solicit(struct reading *r, struct str value)
{
    struct str rest = value, word;
    bool more = true;
    while (more) {
        more = str_cut(&rest, ',', &word);
        if (word.n == 0 || !ascii_is_alpha(word.p[0]))
            return false;
        for (size_t i = 0; i < word.n; i++)
            if (!ascii_is_alpha(word.p[i]) && !ascii_is_digit(word.p[i]) &&
                str_find_byte(STR(".-_:"), word.p[i]) == STR_NONE)
                return false;
    }
    r->mail->solicit = value;
    return value.n <= SMTP_SOLICIT_MAX;
}

/* --- of RCPT --- */

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static bool read_notify(struct reading *r, struct str value)
{
    static const struct {
        struct str name;
        unsigned bit;
    } WHEN[] = {
        {STR_INIT("SUCCESS"), ENVELOPE_NOTIFY_SUCCESS},
        {STR_INIT("FAILURE"), ENVELOPE_NOTIFY_FAILURE},
        {STR_INIT("DELAY"), ENVELOPE_NOTIFY_DELAY},
    };
    struct str rest = value, word;
    bool more = true;
    if (str_eq_nocase(value, STR("NEVER"))) {
        r->rcpt->notify = ENVELOPE_NOTIFY_NEVER;
        return true;
    }
    while (more) {
        more = str_cut(&rest, ',', &word);
        size_t i = 0;
        while (i < COUNT(WHEN) && !str_eq_nocase(word, WHEN[i].name))
            i++;
        if (i == COUNT(WHEN))
            return false;
        r->rcpt->notify |= WHEN[i].bit;
    }
    return true;
}

static bool read_orcpt(struct reading *r, struct str value)
{
    return orcpt_read(value, r->a, &r->rcpt->original);
}

/* --- which there are --- */

struct parameter {
    struct str keyword;
    unsigned needs; /* one of these extensions must be offered; 0: known always */
    bool has_value;
    bool (*read)(struct reading *r, struct str value);
};

static const struct parameter MAIL[] = {
    {STR_INIT("SIZE"), EXTENSION_BIT(EXTENSION_SIZE), true, read_size},
    {STR_INIT("BODY"), EXTENSION_BIT(EXTENSION_8BITMIME), true, read_body},
    {STR_INIT("AUTH"), 0, true, read_auth}, /* EHLO no longer offers AUTH to who has used it */
    {STR_INIT("SMTPUTF8"), EXTENSION_BIT(EXTENSION_SMTPUTF8), false, read_utf8},
    {STR_INIT("RET"), EXTENSION_BIT(EXTENSION_DSN), true, read_ret},
    {STR_INIT("ENVID"), EXTENSION_BIT(EXTENSION_DSN), true, read_envid},
    {STR_INIT("REQUIRETLS"), EXTENSION_BIT(EXTENSION_REQUIRETLS), false, read_requiretls},
    {STR_INIT("BY"), EXTENSION_BIT(EXTENSION_DELIVERBY), true, read_by},
    {STR_INIT("HOLDFOR"), EXTENSION_BIT(EXTENSION_FUTURERELEASE), true, read_hold_for},
    {STR_INIT("HOLDUNTIL"), EXTENSION_BIT(EXTENSION_FUTURERELEASE), true, read_hold_until},
    {STR_INIT("MT-PRIORITY"), EXTENSION_BIT(EXTENSION_MT_PRIORITY), true, read_priority},
    {STR_INIT("SOLICIT"), EXTENSION_BIT(EXTENSION_NO_SOLICITING), true, read_solicit},
    {STR_INIT("PRDR"), EXTENSION_BIT(EXTENSION_PRDR), false, read_prdr},
};

static const struct parameter RCPT[] = {
    {STR_INIT("NOTIFY"), EXTENSION_BIT(EXTENSION_DSN), true, read_notify},
    {STR_INIT("ORCPT"), EXTENSION_BIT(EXTENSION_DSN), true, read_orcpt},
};

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
static enum parameter_fault read_one(struct reading *r, const struct parameter *table, size_t n,
                                     struct str word, unsigned *seen, struct str *culprit)
{
    struct str value = word, keyword;
    bool has_value = str_cut(&value, '=', &keyword);
    *culprit = keyword;
    for (size_t i = 0; i < n; i++) {
        const struct parameter *p = &table[i];
        if (!str_eq_nocase(keyword, p->keyword) || (p->needs != 0 && !(p->needs & r->offered)))
            continue;
        if (*seen & 1u << i || has_value != p->has_value)
            return PARAMETER_BAD;
        *seen |= 1u << i;
        return p->read(r, value) ? PARAMETER_GOOD : PARAMETER_BAD;
    }
    return PARAMETER_UNKNOWN;
}

static enum parameter_fault read_all(struct reading *r, const struct parameter *table, size_t n,
                                     struct str text, struct str *culprit)
{
    unsigned seen = 0;
    enum parameter_fault fault = PARAMETER_GOOD;
    while (fault == PARAMETER_GOOD && text.n > 0) {
        size_t end = 0;
        while (end < text.n && !ascii_is_space(text.p[end]))
            end++;
        if (end > 0)
            fault = read_one(r, table, n, str_slice(text, 0, end), &seen, culprit);
        text = str_from_offset(text, end + 1);
    }
    return fault;
}

enum parameter_fault parameters_read_mail(struct str text, unsigned offered, struct arena *a,
                                          struct smtp_mail_parameters *out, struct str *culprit)
{
    struct reading r = {.a = a, .offered = offered, .mail = out};
    *out = (struct smtp_mail_parameters){.solicit = STR(""), .asked = ENVELOPE_INIT};
    return read_all(&r, MAIL, COUNT(MAIL), text, culprit);
}

enum parameter_fault parameters_read_rcpt(struct str text, unsigned offered, struct arena *a,
                                          struct envelope_recipient *out, struct str *culprit)
{
    struct reading r = {.a = a, .offered = offered, .rcpt = out};
    *out = (struct envelope_recipient)ENVELOPE_RECIPIENT_INIT;
    return read_all(&r, RCPT, COUNT(RCPT), text, culprit);
}
