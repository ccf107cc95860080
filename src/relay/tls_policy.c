#include "relay/tls_policy.h"

#include "base/log.h"
#include "base/mem.h"
#include "message/header.h"

struct tls_policies {
    struct route_resolver dns;
    struct sts *sts;
    struct tls_results *results;
};

struct tls_policies *tls_policies_new(const struct route_resolver *dns, struct sts *sts,
                                      struct tls_results *results)
{
    struct tls_policies *all = MEM_NEW(struct tls_policies);
    *all = (struct tls_policies){.dns = *dns, .sts = sts, .results = results};
    return all;
}

enum tls_wish tls_wish_of(bool requires_tls, struct str message)
{
    struct header_field f;
    if (requires_tls)
        return TLS_WISH_REQUIRE;
    if (header_find(message, STR("TLS-Required"), &f) && str_eq_nocase(str_trim(f.value), STR("No")))
        return TLS_WISH_WAIVE;
    return TLS_WISH_NONE;
}

/* A decision under way: for one host of a destination. */
struct decision {
    struct tls_policies *all;
    const struct tls_destination *to;
    struct str host;
    const struct route_addresses *addresses;
    struct arena *arena;
    struct tls_policy *out;
    struct str *reason;
    bool is_sts_host; /* a policy of MTA-STS names it */
};

static bool refuse(struct decision *d, struct str reason)
{
    *d->reason = reason;
    return false;
}

/* The same for what the destination should hear of. */
static bool refuse_and_count(struct decision *d, enum tls_rpt_result result, struct str reason)
{
    struct tls_session none = {.host = d->host, .result = result, .reason = str_from_offset(reason, 6)};
    tls_policy_record(d->all, d->out, &none);
    return refuse(d, reason);
}

void tls_policy_record(struct tls_policies *all, const struct tls_policy *p, const struct tls_session *s)
{
    bool has_problem = p->problem != TLS_RPT_SUCCESS;
    struct tls_rpt_count c = {
        .policy = p->report, .result = has_problem ? p->problem : s->result, .sessions = 1};
    if (!all->results || p->report.domain.n == 0)
        return;
    if (c.result != TLS_RPT_SUCCESS) {
        c.host = s->host;
        c.address = s->address;
        c.source = s->source;
        c.reason = has_problem ? p->words : s->reason;
    }
    tls_results_add(all->results, &c);
}

static void raise_to(struct decision *d, enum tls_level level)
{
    if (d->out->level < level)
        d->out->level = level;
}

static void demand_name(struct decision *d)
{
    raise_to(d, TLS_LEVEL_PROVEN);
    d->out->demand.check = TLS_CHECK_NAME;
    d->out->demand.is_strict = true;
}

/* --- DANE --- */

enum dane_found { DANE_FOUND_NONE, DANE_FOUND_UNUSABLE, DANE_FOUND_USABLE, DANE_FOUND_ERROR };

/* The TLSA records at one name. Those of a zone that is not signed do not count. */
static enum dane_found ask_tlsa(struct decision *d, struct str base)
{
    struct str name = arena_printf(d->arena, "_%u._tcp.%.*s", d->to->route->port, STR_ARGS(base));
    struct dns_answer answer = route_ask(&d->all->dns, DNS_TLSA, name, d->arena);
    if (answer.status == DNS_TEMPORARY)
        return DANE_FOUND_ERROR;
    if (answer.status != DNS_FOUND || !answer.secure)
        return DANE_FOUND_NONE;
    struct dane_record *usable = ARENA_ARRAY(d->arena, struct dane_record, DANE_RECORDS_MAX);
    size_t n = 0;
    for (size_t i = 0; i < answer.count && n < DANE_RECORDS_MAX; i++)
        n += dane_read(answer.records[i].data, &usable[n]) && dane_is_usable(&usable[n]);
    if (n == 0)
        return DANE_FOUND_UNUSABLE;
    d->out->demand.records = usable;
    d->out->demand.record_count = n;
    d->out->demand.host = base;
    return DANE_FOUND_USABLE;
}

