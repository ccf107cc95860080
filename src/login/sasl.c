#include "login/sasl.h"

#include "base/mem.h"

#define SECRET_MAX SASL_LINE_MAX /* two decoded lines are shorter than one encoded */

void sasl_init(struct sasl *x)
{
    *x = (struct sasl){0};
    buf_init(&x->secret, SECRET_MAX * 2);
    buf_room(&x->secret, SECRET_MAX * 2); /* so that it never moves and leaves a copy behind */
}

void sasl_free(struct sasl *x)
{
    mem_wipe(x->secret.p, x->secret.cap);
    buf_free(&x->secret);
}

void sasl_wipe_read(struct stream *s)
{
    if (!s->in.p)
        return;
    mem_wipe(s->in.p, s->in_at);
    mem_wipe(s->in.p + s->in.n, s->in.cap - s->in.n);
}

bool sasl_parse_plain(struct str message, struct str *user, struct str *password)
{
    struct str authzid;
    *password = message;
    return str_cut(password, '\0', &authzid) && str_cut(password, '\0', user) && user->n > 0 &&
           password->n > 0 && str_find_byte(*password, '\0') == STR_NONE &&
           (authzid.n == 0 || str_eq(authzid, *user));
}

/* Sends a challenge (already in base64) and adds the decoded response. */
static enum sasl_result ask(struct sasl *x, struct stream *s, const char *challenge, struct deadline d,
                            struct str *response)
{
    struct str line;
    size_t from = x->secret.n;
    stream_writef(s, "+ %s\r\n", challenge);
    enum stream_result r = stream_read_line(s, SASL_LINE_MAX, d, &line, NULL);
    if (r != STREAM_OK)
        return SASL_LOST;
    if (str_eq(line, STR("*")))
        return SASL_CANCELLED;
    bool decoded = buf_add_base64_decoded(&x->secret, line);
    sasl_wipe_read(s);
    *response = str_from_offset(buf_str(&x->secret), from);
    return decoded ? SASL_DONE : SASL_MALFORMED;
}

/* The response that came with the command, or else the answer to a challenge. */
static enum sasl_result first_response(struct sasl *x, struct stream *s, const struct str *initial,
                                       const char *challenge, struct deadline d, struct str *response)
{
    if (!initial)
        return ask(x, s, challenge, d, response);
    if (!str_eq(*initial, STR("=")) && !buf_add_base64_decoded(&x->secret, *initial))
        return SASL_MALFORMED;
    *response = buf_str(&x->secret);
    return SASL_DONE;
}

static enum sasl_result plain(struct sasl *x, struct stream *s, const struct str *initial, struct deadline d)
{
    struct str message;
    enum sasl_result r = first_response(x, s, initial, "", d, &message);
    if (r != SASL_DONE)
        return r;
    return sasl_parse_plain(message, &x->user, &x->password) ? SASL_DONE : SASL_MALFORMED;
}

static enum sasl_result login(struct sasl *x, struct stream *s, const struct str *initial, struct deadline d)
{
    enum sasl_result r = first_response(x, s, initial, "VXNlcm5hbWU6" /* Username: */, d, &x->user);
    if (r == SASL_DONE)
        r = ask(x, s, "UGFzc3dvcmQ6" /* Password: */, d, &x->password);
    if (r != SASL_DONE)
        return r;
    return x->user.n > 0 && x->password.n > 0 ? SASL_DONE : SASL_MALFORMED;
}

sasl_mechanism *sasl_find(struct str name)
{
    if (str_eq_nocase(name, STR("PLAIN")))
        return plain;
    return str_eq_nocase(name, STR("LOGIN")) ? login : NULL;
}
