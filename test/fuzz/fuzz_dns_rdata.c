/* Record data from DNS: what becomes text is bounded and plain; what does not leaves no trace. The first byte
 * picks the type. */
#include "dns/rdata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type TYPES[] = {DNS_A,    DNS_PTR,  DNS_MX,    DNS_TXT,
                                          DNS_AAAA, DNS_TLSA, DNS_CNAME, DNS_SRV};
    CLEAN_BUF struct buf out;
    uint16_t preference;
    buf_init(&out, 70000);
    if (size == 0)
        return 0;
    enum dns_type type = TYPES[data[0] % (sizeof TYPES / sizeof *TYPES)];
    buf_add_c(&out, "before");
    bool ok = rdata_add(type, str_from(data + 1, size - 1), &out, &preference);
    if (!str_starts(buf_str(&out), STR("before")) || (!ok && out.n != 6) || out.n > 6 + size + 60)
        abort();
    struct str text = str_from_offset(buf_str(&out), 6);
    bool is_name = ok && (type == DNS_MX || type == DNS_PTR || type == DNS_CNAME);
    for (size_t i = 0; is_name && i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] >= 127 || text.p[i] == '\\')
            abort();
    if (is_name && text.n > 254)
        abort();
    return 0;
}
