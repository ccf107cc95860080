#include "sasl/client.h"

#include "base/mem.h"
#include "sasl/prepare.h"
#include "sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#define TEXT_MAX ((size_t)8192)

/* RFC 7677 section 4 wants 4096 at least: with fewer, whoever stands in the middle may guess faster. More
 * than the most only keeps us busy. */
#define ITERATIONS_LEAST 4096
#define ITERATIONS_MOST  1000000

static const char *const NAMES[] = {
    [SASL_CLIENT_SCRAM_PLUS] = "SCRAM-SHA-256-PLUS",
    [SASL_CLIENT_SCRAM] = "SCRAM-SHA-256",
    [SASL_CLIENT_PLAIN] = "PLAIN",
    [SASL_CLIENT_LOGIN] = "LOGIN",
};

const char *sasl_client_name(enum sasl_client_mechanism m)
{
    return NAMES[m];
}

/* --- binding: the exporter first (RFC 9266 section 3), then what hangs on the certificate alone --- */

static const struct {
    enum channel_binding_type type;
    const char *name;
} BINDINGS[] = {
    {BINDING_TLS_EXPORTER, "tls-exporter"},
    {BINDING_TLS_UNIQUE, "tls-unique"},
    {BINDING_TLS_SERVER_END_POINT, "tls-server-end-point"},
};

/* Its place in BINDINGS; -1: none. */
static int find_binding(const struct channel_bindings *b)
{
    for (size_t i = 0; b && i < sizeof BINDINGS / sizeof *BINDINGS; i++)
        if (channel_binding(b, BINDINGS[i].type).n > 0)
            return (int)i;
    return -1;
}

bool sasl_client_can_bind(const struct channel_bindings *b)
{
    return find_binding(b) >= 0;
}

/* --- responses --- */

static void wipe(struct buf *b)
{
    if (b->p)
        mem_wipe(b->p, b->cap);
    buf_reset(b);
}

static void respond(struct sasl_client *x, struct str bytes)
{
    wipe(&x->response);
    buf_add_base64(&x->response, bytes);
}

static void respond_plain(struct sasl_client *x) /* RFC 4616 section 2 */
{
    CLEAN_BUF struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_add_byte(&text, '\0');
    buf_add(&text, x->user);
    buf_add_byte(&text, '\0');
    buf_add(&text, x->password);
    respond(x, buf_str(&text));
    wipe(&text);
}

/* --- SCRAM: RFC 5802 sections 5 to 7 --- */

static void add_name(struct buf *out, struct str user)
{
    CLEAN_BUF struct buf name;
    buf_init(&name, TEXT_MAX);
    sasl_prepare(user, &name);
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ',')
            buf_add_c(out, "=2C");
        else if (name.p[i] == '=')
            buf_add_c(out, "=3D");
        else
            buf_add_byte(out, name.p[i]);
    }
}

static struct str make_nonce(struct arena *a)
{
    unsigned char bytes[SCRAM_NONCE_BYTES];
    CLEAN_BUF struct buf text;
    buf_init(&text, TEXT_MAX);
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        abort(); /* a kernel without random numbers */
    buf_add_base64(&text, str_from(bytes, sizeof bytes));
    return arena_copy(a, buf_str(&text));
}

static void respond_first(struct sasl_client *x, bool offers_plus)
{
    CLEAN_BUF struct buf text;
    int binding = find_binding(x->bindings);
    buf_init(&text, TEXT_MAX);
    x->nonce = make_nonce(&x->arena);
    x->header = x->mechanism == SASL_CLIENT_SCRAM_PLUS && binding >= 0
                    ? arena_printf(&x->arena, "p=%s,,", BINDINGS[binding].name)
                : binding >= 0 && !offers_plus ? STR("y,,")
                                               : STR("n,,");
    buf_add_c(&text, "n=");
    add_name(&text, x->user);
    buf_addf(&text, ",r=%.*s", STR_ARGS(x->nonce));
    x->first_bare = arena_copy(&x->arena, buf_str(&text));
    buf_reset(&text);
    buf_add(&text, x->header);
    buf_add(&text, x->first_bare);
    respond(x, buf_str(&text));
}

static bool take_attribute(struct str *rest, const char *name, struct str *value)
{
    struct str one;
    str_cut(rest, ',', &one);
    *value = str_from_offset(one, 2);
    return str_starts(one, str_from_c(name));
}

static bool read_salted(struct sasl_client *x, struct str message, struct scram_salted *out, struct buf *salt,
                        struct err *e)
{
    struct str rest = message, salt_text, count;
    if (!take_attribute(&rest, "r=", &out->nonce) || !take_attribute(&rest, "s=", &salt_text) ||
        !take_attribute(&rest, "i=", &count) || !buf_add_base64_decoded(salt, salt_text) || salt->n == 0 ||
        !str_to_u32(count, &out->iterations))
        return err_set(e, ERR_TEMPORARY, "the server's first message is not one of SCRAM");
    out->salt = buf_str(salt);
    if (!str_starts(out->nonce, x->nonce) || out->nonce.n == x->nonce.n)
        return err_set(e, ERR_TEMPORARY, "the server's nonce does not begin with ours");
    if (out->iterations < ITERATIONS_LEAST || out->iterations > ITERATIONS_MOST)
        return err_set(e, ERR_TEMPORARY, "the server asks for %u iterations; %d to %d would be sound",
                       out->iterations, ITERATIONS_LEAST, ITERATIONS_MOST);
    return true;
}

static void hmac(const unsigned char key[SCRAM_KEY_BYTES], struct str message,
                 unsigned char out[SCRAM_KEY_BYTES])
{
    unsigned n = SCRAM_KEY_BYTES;
    if (!HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, (const unsigned char *)message.p, message.n, out, &n))
        abort(); /* out of memory */
}

