#include "smtp/received.h"

#include "message/date.h"

#include <stdio.h>
#include <string.h>

void received_protocol(const struct received_with *w, bool is_tls, char name[RECEIVED_PROTOCOL_MAX])
{
    const char *base = w->is_lmtp ? "LMTP" : w->is_utf8 ? "SMTP" : w->is_esmtp ? "ESMTP" : "SMTP";
    bool is_extended = w->is_lmtp || w->is_esmtp;
    snprintf(name, RECEIVED_PROTOCOL_MAX, "%s%s%s%s", w->is_utf8 ? "UTF8" : "", base,
             is_extended && is_tls ? "S" : "", is_extended && w->is_authenticated ? "A" : "");
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

/* TCP-info of RFC 5321 section 4.4; a unix socket has none. */
static void add_from(struct buf *out, const struct received *r)
{
    const struct connection *c = r->connection;
    bool is_v6 = strchr(c->peer, ':') != NULL;
    buf_add(out, STR("Received: from "));
    add_helo(out, r->helo);
    if (connection_is_unix(c))
        buf_add(out, STR(" (unix socket)\r\n"));
    else
        buf_addf(out, " ([%s%s])\r\n", is_v6 ? "IPv6:" : "", c->peer);
    if (c->tls.on)
        buf_addf(out, "\t(using %s with cipher %s)\r\n", c->tls.version, c->tls.cipher);
}

void received_add(struct buf *out, const struct received *r)
{
    char protocol[RECEIVED_PROTOCOL_MAX];
    received_protocol(&r->with, r->connection->tls.on, protocol);
    add_from(out, r);
    buf_addf(out, "\tby %.*s with %s id %.*s", STR_ARGS(r->hostname), protocol, STR_ARGS(r->id));
    if (r->solicit.n > 0) /* RFC 3865 section 2.6 */
        buf_addf(out, "\r\n\t(SOLICIT=%.*s)", STR_ARGS(r->solicit));
    if (r->priority != 0) /* RFC 6710 section 4.4 */
        buf_addf(out, "\r\n\tpriority %d", r->priority);
    if (r->for_path.n > 0)
        buf_addf(out, "\r\n\tfor <%.*s>", STR_ARGS(r->for_path));
    buf_add(out, STR("; "));
    date_add_rfc5322(out, r->at, r->zone);
    buf_add(out, STR("\r\n"));
}
