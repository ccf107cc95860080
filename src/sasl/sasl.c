#include "sasl/sasl.h"

#include "base/mem.h"

#define ASK_USER     "VXNlcm5hbWU6" /* Username: */
#define ASK_PASSWORD "UGFzc3dvcmQ6" /* Password: */

/* Two responses, each shorter decoded than its line. */
#define SECRET_MAX (2 * SASL_LINE_MAX)

bool sasl_init(struct sasl *x, struct str mechanism)
{
    *x = (struct sasl){.is_plain = str_eq_nocase(mechanism, STR("PLAIN"))};
    buf_init(&x->secret, SECRET_MAX);
    return x->is_plain || str_eq_nocase(mechanism, STR("LOGIN"));
}

void sasl_free(struct sasl *x)
{
    if (x->secret.p)
        mem_wipe(x->secret.p, x->secret.cap);
    buf_free(&x->secret);
}

/* --- the mechanisms --- */

/* message = [authzid] NUL authcid NUL passwd. An empty password is against the grammar, but what a client
 * sends whose user typed none: it is a wrong one. */
static enum sasl_result take_plain(struct sasl *x, struct str message)
{
    struct str authzid;
    x->password = message;
    if (!str_cut(&x->password, '\0', &authzid) || !str_cut(&x->password, '\0', &x->user) || x->user.n == 0 ||
        str_find_byte(x->password, '\0') != STR_NONE)
        return SASL_MALFORMED;
    return authzid.n == 0 || str_eq_nocase(authzid, x->user) ? SASL_DONE : SASL_FOREIGN;
}

/* The user in the first response, the password in the second. */
static enum sasl_result take_login(struct sasl *x, struct str response)
{
    if (x->user.n == 0) {
        if (response.n == 0)
            return SASL_MALFORMED;
        x->user = response;
        x->challenge = ASK_PASSWORD;
        return SASL_ASK;
    }
    x->password = response;
    return SASL_DONE;
}

static enum sasl_result take_response(struct sasl *x, struct str text)
{
    size_t from = x->secret.n;
    if (from == 0)
        buf_room(&x->secret, SECRET_MAX); /* all at once, so that it never moves and leaves a copy behind */
    if (!buf_add_base64_decoded(&x->secret, text))
        return SASL_MALFORMED;
    struct str response = str_from_offset(buf_str(&x->secret), from);
    return x->is_plain ? take_plain(x, response) : take_login(x, response);
}

enum sasl_result sasl_begin(struct sasl *x, const struct str *initial)
{
    if (initial)
        return take_response(x, str_eq(*initial, STR("=")) ? STR("") : *initial);
    x->challenge = x->is_plain ? "" : ASK_USER;
    return SASL_ASK;
}

enum sasl_result sasl_answer(struct sasl *x, struct str line)
{
    return str_eq(line, STR("*")) ? SASL_CANCELLED : take_response(x, line);
}

/* --- over a connection --- */

static enum sasl_result ask(struct sasl *x, struct stream *s, const char *prompt, struct deadline d)
{
    struct str line;
    bool bare_lf;
    stream_writef(s, "%s%s\r\n", prompt, x->challenge);
    switch (stream_read_line(s, SASL_LINE_MAX, d, &line, &bare_lf)) {
    case STREAM_OK: break;
    case STREAM_TOO_LONG: return SASL_TOO_LONG;
    case STREAM_TIMEOUT: return SASL_TIMEOUT;
    default: return SASL_LOST;
    }
    enum sasl_result r = bare_lf ? SASL_MALFORMED : sasl_answer(x, line);
    stream_wipe_taken(s);
    return r;
}

enum sasl_result sasl_exchange(struct sasl *x, struct stream *s, const char *prompt,
                               const struct str *initial, struct deadline d)
{
    enum sasl_result r = sasl_begin(x, initial);
    while (r == SASL_ASK) /* twice at most */
        r = ask(x, s, prompt, d);
    return r;
}
