/* golub check: the DNS records of the server and its domains, asked as the server itself asks. */
#include "base/arena.h"
#include "command/check.h"
#include "command/question.h"
#include "command/records.h"
#include "dns/dns.h"
#include "dns/libunbound.h"
#include "dns/resolver.h"

#include <string.h>

/* A TXT record that begins so. Its strings stand one after another, each behind its length. */
static bool has_text(const struct question *q, struct str start)
{
    for (size_t i = 0; i < question_count(q); i++) {
        struct str rdata = str_from(q->result->data[i], (size_t)q->result->len[i]);
        if (str_starts_nocase(str_from_offset(rdata, 1), start))
            return true;
    }
    return false;
}

/* Whether rdata of an MX record (preference, then labels) names this host. */
static bool names_host(struct str rdata, struct str host)
{
    struct str label, rest = host;
    rdata = str_from_offset(rdata, 2);
    while (rest.n > 0) {
        str_cut(&rest, '.', &label);
        if (rdata.n < label.n + 1 || (unsigned char)rdata.p[0] != label.n ||
            !str_eq_nocase(str_slice(rdata, 1, label.n), label))
            return false;
        rdata = str_from_offset(rdata, label.n + 1);
    }
    return rdata.n == 1 && rdata.p[0] == 0;
}

static bool mx_names(const struct question *mx, struct str host)
{
    for (size_t i = 0; i < question_count(mx); i++)
        if (names_host(str_from(mx->result->data[i], (size_t)mx->result->len[i]), host))
            return true;
    return false;
}

static void say_mx(const struct question *mx, struct str host)
{
    if (!question_answered(mx))
        check_say(CHECK_WARNING, "DNS: no answer for the MX record of %s: is the network up?", mx->name);
    else if (mx_names(mx, host))
        check_say(CHECK_OK, "DNS: the MX record of %s names %.*s", mx->name, STR_ARGS(host));
    else
        check_say(CHECK_WARNING, "DNS: no MX record of %s names %.*s, so no mail comes here: golub dns %s",
                  mx->name, STR_ARGS(host), mx->name);
}

static void say_text(const struct question *q, struct str start, const char *what, const char *domain)
{
    if (!question_answered(q))
        return; /* said once for the MX record */
    if (has_text(q, start))
        check_say(CHECK_OK, "DNS: %s has %s", domain, what);
    else
        check_say(CHECK_WARNING,
                  "DNS: %s has no %s at %s, so other servers trust its mail less: golub dns %s", domain, what,
                  q->name, domain);
}

static void say_addresses(const struct question *a, const struct question *aaaa, struct str host)
{
    if (!question_answered(a) && !question_answered(aaaa))
        check_say(CHECK_WARNING, "DNS: no answer for the addresses of %.*s", STR_ARGS(host));
    else if (question_count(a) + question_count(aaaa) == 0)
        check_say(CHECK_WARNING,
                  "DNS: %.*s has no address: publish an A record, AAAA too where there is IPv6",
                  STR_ARGS(host));
    else
        check_say(CHECK_OK, "DNS: %.*s has %zu address%s", STR_ARGS(host),
                  question_count(a) + question_count(aaaa),
                  question_count(a) + question_count(aaaa) == 1 ? "" : "es");
}

enum { ASK_MX, ASK_SPF, ASK_DKIM, ASK_DMARC, ASKS_A_DOMAIN };

void check_dns(const struct config *c, const struct directory_domain *domains, size_t n)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct ub_ctx *ctx = resolver_new(c, &e);
    if (!ctx) {
        check_say(CHECK_ERROR, "DNS: %s", e.text);
        return;
    }
    struct question *q = ARENA_ARRAY(&a, struct question, 2 + n * ASKS_A_DOMAIN), *of = q + 2;
    q[0] = (struct question){.name = arena_copy_c(&a, c->hostname), .type = DNS_A};
    q[1] = (struct question){.name = q[0].name, .type = DNS_AAAA};
    for (size_t i = 0; i < n; i++, of += ASKS_A_DOMAIN) {
        const char *name = arena_copy_c(&a, domains[i].name);
        of[ASK_MX] = (struct question){.name = name, .type = DNS_MX};
        of[ASK_SPF] = (struct question){.name = name, .type = DNS_TXT};
        of[ASK_DKIM] = (struct question){.name = arena_printf(&a, DKIM_SELECTOR "._domainkey.%s", name).p,
                                         .type = DNS_TXT};
        of[ASK_DMARC] = (struct question){.name = arena_printf(&a, "_dmarc.%s", name).p, .type = DNS_TXT};
    }
    questions_ask(ctx, q, 2 + n * ASKS_A_DOMAIN);
    say_addresses(&q[0], &q[1], c->hostname);
    of = q + 2;
    for (size_t i = 0; i < n; i++, of += ASKS_A_DOMAIN) {
        say_mx(&of[ASK_MX], c->hostname);
        say_text(&of[ASK_SPF], STR("v=spf1 "), "an SPF record", of[ASK_MX].name);
        say_text(&of[ASK_DKIM], STR("v=DKIM1"), "a DKIM key", of[ASK_MX].name);
        say_text(&of[ASK_DMARC], STR("v=DMARC1"), "a DMARC policy", of[ASK_MX].name);
    }
    for (size_t i = 0; i < 2 + n * ASKS_A_DOMAIN; i++)
        unbound.resolve_free(q[i].result);
    unbound.ctx_delete(ctx);
}
