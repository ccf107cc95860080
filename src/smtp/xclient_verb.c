/* XCLIENT: the session goes on as that of the client that was named, from its greeting on. */
#include "base/log.h"
#include "smtp/session.h"
#include "smtp/xclient.h"

#include <stdio.h>
#include <string.h>

static bool is_said(const struct xclient *x, enum xclient_attribute i)
{
    return x->v[i].state == XCLIENT_SAID;
}

/* "unknown" where there is none: it has no place in the counts of addresses. */
static void set_endpoint(const struct xclient *x, enum xclient_attribute address_at,
                         enum xclient_attribute port_at, char address[CONNECTION_ADDRESS_MAX], uint16_t *port)
{
    uint32_t number = 0;
    if (is_said(x, address_at))
        snprintf(address, CONNECTION_ADDRESS_MAX, "%.*s", STR_ARGS(x->v[address_at].value));
    else if (x->v[address_at].state != XCLIENT_UNSAID)
        snprintf(address, CONNECTION_ADDRESS_MAX, "unknown");
    if (is_said(x, port_at))
        str_to_u32(x->v[port_at].value, &number); /* the parser has seen that it is one */
    if (x->v[port_at].state != XCLIENT_UNSAID)
        *port = (uint16_t)number;
}

/* Whose mail it is. The filter's word replaces a password; but there must be such an account. */
static bool set_login(struct session *s, const struct xclient *x)
{
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct str name = x->v[XCLIENT_LOGIN].value;
    if (x->v[XCLIENT_LOGIN].state != XCLIENT_UNSAID || !s->guard.has_lent_login) {
        s->is_authenticated = s->guard.has_lent_login = false;
        s->user = (struct directory_login){0};
    }
    if (!is_said(x, XCLIENT_LOGIN))
        return true;
    if (!directory_resolve(s->server->directory, name, &s->command, &answer, &e)) {
        session_reply(s, "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    if (answer.fate != DIRECTORY_LOCAL || answer.count != 1 || !answer.targets[0].is_local ||
        answer.targets[0].address.n > ADDRESS_MAX) {
        session_error(s, "501 5.7.8 LOGIN=%.*s is no account here", STR_ARGS(name));
        return false;
    }
    s->user.account = answer.targets[0].account;
    memcpy(s->user.address, answer.targets[0].address.p, answer.targets[0].address.n);
    s->user.address[answer.targets[0].address.n] = '\0';
    s->is_authenticated = s->guard.has_lent_login = true;
    return true;
}

static void become(struct session *s, const struct xclient *x)
{
    struct connection *c = &s->connection;
    LOG_DEBUG("smtp.xclient", F_C("by", c->peer), F_STR("peer", x->v[XCLIENT_ADDR].value),
              F_STR("name", x->v[XCLIENT_NAME].value), F_STR("login", x->v[XCLIENT_LOGIN].value));
    set_endpoint(x, XCLIENT_ADDR, XCLIENT_PORT, c->peer, &c->peer_port);
    set_endpoint(x, XCLIENT_DESTADDR, XCLIENT_DESTPORT, c->local, &c->local_port);
    s->helo[0] = '\0';
    if (is_said(x, XCLIENT_HELO))
        snprintf(s->helo, sizeof s->helo, "%.*s", STR_ARGS(x->v[XCLIENT_HELO].value));
    if (is_said(x, XCLIENT_PROTO))
        s->is_esmtp = str_eq_nocase(x->v[XCLIENT_PROTO].value, STR("ESMTP"));
    s->errors = s->refusals = s->idling = s->logins = 0;
}

void smtp_xclient(struct session *s, const struct smtp_command *c)
{
    struct xclient x;
    const char *why;
    if (!s->guard.may_xclient)
        session_error(s, "550 5.7.0 Not from your address ([smtp] xclient)");
    else if (s->transaction.is_open)
        session_error(s, "503 5.5.1 A message is under way");
    else if (!xclient_parse(c->argument, &s->command, &x, &why))
        session_error(s, "501 5.5.4 %s", why);
    else if (set_login(s, &x)) {
        become(s, &x);
        guard_changes_client(s);
        session_greet(s);
    }
}
