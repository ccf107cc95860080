#include "smtp/limits.h"

#include "base/clock.h"

#include <string.h>

/* What a key of the table stands for. */
enum kind {
    KIND_ADDRESS,
    KIND_NETWORK,
    KIND_ACCOUNT,
    KIND_PLACE /* an account, from a network */,
    KIND_OWN /* an account, by a limit of its own */
};

/* What the marks of an entry mean. */
enum mark {
    MARK_KNOWN = 0, /* address: when it was last good; place: when the account was last there; wall clock */
    MARK_TOLD = 1,  /* account: the day when postmaster was told */
};

#define PLACE_S 3600 /* an account that comes back to a network within that is not counted again */

static const char *const NAMES[LIMIT_SCOPES] = {
    [LIMIT_ADDRESS] = "your address",
    [LIMIT_NETWORK] = "your network",
    [LIMIT_ACCOUNT] = "your account",
};

/* What an IPv6 customer has; Postfix and others count by it too. */
#define IPV6_ADDRESS_BITS 64

void limits_init(struct limits *l, struct tally *tally, unsigned holder, const struct config *config,
                 const char *peer)
{
    struct ip_address at;
    *l = (struct limits){.holder = holder, .config = config};
    if (!tally || networks_hold(&config->smtp_trusted, peer) || !ip_address_read(str_from_c(peer), &at))
        return;
    struct ip_address address = ip_address_network(&at, 32, IPV6_ADDRESS_BITS);
    struct ip_address network = ip_address_network(&at, config->smtp_ipv4_network, config->smtp_ipv6_network);
    l->tally = tally;
    l->keys[LIMIT_ADDRESS] = tally_key(tally, KIND_ADDRESS, &address, sizeof address);
    l->keys[LIMIT_NETWORK] = tally_key(tally, KIND_NETWORK, &network, sizeof network);
}

void limits_set_account(struct limits *l, int64_t account, const struct directory_settings *own)
{
    l->account = account;
    l->own = own;
    if (l->tally)
        l->keys[LIMIT_ACCOUNT] = tally_key(l->tally, KIND_ACCOUNT, &account, sizeof account);
}

/* The scopes that count this client, as bits. */
static unsigned scopes(const struct limits *l)
{
    return !l->tally ? 0 : l->account ? 1u << LIMIT_ACCOUNT : 1u << LIMIT_ADDRESS | 1u << LIMIT_NETWORK;
}

const char *limits_hold(struct limits *l)
{
    unsigned wanted = scopes(l) & ~l->held;
    for (enum limit_scope i = 0; i < LIMIT_SCOPES; i++) {
        if (!(wanted & 1u << i))
            continue;
        if (!tally_hold(l->tally, l->holder, l->keys[i], l->config->limits[i].connections, clock_ms()))
            return NAMES[i];
        l->held |= 1u << i;
    }
    return NULL;
}

void limits_let_go(struct limits *l)
{
    for (enum limit_scope i = 0; i < LIMIT_SCOPES; i++)
        if (l->held & 1u << i)
            tally_let_go(l->tally, l->holder, l->keys[i]);
    l->held = 0;
}

struct tally_limit limits_of_account(const struct limits *l, enum limit_rate rate, bool *is_own)
{
    *is_own = l->own && l->own->rates[rate].is_set;
    return *is_own ? l->own->rates[rate].limit : l->config->limits[LIMIT_ACCOUNT].rates[rate];
}

/* A limit of the account's own is counted under a key of its own: whoever is given another one begins anew,
 * and is neither held back by what the old one counted nor let off. */
static bool take_of_account(struct limits *l, enum limit_rate rate)
{
    bool is_own;
    struct tally_limit limit = limits_of_account(l, rate, &is_own);
    uint64_t parts[] = {(uint64_t)l->account, rate, limit.count, limit.period_s};
    uint64_t key = is_own ? tally_key(l->tally, KIND_OWN, parts, sizeof parts) : l->keys[LIMIT_ACCOUNT];
    return tally_take(l->tally, key, rate, 1, limit, clock_ms());
}

const char *limits_take(struct limits *l, enum limit_rate rate)
{
    unsigned wanted = scopes(l);
    for (enum limit_scope i = 0; i < LIMIT_ACCOUNT; i++)
        if ((wanted & 1u << i) &&
            !tally_take(l->tally, l->keys[i], rate, 1, l->config->limits[i].rates[rate], clock_ms()))
            return NAMES[i];
    return wanted & 1u << LIMIT_ACCOUNT && !take_of_account(l, rate) ? NAMES[LIMIT_ACCOUNT] : NULL;
}

bool limits_is_known(const struct limits *l)
{
    if (!l->tally)
        return true;
    int64_t at = tally_mark(l->tally, l->keys[LIMIT_ADDRESS], MARK_KNOWN);
    return at != 0 && clock_wall() - at < LIMITS_KNOWN_S;
}

void limits_make_known(struct limits *l)
{
    if (l->tally)
        tally_set_mark(l->tally, l->keys[LIMIT_ADDRESS], MARK_KNOWN, clock_wall(), clock_ms());
}

bool limits_is_everywhere(struct limits *l)
{
    if (!l->tally || !l->account)
        return false;
    uint64_t place[] = {(uint64_t)l->account, l->keys[LIMIT_NETWORK]};
    uint64_t key = tally_key(l->tally, KIND_PLACE, place, sizeof place);
    int64_t now = clock_wall(), before = tally_set_mark(l->tally, key, MARK_KNOWN, now, clock_ms());
    return now - before >= PLACE_S && !take_of_account(l, LIMIT_CONNECTS);
}

bool limits_tells_today(struct limits *l)
{
    int64_t today = clock_wall() / 86400;
    return l->tally && l->account &&
           tally_set_mark(l->tally, l->keys[LIMIT_ACCOUNT], MARK_TOLD, today, clock_ms()) != today;
}
