#include "sasl/sasl.h"

#include "base/mem.h"

#define ASK_USER     "VXNlcm5hbWU6" /* Username: */
#define ASK_PASSWORD "UGFzc3dvcmQ6" /* Password: */

/* Two responses of a password mechanism, each shorter decoded than its line; SCRAM's two are shorter. */
#define SECRET_MAX (2 * SASL_LINE_MAX)

typedef enum sasl_result take_fn(struct sasl *x, struct str response);
static take_fn take_plain, take_login, take_scram;

/* In the order of preference in which clients are told. OAUTHBEARER (RFC 7628) and XOAUTH2 belong here as
 * soon as something issues tokens: a row each, whose function ends in a result that has the token checked. */
static const struct sasl_mechanism {
    struct str name;
    take_fn *take;
    const char *first_challenge;
    bool binds; /* to the TLS connection: not offered without one */
} MECHANISMS[] = {
    {STR_INIT("SCRAM-SHA-256-PLUS"), take_scram, "", true},
    {STR_INIT("SCRAM-SHA-256"), take_scram, "", false},
    {STR_INIT("PLAIN"), take_plain, "", false},
    {STR_INIT("LOGIN"), take_login, ASK_USER, false},
};
#define MECHANISM_COUNT (sizeof MECHANISMS / sizeof *MECHANISMS)

/* tls-exporter is what a client may count on (RFC 9266 section 3). Where even the certificate's hash is
 * there but not this one (TLS 1.2 without the extended master secret), binding is not promised. */
bool sasl_can_bind(const struct channel_bindings *bindings)
{
    return bindings && bindings->v[BINDING_TLS_EXPORTER].n > 0;
}

static bool is_offered(const struct sasl_mechanism *m, const struct channel_bindings *bindings)
{
    return !m->binds || sasl_can_bind(bindings);
}

void sasl_add_names(struct buf *out, const char *prefix, const char *separator,
                    const struct channel_bindings *bindings)
{
    bool is_first = true;
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        if (!is_offered(&MECHANISMS[i], bindings))
            continue;
        buf_addf(out, "%s%s%.*s", is_first ? "" : separator, prefix, STR_ARGS(MECHANISMS[i].name));
        is_first = false;
    }
}

bool sasl_init(struct sasl *x, struct str mechanism, const struct channel_bindings *bindings)
{
    *x = (struct sasl){.bindings = bindings};
    buf_init(&x->secret, SECRET_MAX);
    for (size_t i = 0; i < MECHANISM_COUNT && !x->mechanism; i++)
        if (str_eq_nocase(mechanism, MECHANISMS[i].name) && is_offered(&MECHANISMS[i], bindings))
            x->mechanism = &MECHANISMS[i];
    return x->mechanism;
}

void sasl_free(struct sasl *x)
{
    if (x->secret.p)
        mem_wipe(x->secret.p, x->secret.cap);
    buf_free(&x->secret);
    arena_free(&x->arena);
}

/* --- PLAIN and LOGIN --- */

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

/* --- SCRAM --- */

/* RFC 5802 section 6: a client that might bind but was told that we cannot, when we can, has been lied to. */
static enum sasl_result take_first(struct sasl *x, struct str message)
{
    struct scram_first *first = &x->scram.first;
    if (scram_read_first(message, &x->arena, first) != SCRAM_GOOD)
        return SASL_MALFORMED;
    x->user = first->user;
    if ((first->flag == SCRAM_BINDS) != x->mechanism->binds)
        return SASL_MALFORMED;
    if (first->flag == SCRAM_MIGHT_BIND && sasl_can_bind(x->bindings))
        return SASL_UNBOUND;
    if (first->flag == SCRAM_BINDS && channel_binding(x->bindings, first->binding).n == 0)
        return SASL_UNBOUND;
    if (first->authzid.n > 0 && !str_eq_nocase(first->authzid, first->user))
        return SASL_FOREIGN;
    return SASL_NEEDS_SALT;
}

/* cbind-input of section 7: the header as it was sent, and the binding's bytes. */
static bool is_bound(const struct sasl *x, struct str binding)
{
    const struct scram_first *first = &x->scram.first;
    struct str bytes = first->flag == SCRAM_BINDS ? channel_binding(x->bindings, first->binding) : STR("");
    return binding.n == first->header.n + bytes.n && str_starts(binding, first->header) &&
           str_ends(binding, bytes);
}

static enum sasl_result take_final(struct sasl *x, struct str message)
{
    struct scram_final *final = &x->scram.final;
    if (scram_read_final(message, &x->arena, final) != SCRAM_GOOD || !str_eq(final->nonce, x->scram.nonce))
        return SASL_MALFORMED;
    return is_bound(x, final->binding) ? SASL_NEEDS_VERDICT : SASL_UNBOUND;
}

/* The last response is empty: none of the three protocols can send data with its success. */
static enum sasl_result take_scram(struct sasl *x, struct str response)
{
    switch (x->responses) {
    case 1: return take_first(x, response);
    case 2: return take_final(x, response);
    default: return response.n == 0 ? SASL_PROVEN : SASL_MALFORMED;
    }
}

static enum sasl_result challenge_with(struct sasl *x, struct str text)
{
    CLEAN_BUF struct buf coded;
    buf_init(&coded, SASL_LINE_MAX);
    buf_add_base64(&coded, text);
    x->challenge = arena_copy_c(&x->arena, buf_str(&coded));
    return SASL_ASK;
}

enum sasl_result sasl_salted(struct sasl *x, const struct scram_salted *s)
{
    if (!str_starts(s->nonce, x->scram.first.nonce))
        return SASL_MALFORMED;
    x->scram.nonce = arena_copy(&x->arena, s->nonce);
    return challenge_with(x, scram_write_salted(s, &x->arena));
}

enum sasl_result sasl_signed(struct sasl *x, const unsigned char signature[SCRAM_KEY_BYTES])
{
    CLEAN_BUF struct buf text;
    buf_init(&text, SASL_LINE_MAX);
    buf_add(&text, STR("v="));
    buf_add_base64(&text, str_from(signature, SCRAM_KEY_BYTES));
    return challenge_with(x, buf_str(&text));
}

/* --- the exchange --- */

static enum sasl_result take_response(struct sasl *x, struct str text)
{
    size_t from = x->secret.n;
    if (x->secret.cap == 0)
        buf_room(&x->secret, SECRET_MAX); /* all at once, so that it never moves and leaves a copy behind */
    if (!buf_add_base64_decoded(&x->secret, text))
        return SASL_MALFORMED;
    x->responses++;
    x->message = str_from_offset(buf_str(&x->secret), from);
    return x->mechanism->take(x, x->message);
}

enum sasl_result sasl_begin(struct sasl *x, const struct str *initial)
{
    if (initial)
        return take_response(x, str_eq(*initial, STR("=")) ? STR("") : *initial);
    x->challenge = x->mechanism->first_challenge;
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

enum sasl_result sasl_go_on(struct sasl *x, enum sasl_result r, struct stream *s, const char *prompt,
                            struct deadline d)
{
    while (r == SASL_ASK) /* each mechanism asks three times at most */
        r = ask(x, s, prompt, d);
    return r;
}

enum sasl_result sasl_exchange(struct sasl *x, struct stream *s, const char *prompt,
                               const struct str *initial, struct deadline d)
{
    return sasl_go_on(x, sasl_begin(x, initial), s, prompt, d);
}