static void report_tlsa(struct decision *d)
{
    CLEAN_BUF struct buf lines;
    buf_init(&lines, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < d->out->demand.record_count; i++) {
        buf_add(&lines, dane_text(&d->out->demand.records[i], d->arena));
        buf_add_byte(&lines, '\n');
    }
    d->out->report.type = TLS_RPT_TLSA;
    d->out->report.text = arena_copy(d->arena, buf_str(&lines));
}

static bool is_secure_alias(struct decision *d)
{
    struct dns_answer alias = route_ask(&d->all->dns, DNS_CNAME, d->host, d->arena);
    return alias.status == DNS_FOUND && alias.secure;
}

/* RFC 7672 section 2.2.2: where aliases lead is the better place, if the whole way is signed; the host's own
 * name is the other one, and the only one if but the alias itself is signed. */
static enum dane_found ask_names(struct decision *d)
{
    const struct route_addresses *at = d->addresses;
    bool is_alias = at->canonical.n > 0;
    if (at->is_secure && is_alias) {
        enum dane_found found = ask_tlsa(d, at->canonical);
        if (found != DANE_FOUND_NONE)
            return found;
    }
    return at->is_secure || (is_alias && is_secure_alias(d)) ? ask_tlsa(d, d->host) : DANE_FOUND_NONE;
}

/* False: refused. *decided: DANE says how it is. */
static bool take_dane(struct decision *d, bool *decided)
{
    const struct route *route = d->to->route;
    *decided = false;
    if (!route->is_secure || route_is_numeric(d->host))
        return true;
    switch (ask_names(d)) {
    case DANE_FOUND_NONE: return true;
    case DANE_FOUND_ERROR: /* section 2.1.2: perhaps somebody hides them; the host is not used */
        report_tlsa(d);
        return refuse_and_count(d, TLS_RPT_DNSSEC_INVALID,
                                arena_printf(d->arena,
                                             "4.7.5 DNS gives no valid answer about TLSA records of %.*s",
                                             STR_ARGS(d->host)));
    case DANE_FOUND_UNUSABLE: /* section 2.2: TLS is there, but nothing to check it by */
        raise_to(d, TLS_LEVEL_ENCRYPT);
        break;
    case DANE_FOUND_USABLE:
        raise_to(d, TLS_LEVEL_PROVEN);
        d->out->demand.check = TLS_CHECK_DANE;
        d->out->demand.is_strict = true;
        d->out->demand.other = route->domain;
        break;
    }
    report_tlsa(d);
    *decided = true;
    return true;
}

/* --- MTA-STS --- */

static void report_sts(struct decision *d, const struct sts_answer *sts)
{
    CLEAN_BUF struct buf mx, lines;
    struct str rest = sts->text, line;
    buf_init(&mx, BUF_MAX_DEFAULT);
    buf_init(&lines, BUF_MAX_DEFAULT);
    for (bool more = true; more;) {
        more = str_cut(&rest, '\n', &line);
        line = str_trim(line);
        if (line.n > 0)
            buf_addf(&lines, "%.*s\n", STR_ARGS(line));
    }
    for (size_t i = 0; i < sts->policy.mx_count; i++)
        buf_addf(&mx, "%.*s\n", STR_ARGS(sts->policy.mx[i]));
    d->out->report.type = TLS_RPT_STS;
    d->out->report.text = arena_copy(d->arena, buf_str(&lines));
    d->out->report.mx = arena_copy(d->arena, buf_str(&mx));
}

static bool take_sts_policy(struct decision *d, const struct sts_answer *sts)
{
    bool is_enforced = sts->policy.mode == MTA_STS_ENFORCE;
    report_sts(d, sts);
    d->is_sts_host = mta_sts_allows(&sts->policy, d->host);
    if (!d->is_sts_host) {
        struct str reason =
            arena_printf(d->arena, "4.7.5 %.*s is not among the servers of %.*s's MTA-STS policy",
                         STR_ARGS(d->host), STR_ARGS(d->to->route->domain));
        if (is_enforced)
            return refuse_and_count(d, TLS_RPT_VALIDATION_FAILURE, reason);
        d->out->problem = TLS_RPT_VALIDATION_FAILURE;
        d->out->words = str_from_offset(reason, 6);
    } else if (is_enforced) {
        demand_name(d);
    } else if (d->out->demand.check == TLS_CHECK_NONE) {
        d->out->demand.check = TLS_CHECK_NAME; /* not strict: its result is only told */
    }
    return true;
}

