#include "smtp/local.h"

#include <stdio.h>

bool session_is_local(const struct session *s)
{
    return s->connection.service == SERVICE_LOCAL;
}

void local_begin(struct session *s)
{
    s->is_authenticated = true;
    s->guard.is_trusted = true;
    s->user = (struct directory_login){0};
    snprintf(s->user.address, sizeof s->user.address, "local user %u", (unsigned)s->connection.uid);
}

static struct str domain_of(struct str address)
{
    size_t at = str_rfind_byte(address, '@');
    return at == STR_NONE ? STR("") : str_from_offset(address, at + 1);
}

bool local_may_send_as(struct session *s, struct str plain)
{
    struct directory_answer answer;
    struct err e = ERR_INIT;
    struct str domain = domain_of(plain);
    if (s->connection.uid == 0 || s->config->local_senders_any ||
        str_eq_nocase(domain, s->config->hostname) || str_eq_nocase(domain, s->config->origin))
        return true;
    if (!directory_resolve(s->server->directory, plain, &s->command, &answer, &e)) {
        session_refuse(s, STR(""), "451 4.3.0 %s; try again later", e.text);
        return false;
    }
    if (answer.fate != DIRECTORY_REMOTE) /* of our domains, whether there is such an address or not */
        return true;
    session_refuse(s, STR(""),
                   "553 5.7.1 <%.*s> is not of a domain of ours: see [smtp] local_senders in golub.conf",
                   STR_ARGS(plain));
    return false;
}

bool local_is_roots(const struct session *s, struct str plain)
{
    size_t at = str_rfind_byte(plain, '@');
    return session_is_local(s) && str_eq_nocase(str_slice(plain, 0, at), STR("root"));
}
