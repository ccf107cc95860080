#include "sasl/scram.h"

#include <string.h>

static const struct {
    struct str name;
    enum channel_binding_type type;
} BINDINGS[] = {
    {STR_INIT("tls-exporter"), BINDING_TLS_EXPORTER},
    {STR_INIT("tls-unique"), BINDING_TLS_UNIQUE},
    {STR_INIT("tls-server-end-point"), BINDING_TLS_SERVER_END_POINT},
};

/* --- the grammar of section 7 --- */

/* The next attribute "x=value", with the comma behind it stepped over. */
static bool take_attribute(struct str *rest, char name, struct str *value)
{
    if (rest->n < 2 || rest->p[0] != name || rest->p[1] != '=')
        return false;
    str_cut(rest, ',', value);
    *value = str_from_offset(*value, 2);
    return true;
}

/* saslname: UTF-8 without NUL, in which "," is "=2C" and "=" is "=3D"; no other "=" may stand in it. */
static bool read_name(struct str in, struct arena *a, struct str *out)
{
    char *to = arena_new(a, in.n + 1, 1);
    size_t n = 0;
    if (in.n == 0 || str_find_byte(in, '\0') != STR_NONE)
        return false;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '=') {
            to[n++] = in.p[i];
            continue;
        }
        struct str code = str_slice(in, i + 1, 2);
        if (!str_eq(code, STR("2C")) && !str_eq(code, STR("3D")))
            return false;
        to[n++] = code.p[0] == '2' ? ',' : '=';
        i += 2;
    }
    *out = str_from(to, n);
    return true;
}

/* printable: any of ASCII but space and comma. */
static bool is_nonce(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
            return false;
    return s.n >= SCRAM_NONCE_MIN;
}

/* Extensions that may be passed over: "x=value", one after the other. */
static bool are_extensions(struct str rest)
{
    struct str one;
    while (rest.n > 0) {
        str_cut(&rest, ',', &one);
        if (one.n < 3 || !ascii_is_alpha(one.p[0]) || one.p[1] != '=')
            return false;
    }
    return true;
}

static enum scram_fault read_flag(struct str flag, struct scram_first *out)
{
    struct str name;
    if (str_eq(flag, STR("n")) || str_eq(flag, STR("y"))) {
        out->flag = flag.p[0] == 'n' ? SCRAM_CANNOT_BIND : SCRAM_MIGHT_BIND;
        return SCRAM_GOOD;
    }
    if (!take_attribute(&flag, 'p', &name))
        return SCRAM_MALFORMED;
    out->flag = SCRAM_BINDS;
    for (size_t i = 0; i < sizeof BINDINGS / sizeof *BINDINGS; i++)
        if (str_eq(name, BINDINGS[i].name)) {
            out->binding = BINDINGS[i].type;
            return SCRAM_GOOD;
        }
    return SCRAM_UNSUPPORTED;
}

static enum scram_fault read_bare(struct str rest, struct arena *a, struct scram_first *out)
{
    struct str name;
    if (str_starts(rest, STR("m="))) /* reserved-mext: "the server MUST fail" */
        return SCRAM_UNSUPPORTED;
    if (!take_attribute(&rest, 'n', &name) || !read_name(name, a, &out->user) ||
        !take_attribute(&rest, 'r', &out->nonce) || !is_nonce(out->nonce) || !are_extensions(rest))
        return SCRAM_MALFORMED;
    return SCRAM_GOOD;
}

enum scram_fault scram_read_first(struct str message, struct arena *a, struct scram_first *out)
{
    struct str rest = message, flag, authzid;
    *out = (struct scram_first){.authzid = STR(""), .user = STR(""), .nonce = STR("")};
    if (message.n > SCRAM_MESSAGE_MAX || !str_cut(&rest, ',', &flag) || !str_cut(&rest, ',', &authzid))
        return SCRAM_MALFORMED;
    if (authzid.n > 0 &&
        (!str_starts(authzid, STR("a=")) || !read_name(str_from_offset(authzid, 2), a, &out->authzid)))
        return SCRAM_MALFORMED;
    out->header = str_slice(message, 0, message.n - rest.n);
    out->bare = rest;
    enum scram_fault fault = read_flag(flag, out);
    return fault == SCRAM_GOOD ? read_bare(rest, a, out) : fault;
}

struct str scram_write_salted(const struct scram_salted *s, struct arena *a)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, SCRAM_MESSAGE_MAX + SCRAM_MESSAGE_MAX);
    buf_addf(&text, "r=%.*s,s=", STR_ARGS(s->nonce));
    buf_add_base64(&text, s->salt);
    buf_addf(&text, ",i=%u", s->iterations);
    return arena_copy(a, buf_str(&text));
}

static bool read_base64(struct str text, struct arena *a, struct str *out)
{
    CLEAN_BUF struct buf bytes;
    buf_init(&bytes, SCRAM_MESSAGE_MAX);
    if (text.n == 0 || !buf_add_base64_decoded(&bytes, text))
        return false;
    *out = arena_copy(a, buf_str(&bytes));
    return true;
}

/* The proof is last: ",p=" and base64. */
static bool cut_proof(struct str message, struct arena *a, struct scram_final *out)
{
    struct str proof;
    size_t comma = str_rfind_byte(message, ',');
    struct str last = str_from_offset(message, comma == STR_NONE ? message.n : comma + 1);
    if (!str_starts(last, STR("p=")) || !read_base64(str_from_offset(last, 2), a, &proof) ||
        proof.n != sizeof out->proof)
        return false;
    memcpy(out->proof, proof.p, sizeof out->proof);
    out->bare = str_slice(message, 0, comma);
    return true;
}

enum scram_fault scram_read_final(struct str message, struct arena *a, struct scram_final *out)
{
    struct str rest, binding;
    *out = (struct scram_final){.binding = STR(""), .nonce = STR(""), .bare = STR("")};
    if (message.n > SCRAM_MESSAGE_MAX || !cut_proof(message, a, out))
        return SCRAM_MALFORMED;
    rest = out->bare;
    if (!take_attribute(&rest, 'c', &binding) || !read_base64(binding, a, &out->binding) ||
        !take_attribute(&rest, 'r', &out->nonce) || !is_nonce(out->nonce) || !are_extensions(rest))
        return SCRAM_MALFORMED;
    return SCRAM_GOOD;
}
