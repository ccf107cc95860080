/* Any text is either a config whose every listener and route is whole, or an error with words. */
#include "config/config.h"

#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A unix socket, or an address with a port. */
static bool is_whole(const struct config_listener *l)
{
    struct sockaddr_storage at;
    bool has_place = l->path.n > 0 ? l->port == 0 : l->port > 0 && l->address.n > 0;
    return has_place && config_listener_address(l, &at) > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    const struct config *c = config_parse(str_from(data, size), "fuzz.conf", &e);
    if (!c)
        return e.kind == ERR_NONE || e.text[0] == '\0' ? (abort(), 0) : 0;
    for (size_t i = 0; i < c->listener_count; i++)
        if (!is_whole(&c->listeners[i]))
            abort();
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].host.n == 0 || config_route_for(c, c->routes[i].domain) != &c->routes[i])
            abort();
    config_free(c);
    return 0;
}
