/* Where the server listens: [listen], and numeric addresses everywhere. */
#include "config/reading.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* A numeric address as the kernel wants it: its size, or 0 if it is none. */
static socklen_t numeric_address(struct str s, uint16_t port, struct sockaddr_storage *to)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof *to);
    if (s.n >= sizeof text)
        return 0;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
}

static bool is_numeric_address(struct str s)
{
    struct sockaddr_storage ignored;
    return numeric_address(s, 0, &ignored) > 0;
}

unsigned config_listener_address(const struct config_listener *l, struct sockaddr_storage *to)
{
    struct sockaddr_un *local = (struct sockaddr_un *)to;
    if (l->path.n > 0) {
        memset(to, 0, sizeof *to);
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, l->path.p, l->path.n); /* config_take_lmtp has seen that it fits */
        return sizeof *local;
    }
    return numeric_address(l->address, l->port, to);
}

void config_listener_words(const struct config_listener *l, char words[CONFIG_LISTENER_WORDS_MAX])
{
    if (l->path.n > 0)
        snprintf(words, CONFIG_LISTENER_WORDS_MAX, "%.*s", STR_ARGS(l->path));
    else
        snprintf(words, CONFIG_LISTENER_WORDS_MAX, "%.*s port %u", STR_ARGS(l->address), l->port);
}

bool config_take_socket(struct reading *r, void *to, struct str value, struct err *e)
{
    if (str_eq(value, STR("none"))) {
        r->has_no_socket = true;
        *(struct str *)to = STR("");
        return true;
    }
    r->has_no_socket = false;
    return config_take_path(r, to, value, e) &&
           (((struct str *)to)->n < sizeof((struct sockaddr_un *)0)->sun_path ||
            err_set(e, ERR_PERMANENT, "a socket's path has less than %zu bytes",
                    sizeof((struct sockaddr_un *)0)->sun_path));
}

bool config_take_dns_server(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str port = value, address;
    uint32_t number = 53;
    if (str_cut(&port, '@', &address) && (!str_to_u32(port, &number) || number == 0 || number > UINT16_MAX))
        return err_set(e, ERR_PERMANENT, "the port after @ is a number from 1 to 65535");
    if (!is_numeric_address(address))
        return err_set(e, ERR_PERMANENT, "it is a numeric address, with @port if that is not 53");
    return config_take_text(r, to, value, e);
}

/* The next word of a list, which it leaves; false: there is none. */
static bool take_word(struct str *list, struct str *word)
{
    do {
        if (list->n == 0)
            return false;
        str_cut(list, ' ', word);
        *word = str_trim(*word);
    } while (word->n == 0);
    return true;
}

bool config_take_addresses(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    r->address_count = 0;
    for (struct str one; take_word(&value, &one);) {
        bool any = str_eq(one, STR("*"));
        if (!any && !is_numeric_address(one))
            return err_set(e, ERR_PERMANENT, "\"%.*s\" is no numeric address; use * for all", STR_ARGS(one));
        if (r->address_count + 2 > CONFIG_LISTENERS_MAX)
            return err_set(e, ERR_PERMANENT, "too many addresses");
        r->addresses[r->address_count++] = any ? STR("0.0.0.0") : arena_copy(r->a, one);
        if (any)
            r->addresses[r->address_count++] = STR("::");
    }
    return r->address_count > 0 || err_set(e, ERR_PERMANENT, "there is no address; use * for all");
}

/* A unix socket's path, or a place on this machine's network. */
static bool take_lmtp_place(struct reading *r, struct str place, struct config_listener *to, struct err *e)
{
    struct str port = place, address;
    uint32_t number;
    *to = (struct config_listener){.service = SERVICE_LMTP, .address = STR(""), .path = STR("")};
    if (str_starts(place, STR("unix:")))
        return config_take_path(r, &to->path, str_from_offset(place, 5), e);
    if (str_find_byte(place, '/') != STR_NONE)
        return config_take_path(r, &to->path, place, e);
    bool has_address = str_cut(&port, '@', &address);
    if (!has_address) {
        port = place;
        address = STR("127.0.0.1");
    }
    if (!str_to_u32(port, &number) || number == 0 || number > UINT16_MAX || !is_numeric_address(address))
        return err_set(e, ERR_PERMANENT,
                       "\"%.*s\" is none of /PATH, unix:PATH, ADDRESS@PORT and PORT (on 127.0.0.1)",
                       STR_ARGS(place));
    to->address = arena_copy(r->a, address);
    to->port = (uint16_t)number;
    return true;
}

