/* Any text is either a config whose every listener and route is whole, or an error with words. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    const struct config *c = config_parse(str_from(data, size), "fuzz.conf", &e);
    if (!c)
        return e.kind == ERR_NONE || e.text[0] == '\0' ? (abort(), 0) : 0;
    for (size_t i = 0; i < c->listener_count; i++)
        if (c->listeners[i].port == 0 || c->listeners[i].address.n == 0)
            abort();
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].host.n == 0 || config_route_for(c, c->routes[i].domain) != &c->routes[i])
            abort();
    config_free(c);
    return 0;
}
