/* A header has addresses that are some, lies within what came, and everything before its last byte asks for
 * more: gate takes just those bytes out of the socket. */
#include "gate/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static bool is_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h, again;
    struct str in = str_from(data, size);
    enum proxy_result r = proxy_read(in, &h);
    if (r == PROXY_MORE)
        must(size < PROXY_BYTES_MAX);
    if (r != PROXY_DONE)
        return 0;
    must(h.bytes > 0 && h.bytes <= size && h.bytes <= PROXY_BYTES_MAX);
    must(!h.has_addresses || (is_address(h.peer) && is_address(h.local)));
    must(strlen(h.tls.version) < TLS_NAME_MAX && strlen(h.tls.cipher) < TLS_NAME_MAX);
    for (size_t n = 0; n < h.bytes; n++)
        must(proxy_read(str_slice(in, 0, n), &again) == PROXY_MORE);
    must(proxy_read(str_slice(in, 0, h.bytes), &again) == PROXY_DONE && again.bytes == h.bytes);
    return 0;
}
