#include "smtp/received.h"

#include "message/date.h"

#include <string.h>

#define USUAL_BYTES 256 /* of the line: room that is taken at once */

void received_protocol(const struct received_with *w, bool is_tls, char name[RECEIVED_PROTOCOL_MAX])
{
    const char *base = w->is_lmtp ? "LMTP" : w->is_esmtp ? "ESMTP" : "SMTP";
    if (w->is_utf8)
        base = w->is_lmtp ? "UTF8LMTP" : "UTF8SMTP";
    bool is_extended = w->is_lmtp || w->is_esmtp;
    size_t n = strlen(base);
    memcpy(name, base, n);
    if (is_extended && is_tls)
        name[n++] = 'S';
    if (is_extended && w->is_authenticated)
        name[n++] = 'A';
    name[n] = '\0';
}

/* What is no Domain and no address literal could end the clause, open a comment or pretend another one. */
static void add_helo(struct buf *out, struct str helo)
{
    char *to = buf_room(out, helo.n);
    for (size_t i = 0; to && i < helo.n; i++) {
        char c = helo.p[i];
        bool good = ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr(".-_[]:", c));
        to[i] = good ? c : '?';
    }
    if (to)
        buf_grew(out, helo.n);
}

/* TCP-info of RFC 5321 section 4.4; a unix socket has none. */
static void add_from(struct buf *out, const struct received *r)
{
    const struct connection *c = r->connection;
    bool is_v6 = strchr(c->peer, ':') != NULL;
    buf_add(out, STR("Received: from "));
    add_helo(out, r->helo);
    if (connection_is_unix(c)) {
        buf_add(out, STR(" (unix socket)\r\n"));
    } else {
        buf_add(out, is_v6 ? STR(" ([IPv6:") : STR(" (["));
        buf_add_c(out, c->peer);
        buf_add(out, STR("])\r\n"));
    }
    if (c->tls.on)
        buf_addf(out, "\t(using %s with cipher %s)\r\n", c->tls.version, c->tls.cipher);
}

static void add_for(struct buf *out, struct str path)
{
    buf_add(out, STR("\r\n\tfor <"));
    buf_add(out, path);
    buf_add_byte(out, '>');
}

void received_add(struct buf *out, const struct received *r)
{
    char protocol[RECEIVED_PROTOCOL_MAX];
    received_protocol(&r->with, r->connection->tls.on, protocol);
    buf_room(out, USUAL_BYTES);
    add_from(out, r);
    buf_add(out, STR("\tby "));
    buf_add(out, r->hostname);
    buf_add(out, STR(" with "));
    buf_add_c(out, protocol);
    buf_add(out, STR(" id "));
    buf_add(out, r->id);
    if (r->solicit.n > 0) /* RFC 3865 section 2.6 */
        buf_addf(out, "\r\n\t(SOLICIT=%.*s)", STR_ARGS(r->solicit));
    if (r->priority != 0) /* RFC 6710 section 4.4 */
        buf_addf(out, "\r\n\tpriority %d", r->priority);
    if (r->for_path.n > 0)
        add_for(out, r->for_path);
    buf_add(out, STR("; "));
    date_add_rfc5322(out, r->at, r->zone);
    buf_add(out, STR("\r\n"));
}