/* False: refused. */
static bool take_sts(struct decision *d)
{
    struct str domain = d->to->route->domain;
    struct sts_answer sts;
    if (!d->all->sts || domain.n == 0 || str_starts(domain, STR("[")))
        return true;
    sts_find(d->all->sts, domain, d->arena, &sts);
    if (sts.has_policy && sts.policy.mode != MTA_STS_NONE)
        return take_sts_policy(d, &sts);
    if (!sts.has_policy && sts.problem != TLS_RPT_SUCCESS) {
        d->out->report.type = TLS_RPT_STS;
        d->out->problem = sts.problem;
        d->out->words = sts.words;
    }
    return true;
}

/* --- the administrator --- */

static bool take_least(struct decision *d)
{
    switch (d->to->least) {
    case DIRECTORY_TLS_ANY: break;
    case DIRECTORY_TLS_ENCRYPT: raise_to(d, TLS_LEVEL_ENCRYPT); break;
    case DIRECTORY_TLS_VERIFY: demand_name(d); break;
    case DIRECTORY_TLS_DANE:
        if (d->out->demand.check != TLS_CHECK_DANE)
            return refuse_and_count(d, TLS_RPT_DANE_REQUIRED,
                                    arena_printf(d->arena,
                                                 "4.7.5 %.*s has no TLSA records, which its route demands",
                                                 STR_ARGS(d->host)));
        break;
    case DIRECTORY_TLS_NONE: d->out->level = TLS_LEVEL_NEVER; break;
    }
    return true;
}

/* --- the message --- */

/* RFC 8689 section 4.2.1: the host's name is one that DNSSEC or MTA-STS vouches for, its certificate is for
 * that name, and it offers REQUIRETLS too. */
static bool take_requiretls(struct decision *d)
{
    if (d->out->level == TLS_LEVEL_NEVER)
        return refuse(
            d, arena_printf(d->arena, "5.7.30 REQUIRETLS: the route to %.*s has no TLS", STR_ARGS(d->host)));
    if (d->out->level < TLS_LEVEL_PROVEN) {
        if (!d->to->route->is_secure && !d->is_sts_host)
            return refuse(d, arena_printf(d->arena,
                                          "5.7.30 REQUIRETLS: neither DNSSEC nor MTA-STS says that %.*s is a "
                                          "server of %.*s",
                                          STR_ARGS(d->host), STR_ARGS(d->to->route->domain)));
        demand_name(d);
    }
    d->out->wants_requiretls = true;
    return true;
}

bool tls_policy_find(struct tls_policies *all, const struct tls_destination *to, struct str host,
                     const struct route_addresses *addresses, struct arena *a, struct tls_policy *out,
                     struct str *reason)
{
    struct decision d = {all, to, host, addresses, a, out, reason, false};
    bool is_waived = to->wish == TLS_WISH_WAIVE && to->least != DIRECTORY_TLS_DANE, has_dane = false;
    *out = (struct tls_policy){.level = TLS_LEVEL_MAY, .demand = {.host = host}};
    out->report = (struct tls_rpt_policy){.domain = to->route->domain, .text = STR(""), .mx = STR("")};
    if (to->wish == TLS_WISH_WAIVE ||
        to->least == DIRECTORY_TLS_NONE) /* RFC 8460 section 3: not reports themselves */
        out->report.domain = STR("");
    if (to->least != DIRECTORY_TLS_NONE && to->least != DIRECTORY_TLS_VERIFY && !is_waived &&
        !take_dane(&d, &has_dane))
        return false;
    if (to->least != DIRECTORY_TLS_NONE && !is_waived && !has_dane && !take_sts(&d))
        return false;
    return take_least(&d) && (to->wish != TLS_WISH_REQUIRE || take_requiretls(&d));
}
