#include "smtp/received.h"

#include "message/date.h"

#include <string.h>

const char *received_protocol(bool is_esmtp, bool is_tls, bool is_authenticated)
{
    static const char *const NAMES[2][2] = {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}};
    return is_esmtp ? NAMES[is_tls][is_authenticated] : "SMTP";
}

/* What is no Domain and no address literal could end the clause, open a comment or pretend another one. */
static void add_helo(struct buf *out, struct str helo)
{
    for (size_t i = 0; i < helo.n; i++) {
        char c = helo.p[i];
        bool good = ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr(".-_[]:", c));
        buf_add_byte(out, good ? c : '?');
    }
}

void received_add(struct buf *out, const struct received *r)
{
    const struct connection *c = r->connection;
    bool is_v6 = strchr(c->peer, ':') != NULL;
    buf_add(out, STR("Received: from "));
    add_helo(out, r->helo);
    buf_addf(out, " ([%s%s])\r\n", is_v6 ? "IPv6:" : "", c->peer);
    if (c->tls.on)
        buf_addf(out, "\t(using %s with cipher %s)\r\n", c->tls.version, c->tls.cipher);
    buf_addf(out, "\tby %.*s with %s id %.*s", STR_ARGS(r->hostname),
             received_protocol(r->is_esmtp, c->tls.on, r->is_authenticated), STR_ARGS(r->id));
    if (r->for_path.n > 0)
        buf_addf(out, "\r\n\tfor <%.*s>", STR_ARGS(r->for_path));
    buf_add(out, STR("; "));
    date_add_rfc5322(out, r->at, r->zone);
    buf_add(out, STR("\r\n"));
}