static void hash(const unsigned char in[SCRAM_KEY_BYTES], unsigned char out[SCRAM_KEY_BYTES])
{
    unsigned n = SCRAM_KEY_BYTES;
    if (EVP_Digest(in, SCRAM_KEY_BYTES, out, &n, EVP_sha256(), NULL) != 1)
        abort();
}

/* The proof, and what the server must answer it with. */
static void prove(struct sasl_client *x, const struct scram_salted *s, struct str auth_message,
                  unsigned char proof[SCRAM_KEY_BYTES])
{
    unsigned char salted[SCRAM_KEY_BYTES], client_key[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES],
        server_key[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
    struct buf password;
    buf_init(&password, TEXT_MAX);
    sasl_prepare(x->password, &password);
    if (PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, (const unsigned char *)s->salt.p,
                          (int)s->salt.n, (int)s->iterations, EVP_sha256(), sizeof salted, salted) != 1)
        abort();
    hmac(salted, STR("Client Key"), client_key);
    hash(client_key, stored);
    hmac(stored, auth_message, signature);
    for (size_t i = 0; i < sizeof signature; i++)
        proof[i] = client_key[i] ^ signature[i];
    hmac(salted, STR("Server Key"), server_key);
    hmac(server_key, auth_message, x->signature);
    wipe(&password);
    buf_free(&password);
    mem_wipe(salted, sizeof salted);
    mem_wipe(client_key, sizeof client_key);
    mem_wipe(server_key, sizeof server_key);
}

/* "c=": the header once more, and with -PLUS what it binds to. */
static void add_binding(const struct sasl_client *x, struct buf *out)
{
    CLEAN_BUF struct buf bytes;
    int binding = find_binding(x->bindings);
    buf_init(&bytes, TEXT_MAX);
    buf_add(&bytes, x->header);
    if (x->mechanism == SASL_CLIENT_SCRAM_PLUS && binding >= 0)
        buf_add(&bytes, channel_binding(x->bindings, BINDINGS[binding].type));
    buf_add_c(out, "c=");
    buf_add_base64(out, buf_str(&bytes));
}

static bool respond_final(struct sasl_client *x, struct str message, struct err *e)
{
    CLEAN_BUF struct buf final, auth, salt;
    struct scram_salted s = {.nonce = STR(""), .salt = STR("")};
    unsigned char proof[SCRAM_KEY_BYTES];
    buf_init(&final, TEXT_MAX);
    buf_init(&auth, 4 * TEXT_MAX);
    buf_init(&salt, TEXT_MAX);
    if (!read_salted(x, message, &s, &salt, e))
        return false;
    add_binding(x, &final);
    buf_addf(&final, ",r=%.*s", STR_ARGS(s.nonce));
    buf_addf(&auth, "%.*s,%.*s,%.*s", STR_ARGS(x->first_bare), STR_ARGS(message), STR_ARGS(buf_str(&final)));
    prove(x, &s, buf_str(&auth), proof);
    buf_add_c(&final, ",p=");
    buf_add_base64(&final, str_from(proof, sizeof proof));
    respond(x, buf_str(&final));
    return true;
}

static bool check_signature(struct sasl_client *x, struct str message, struct err *e)
{
    CLEAN_BUF struct buf signature;
    struct str rest = message, value;
    buf_init(&signature, TEXT_MAX);
    if (!take_attribute(&rest, "v=", &value) || !buf_add_base64_decoded(&signature, value) ||
        signature.n != sizeof x->signature ||
        CRYPTO_memcmp(signature.p, x->signature, sizeof x->signature) != 0)
        return err_set(e, ERR_TEMPORARY, "the server does not prove that it knows the password");
    x->is_proven = true;
    respond(x, STR(""));
    return true;
}

static bool is_scram(const struct sasl_client *x)
{
    return x->mechanism == SASL_CLIENT_SCRAM || x->mechanism == SASL_CLIENT_SCRAM_PLUS;
}

static bool answer_scram(struct sasl_client *x, struct str message, struct err *e)
{
    switch (x->answers++) {
    case 0: return respond_final(x, message, e);
    case 1: return check_signature(x, message, e);
    default: return err_set(e, ERR_TEMPORARY, "the server does not come to an end");
    }
}

/* --- the exchange --- */

void sasl_client_begin(struct sasl_client *x, enum sasl_client_mechanism m, struct str user,
                       struct str password, const struct channel_bindings *bindings, bool offers_plus)
{
    *x = (struct sasl_client){
        .mechanism = m, .user = user, .password = password, .bindings = bindings, .nonce = STR("")};
    buf_init(&x->response, 2 * TEXT_MAX);
    if (is_scram(x))
        respond_first(x, offers_plus);
    else if (m == SASL_CLIENT_PLAIN)
        respond_plain(x);
}

bool sasl_client_answer(struct sasl_client *x, struct str challenge, struct err *e)
{
    CLEAN_BUF struct buf message;
    buf_init(&message, TEXT_MAX);
    if (is_scram(x))
        return buf_add_base64_decoded(&message, challenge)
                   ? answer_scram(x, buf_str(&message), e)
                   : err_set(e, ERR_TEMPORARY, "the server's challenge is not base64");
    if (x->mechanism != SASL_CLIENT_LOGIN || x->answers > 1)
        return err_set(e, ERR_TEMPORARY, "the server asks for more than the mechanism has");
    respond(x, x->answers++ == 0 ? x->user : x->password); /* whatever it calls them */
    return true;
}

bool sasl_client_may_end(const struct sasl_client *x)
{
    return !is_scram(x) || x->is_proven;
}

void sasl_client_free(struct sasl_client *x)
{
    wipe(&x->response);
    buf_free(&x->response);
    arena_free(&x->arena);
}
