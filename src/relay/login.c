#include "relay/login.h"

#include "base/mem.h"
#include "relay/peer_talk.h"
#include "sasl/client.h"

#include <string.h>

static bool is_on_this_machine(const struct peer *p)
{
    struct str address = str_from_c(p->address);
    return str_starts(address, STR("127.")) || str_eq(address, STR("::1")) || str_starts(address, STR("/"));
}

static const struct {
    enum ehlo_mechanism offer;
    enum sasl_client_mechanism mechanism;
} BEST_FIRST[] = {
    {EHLO_SCRAM_PLUS, SASL_CLIENT_SCRAM_PLUS},
    {EHLO_SCRAM, SASL_CLIENT_SCRAM},
    {EHLO_PLAIN, SASL_CLIENT_PLAIN},
    {EHLO_LOGIN, SASL_CLIENT_LOGIN},
};

static bool choose(const struct peer *p, const struct channel_bindings *bindings,
                   enum sasl_client_mechanism *out)
{
    for (size_t i = 0; i < sizeof BEST_FIRST / sizeof *BEST_FIRST; i++) {
        if (!(p->ehlo.mechanisms & BEST_FIRST[i].offer) ||
            (BEST_FIRST[i].offer == EHLO_SCRAM_PLUS && !sasl_client_can_bind(bindings)))
            continue;
        *out = BEST_FIRST[i].mechanism;
        return true;
    }
    return false;
}

/* A line that is a secret, or may be: it is said that there was one. */
static void say_secret(struct peer *p, struct str line, const char *shown)
{
    stream_write(&p->stream, line);
    stream_write(&p->stream, STR("\r\n"));
    transcript_addf(p->transcript, TRANSCRIPT_SENT, "%s", shown);
}

static void say_first(struct peer *p, const struct sasl_client *x)
{
    CLEAN_BUF struct buf line;
    const char *name = sasl_client_name(x->mechanism);
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_addf(&line, "AUTH %s", name);
    if (x->response.n > 0)
        buf_addf(&line, " %.*s", STR_ARGS(buf_str(&x->response)));
    stream_write(&p->stream, buf_str(&line));
    stream_write(&p->stream, STR("\r\n"));
    transcript_addf(p->transcript, TRANSCRIPT_SENT, "AUTH %s%s", name, x->response.n > 0 ? " ***" : "");
    mem_wipe(line.p, line.n);
}

/* The challenge may be what a password could be guessed from. */
static bool hear(struct peer *p, struct reply *r, struct err *e)
{
    struct transcript *log = p->transcript;
    p->transcript = NULL;
    bool heard = peer_hear(p, "AUTH", AUTH_MS, r, NULL, e);
    p->transcript = log;
    if (!heard)
        transcript_addf(log, TRANSCRIPT_NOTE, "%s", e->text);
    else if (r->code == 334)
        transcript_add(log, TRANSCRIPT_GOT, STR("334 ***"));
    else
        transcript_add(log, TRANSCRIPT_GOT, reply_text(r));
    return heard;
}

static bool refused(struct peer *p, const struct reply *r, struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "4.7.8 %s[%s] does not let us in: %.*s", p->host, p->address,
                   STR_ARGS(reply_text(r)));
}

/* `*` calls the exchange off: RFC 4954 section 4. */
static bool call_off(struct peer *p, const struct err *why, struct err *e)
{
    struct reply r;
    say_secret(p, STR("*"), "*");
    struct err ignored = ERR_INIT;
    hear(p, &r, &ignored);
    return err_set(e, ERR_TEMPORARY, "4.7.8 %s[%s]: AUTH: %s", p->host, p->address, why->text);
}

static bool exchange(struct peer *p, struct sasl_client *x, struct err *e)
{
    struct reply r;
    struct err why = ERR_INIT;
    say_first(p, x);
    for (;;) {
        if (!hear(p, &r, e))
            return false;
        if (r.code != 334)
            break;
        if (!sasl_client_answer(x, str_trim(str_from_offset(reply_text(&r), 3)), &why))
            return call_off(p, &why, e);
        say_secret(p, buf_str(&x->response), "***");
    }
    if (!reply_is_good(&r))
        return refused(p, &r, e);
    return sasl_client_may_end(x) ||
           err_set(e, ERR_TEMPORARY, "4.7.8 %s[%s] has not proven that it knows the password", p->host,
                   p->address);
}

bool peer_login(struct peer *p, struct str user, struct str password, struct err *e)
{
    struct channel_bindings bindings = {0};
    struct sasl_client x;
    enum sasl_client_mechanism mechanism;
    if (!p->tls && !is_on_this_machine(p))
        return err_set(e, ERR_TEMPORARY, "4.7.11 %s[%s] has no TLS, without which it is not told a password",
                       p->host, p->address);
    if (p->tls)
        tls_bindings(p->tls, &bindings);
    if (!choose(p, &bindings, &mechanism))
        return err_set(e, ERR_TEMPORARY,
                       "4.7.0 %s[%s] offers no AUTH that we know: SCRAM-SHA-256, PLAIN or LOGIN", p->host,
                       p->address);
    sasl_client_begin(&x, mechanism, user, password, &bindings, (p->ehlo.mechanisms & EHLO_SCRAM_PLUS) != 0);
    p->is_authenticated = exchange(p, &x, e);
    sasl_client_free(&x);
    return p->is_authenticated;
}
