#include "smtp/xclient.h"

#include "base/network.h"
#include "message/xtext.h"
#include "smtp/parse.h"

#include <string.h>

/* --- the values --- */

static bool is_name(struct str v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_is_alpha(v.p[i]) && !ascii_is_digit(v.p[i]) && (v.p[i] == '\0' || !strchr(".-_", v.p[i])))
            return false;
    return v.n > 0 && v.n <= SMTP_HELO_MAX;
}

static bool is_word(struct str v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return false;
    return v.n > 0 && v.n <= SMTP_HELO_MAX;
}

static bool is_port(struct str v)
{
    uint32_t n;
    return v.n <= 5 && str_to_u32(v, &n) && n <= UINT16_MAX;
}

static bool is_protocol(struct str v)
{
    return str_eq_nocase(v, STR("SMTP")) || str_eq_nocase(v, STR("ESMTP"));
}

static bool is_address(struct str v)
{
    struct ip_address ignored;
    return ip_address_read(v, &ignored);
}

static const struct attribute {
    struct str name;
    bool (*is_good)(struct str value);
    const char *fault;
} ATTRIBUTES[XCLIENT_ATTRIBUTES] = {
    [XCLIENT_NAME] = {STR_INIT("NAME"), is_name, "NAME is the name of a host"},
    [XCLIENT_REVERSE_NAME] = {STR_INIT("REVERSE_NAME"), is_name, "REVERSE_NAME is the name of a host"},
    [XCLIENT_ADDR] = {STR_INIT("ADDR"), is_address, "ADDR is 192.0.2.1 or IPV6:2001:db8::1"},
    [XCLIENT_PORT] = {STR_INIT("PORT"), is_port, "PORT is a number up to 65535"},
    [XCLIENT_PROTO] = {STR_INIT("PROTO"), is_protocol, "PROTO is SMTP or ESMTP"},
    [XCLIENT_HELO] = {STR_INIT("HELO"), is_word, "HELO is one word"},
    [XCLIENT_LOGIN] = {STR_INIT("LOGIN"), is_word, "LOGIN is one word"},
    [XCLIENT_DESTADDR] = {STR_INIT("DESTADDR"), is_address, "DESTADDR is 192.0.2.1 or IPV6:2001:db8::1"},
    [XCLIENT_DESTPORT] = {STR_INIT("DESTPORT"), is_port, "DESTPORT is a number up to 65535"},
};

void xclient_add_names(struct buf *out)
{
    for (size_t i = 0; i < XCLIENT_ATTRIBUTES; i++) {
        buf_add_byte(out, ' ');
        buf_add(out, ATTRIBUTES[i].name);
    }
}

/* --- the command --- */

/* One attribute. NULL, or what is wrong. */
static const char *read_attribute(struct str name, struct str text, struct arena *a, struct xclient *out)
{
    static const struct str IPV6 = STR_INIT("IPV6:");
    size_t i = 0;
    while (i < XCLIENT_ATTRIBUTES && !str_eq_nocase(name, ATTRIBUTES[i].name))
        i++;
    if (i == XCLIENT_ATTRIBUTES)
        return "An attribute is not known here";
    if (out->v[i].state != XCLIENT_UNSAID)
        return "An attribute comes twice";
    CLEAN_BUF struct buf decoded;
    buf_init(&decoded, SMTP_HELO_MAX);
    if (!xtext_decode(text, &decoded) || decoded.overflow)
        return "A value is not xtext, or too long";
    struct str value = buf_str(&decoded);
    bool is_unavailable = str_eq_nocase(value, STR("[UNAVAILABLE]"));
    if (is_unavailable || str_eq_nocase(value, STR("[TEMPUNAVAIL]"))) {
        out->v[i].state = is_unavailable ? XCLIENT_UNAVAILABLE : XCLIENT_TEMPUNAVAIL;
        return NULL;
    }
    if (ATTRIBUTES[i].is_good == is_address && str_starts_nocase(value, IPV6))
        value = str_from_offset(value, IPV6.n);
    if (!ATTRIBUTES[i].is_good(value))
        return ATTRIBUTES[i].fault;
    out->v[i].state = XCLIENT_SAID;
    out->v[i].value = arena_copy(a, value);
    return NULL;
}

bool xclient_parse(struct str argument, struct arena *a, struct xclient *out, const char **why)
{
    *out = (struct xclient){0};
    *why = "Name an attribute: NAME=VALUE";
    for (bool is_first = true; argument.n > 0 && (is_first || !*why);) {
        struct str word, value;
        str_cut(&argument, ' ', &word);
        if (word.n == 0) /* two spaces */
            continue;
        value = word;
        is_first = false;
        *why =
            str_cut(&value, '=', &word) ? read_attribute(word, value, a, out) : "An attribute is NAME=VALUE";
    }
    return !*why;
}