/* Only where it is asked for: whoever reaches it may deliver to our addresses. */
bool config_take_lmtp(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    r->lmtp_count = 0;
    if (str_eq(value, STR("none")))
        return true;
    for (struct str one; take_word(&value, &one);) {
        if (r->lmtp_count == CONFIG_LISTENERS_MAX)
            return err_set(e, ERR_PERMANENT, "more than %d places", CONFIG_LISTENERS_MAX);
        struct config_listener *l = &r->lmtp[r->lmtp_count++];
        if (!take_lmtp_place(r, one, l, e))
            return false;
        if (l->path.n >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return err_set(e, ERR_PERMANENT, "the path of a unix socket has at most %zu bytes",
                           sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    }
    return r->lmtp_count > 0 || err_set(e, ERR_PERMANENT, "there is no place; none for no LMTP");
}

bool config_take_mode(struct reading *r, void *to, struct str value, struct err *e)
{
    unsigned mode = 0;
    bool good = value.n == 3 || (value.n == 4 && value.p[0] == '0');
    (void)r;
    for (size_t i = 0; i < value.n; i++) {
        good = good && value.p[i] >= '0' && value.p[i] <= '7';
        mode = mode << 3 | ((unsigned)value.p[i] & 7);
    }
    if (!good)
        return err_set(e, ERR_PERMANENT, "it is permissions in octal, such as 0660");
    *(unsigned *)to = mode;
    return true;
}

bool config_take_port_base(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    if (!str_to_u32(value, &r->port_base) || r->port_base > UINT16_MAX - 4190)
        return err_set(e, ERR_PERMANENT, "it is a number from 0 to %d", UINT16_MAX - 4190);
    r->has_port_base = true;
    return true;
}

bool config_take_port(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t port = 0;
    (void)r;
    if (!str_eq(value, STR("none")) && (!str_to_u32(value, &port) || port == 0 || port > UINT16_MAX))
        return err_set(e, ERR_PERMANENT, "it is a port from 1 to 65535, or none");
    *(int64_t *)to = port;
    return true;
}

static bool add_listener(struct config *c, struct config_listener l, struct err *e)
{
    if (c->listener_count == CONFIG_LISTENERS_MAX)
        return err_set(e, ERR_PERMANENT, "more than %d listening sockets", CONFIG_LISTENERS_MAX);
    c->listeners[c->listener_count++] = l;
    return true;
}

bool config_make_listeners(struct reading *r, struct err *e)
{
    struct config *c = r->c;
    if (r->address_count == 0 &&
        !config_take_addresses(r, NULL, r->has_port_base ? STR("127.0.0.1") : STR("*"), e))
        return false;
    for (enum service s = 0; s < SERVICE_LOCAL; s++) {
        int64_t port = r->ports[s] >= 0 ? r->ports[s] : (int64_t)r->port_base + service_port(s);
        for (size_t i = 0; port > 0 && i < r->address_count; i++) {
            struct config_listener l = {
                .service = s, .address = r->addresses[i], .port = (uint16_t)port, .path = STR("")};
            if (!add_listener(c, l, e))
                return false;
        }
    }
    struct config_listener local = {
        .service = SERVICE_LOCAL, .address = STR(""), .path = c->submission_socket};
    if (local.path.n > 0 && !add_listener(c, local, e))
        return false;
    for (size_t i = 0; i < r->lmtp_count; i++)
        if (!add_listener(c, r->lmtp[i], e))
            return false;
    return true;
}
