/* A SASL exchange over a client's connection: what the directory is asked in it, and when. */
#include "directory/directory.h"

/* What is known between the two steps of SCRAM. */
struct asking {
    struct directory *d;
    struct sasl *x;
    const char *peer;
    uint64_t exchange;
    struct directory_login *out;
};

/* Both return DIRECTORY_GOOD where the exchange goes on, with *r. */
static enum directory_verdict ask_for_salt(struct asking *q, enum sasl_result *r)
{
    struct directory_scram scram;
    enum directory_verdict verdict =
        directory_scram_first(q->d, q->x->message, q->peer, &q->x->arena, &scram, &q->out->wait_s);
    if (verdict != DIRECTORY_GOOD)
        return verdict;
    q->exchange = scram.exchange;
    *r = sasl_salted(q->x, &scram.salted);
    return verdict;
}

static enum directory_verdict ask_for_verdict(struct asking *q, enum sasl_result *r)
{
    unsigned char signature[SCRAM_KEY_BYTES];
    enum directory_verdict verdict =
        directory_scram_final(q->d, q->exchange, q->x->message, q->peer, signature, q->out);
    if (verdict == DIRECTORY_GOOD)
        *r = sasl_signed(q->x, signature);
    return verdict;
}

enum sasl_result directory_authenticate(struct directory *d, struct sasl *x, struct stream *s,
                                        const char *prompt, const struct str *initial, const char *peer,
                                        struct deadline until, enum directory_verdict *verdict,
                                        struct directory_login *out)
{
    struct asking q = {.d = d, .x = x, .peer = peer, .out = out};
    enum sasl_result r = sasl_exchange(x, s, prompt, initial, until);
    *out = (struct directory_login){0};
    *verdict = DIRECTORY_NO_ANSWER;
    if (r == SASL_DONE)
        *verdict = directory_verify(d, x->user, x->password, peer, out);
    while (r == SASL_NEEDS_SALT || r == SASL_NEEDS_VERDICT) {
        *verdict = r == SASL_NEEDS_SALT ? ask_for_salt(&q, &r) : ask_for_verdict(&q, &r);
        if (*verdict != DIRECTORY_GOOD)
            return SASL_PROVEN;
        r = sasl_go_on(x, r, s, prompt, until);
    }
    if (r != SASL_DONE && r != SASL_PROVEN)
        *verdict = DIRECTORY_NO_ANSWER;
    return r;
}
