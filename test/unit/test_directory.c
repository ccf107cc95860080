/* Whose address: canonical forms, accounts and aliases, where everything leads. */
#include "check.h"
#include "directory/address.h"
#include "directory/frames.h"
#include "directory_fixture.h"

#include <stdio.h>
#include <string.h>

/* The answer as text: "local ana@example.org/tag remote x@y.example". */
static const char *resolve_str(struct here *h, struct str address)
{
    static char text[4096];
    static const char *const FATES[] = {"local", "remote", "unknown", "loop", "refused"};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    struct err e = ERR_INIT;
    good(directory_db_resolve(h->db, address, &a, &answer, &e), &e);
    size_t n = (size_t)snprintf(text, sizeof text, "%s", FATES[answer.fate]);
    for (size_t i = 0; i < answer.count && n < sizeof text; i++) {
        const struct directory_target *t = &answer.targets[i];
        n += (size_t)snprintf(text + n, sizeof text - n, " %s%.*s%s%.*s", t->is_local ? "" : ">",
                              STR_ARGS(t->address), t->detail.n ? "/" : "", STR_ARGS(t->detail));
    }
    return text;
}

static const char *resolve(struct here *h, const char *address)
{
    return resolve_str(h, str_from_c(address));
}

static void domains_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"Example.ORG", "example.org"},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"B\xc3\x9c"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"bu\xcc\x88"
         "cher.example",
         "xn--bcher-kva.example"}, /* decomposed */
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"fa\xc3\x9f.example", "xn--fa-hia.example"}, /* non-transitional: not fass */
        {"\xd0\xbf\xd0\xbe\xd1\x88\xd1\x82\xd0\xb0.\xd1\x81\xd1\x80\xd0\xb1", "xn--80a1acn3a.xn--90a3ac"},
        {"localhost", "localhost"},
        {"under_score.example", "under_score.example"},
        {"[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"},
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {"example.org.", NULL},
        {"-a.example", NULL},
        {"a b.example", NULL},
        {"a@b", NULL},
        {"[]", NULL},
        {"\xff\xfe.example", NULL},
        {"1234567890123456789012345678901234567890123456789012345678901234.example", NULL},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct str out = STR("");
        struct err e = ERR_INIT;
        bool is_good = directory_domain_read(str_from_c(CASES[i].in), &a, &out, &e);
        if (is_good != (CASES[i].out != NULL) || (is_good && !str_eq(out, str_from_c(CASES[i].out))))
            fail_msg("%s: %.*s", CASES[i].in, STR_ARGS(out));
    }
    assert_false(directory_domain_read(STR("a\0.example"), &a, &(struct str){0}, NULL));
}

static void local_parts_are_compared_without_case(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address x, y;
    struct err e = ERR_INIT;
    assert_true(directory_address_read(STR("Ana.Kova\xc4\x8c@Example.org"), &a, &x, &e));
    assert_true(directory_address_read(STR("ana.kovac\xcc\x8c@EXAMPLE.org"), &a, &y, &e));
    assert_true(str_eq(x.key, y.key));
    assert_true(str_eq(x.whole, STR("Ana.Kova\xc4\x8c@example.org")));         /* another host may care */
    assert_true(directory_address_read(STR("a b@c@example.org"), &a, &x, &e)); /* "a b@c"@ without quotes */
    assert_true(str_eq(x.local, STR("a b@c")));
    assert_false(directory_address_read(STR("ana"), &a, &x, &e));
    assert_false(directory_address_read(STR("@example.org"), &a, &x, &e));
    assert_false(directory_address_read(STR("ana@"), &a, &x, &e));
    assert_false(directory_address_read(STR("a\r\nb@example.org"), &a, &x, &e));
    assert_false(directory_address_read(STR("a\0b@example.org"), &a, &x, &e));
    assert_false(directory_address_read(STR("\xc3@example.org"), &a, &x, &e));
    assert_false(directory_address_read(
        STR("12345678901234567890123456789012345678901234567890123456789012345@example.org"), &a, &x, &e));
}

static void accounts_are_found_in_any_spelling(void **state)
{
    struct here *h = *state;
    add_domain(h, "example.org");
    add_domain(h, "b\xc3\xbc"
                  "cher.example");
    add_account(h, "Ana@example.org");
    add_account(h, "z\xc3\xbcrn@b\xc3\xbc"
                   "cher.example");
    add_account(h, "john doe@example.org");
    assert_string_equal(resolve(h, "ana@example.org"), "local ana@example.org");
    assert_string_equal(resolve(h, "ANA@EXAMPLE.ORG"), "local ana@example.org");
    assert_string_equal(resolve(h, "Z\xc3\x9cRN@XN--BCHER-KVA.example"),
                        "local z\xc3\xbcrn@xn--bcher-kva.example");
    assert_string_equal(resolve(h, "John Doe@example.org"), "local john doe@example.org");
    assert_string_equal(resolve(h, "nobody@example.org"), "unknown");
    assert_string_equal(resolve(h, "ana@sub.example.org"), "remote >ana@sub.example.org");
    assert_string_equal(resolve(h, "Ana@Other.example"), "remote >Ana@other.example");
    assert_string_equal(resolve(h, "ana@[127.0.0.1]"), "remote >ana@[127.0.0.1]");
    assert_string_equal(resolve(h, "ana@other.example@example.org"), "unknown");
    assert_string_equal(resolve(h, "ana%other.example@example.org"), "unknown");
    assert_string_equal(resolve(h, "ana"), "unknown");
    assert_string_equal(resolve(h, ""), "unknown");
    assert_string_equal(resolve_str(h, STR("ana\0@example.org")), "unknown");
    assert_string_equal(resolve(h, "' OR 1=1 --@example.org"), "unknown");
}

static void tags_lead_to_the_longest_name_there_is(void **state)
{
    struct here *h = *state;
    add_domain(h, "example.org");
    add_account(h, "ana@example.org");
    add_account(h, "ana+work@example.org");
    assert_string_equal(resolve(h, "Ana+Shop@example.org"), "local ana@example.org/Shop");
    assert_string_equal(resolve(h, "ana+@example.org"), "local ana@example.org");
    assert_string_equal(resolve(h, "ana+a+b@example.org"), "local ana@example.org/a+b");
    assert_string_equal(resolve(h, "ana+work@example.org"), "local ana+work@example.org");
    assert_string_equal(resolve(h, "ana+WORK+x@example.org"), "local ana+work@example.org/x");
    assert_string_equal(resolve(h, "+ana@example.org"), "unknown");
    assert_string_equal(resolve(h, "bob+ana@example.org"), "unknown");
    add_alias(h, "team@example.org", "ana@example.org");
    assert_string_equal(resolve(h, "team+x@example.org"), "local ana@example.org/x");
    h->db->separator = '-';
    assert_string_equal(resolve(h, "ana-x@example.org"), "local ana@example.org/x");
    assert_string_equal(resolve(h, "ana+x@example.org"), "unknown");
    h->db->separator = 0;
    assert_string_equal(resolve(h, "ana-x@example.org"), "unknown");
}

static void aliases_lead_on_and_duplicates_go(void **state)
{
    struct here *h = *state;
    add_domain(h, "example.org");
    add_account(h, "ana@example.org");
    add_account(h, "bob@example.org");
    add_alias(h, "team@example.org", "ana@example.org");
    add_alias(h, "team@example.org", "Bob@Example.org");
    add_alias(h, "team@example.org", "Zoe@Elsewhere.example");
    assert_string_equal(resolve(h, "TEAM@example.org"),
                        "local ana@example.org bob@example.org >Zoe@elsewhere.example");
    add_alias(h, "all@example.org", "team@example.org");
    add_alias(h, "all@example.org", "ana@example.org");
    assert_string_equal(resolve(h, "all@example.org"),
                        "local ana@example.org bob@example.org >Zoe@elsewhere.example");
    add_alias(h, "tagged@example.org", "ana+list@example.org");
    assert_string_equal(resolve(h, "tagged+mine@example.org"), "local ana@example.org/list");
    add_alias(h, "away@example.org", "x@elsewhere.example");
    assert_string_equal(resolve(h, "away@example.org"), "local >x@elsewhere.example");
    struct err e = ERR_INIT;
    assert_false(try_alias(h, "oops@example.org", "nobody@example.org", &e));
    assert_int_equal(e.kind, ERR_PERMANENT);
    assert_false(try_alias(h, "oops@elsewhere.example", "ana@example.org", &e));
    assert_string_equal(resolve(h, "oops@example.org"), "unknown");
    struct str bob = STR("BOB@example.org");
    good(directory_alias_remove(h->db, STR("team@example.org"), &bob, 1, &e), &e);
    assert_string_equal(resolve(h, "team@example.org"), "local ana@example.org >Zoe@elsewhere.example");
    assert_false(directory_alias_remove(h->db, STR("team@example.org"), &bob, 1, &e));
    assert_false(directory_alias_remove(h->db, STR("team@example.org"), NULL, 0, &e)); /* all@ leads to it */
    good(directory_alias_remove(h->db, STR("all@example.org"), NULL, 0, &e), &e);
    good(directory_alias_remove(h->db, STR("team@example.org"), NULL, 0, &e), &e);
    assert_string_equal(resolve(h, "team@example.org"), "unknown");
}

static void loops_are_told_and_forwarding_with_a_copy_is_none(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    add_domain(h, "example.org");
    add_account(h, "ana@example.org");
    add_account(h, "bob@example.org");
    add_alias(h, "a@example.org", "ana@example.org");
    add_alias(h, "b@example.org", "a@example.org");
    assert_false(try_alias(h, "a@example.org", "b@example.org", &e));
    assert_non_null(strstr(e.text, "leads back to itself"));
    assert_string_equal(resolve(h, "a@example.org"), "local ana@example.org"); /* as it was */
    assert_false(try_alias(h, "self@example.org", "self@example.org", &e));
    add_alias(h, "ana@example.org", "bob@example.org"); /* forwarded */
    assert_string_equal(resolve(h, "ana@example.org"), "local bob@example.org");
    add_alias(h, "ana@example.org", "ana@example.org"); /* with a copy */
    assert_string_equal(resolve(h, "ana@example.org"), "local ana@example.org bob@example.org");
    add_alias(h, "bob@example.org", "ana@example.org"); /* and back */
    add_alias(h, "bob@example.org", "bob@example.org");
    assert_string_equal(resolve(h, "ana@example.org"), "local ana@example.org bob@example.org");
    assert_string_equal(resolve(h, "bob@example.org"), "local ana@example.org bob@example.org");
}

static void depth_and_number_are_bounded(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    char from[64], to[64];
    add_domain(h, "example.org");
    add_account(h, "a0@example.org");
    for (int i = 1; i <= DIRECTORY_DEPTH_MAX; i++) {
        snprintf(from, sizeof from, "a%d@example.org", i);
        snprintf(to, sizeof to, "a%d@example.org", i - 1);
        add_alias(h, from, to);
    }
    assert_string_equal(resolve(h, from), "local a0@example.org");
    assert_false(try_alias(h, "deep@example.org", from, &e));
    assert_non_null(strstr(e.text, "too many times"));

    struct str targets[DIRECTORY_TARGETS_MAX + 1];
    for (int i = 0; i <= DIRECTORY_TARGETS_MAX; i++) {
        snprintf(to, sizeof to, "u%d@elsewhere.example", i);
        targets[i] = str_from_c(strdup(to));
    }
    assert_false(directory_alias_add(h->db, STR("many@example.org"), targets, DIRECTORY_TARGETS_MAX + 1, &e));
    assert_non_null(strstr(e.text, "too many addresses"));
    good(directory_alias_add(h->db, STR("many@example.org"), targets, DIRECTORY_TARGETS_MAX, &e), &e);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    good(directory_db_resolve(h->db, STR("many@example.org"), &a, &answer, &e), &e);
    assert_int_equal(answer.count, DIRECTORY_TARGETS_MAX);
    for (int i = 0; i <= DIRECTORY_TARGETS_MAX; i++)
        free((char *)targets[i].p);
}

static void postmaster_and_abuse_are_always_there(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    int64_t id;
    assert_string_equal(resolve(h, "postmaster"), "unknown"); /* no domain yet */
    add_domain(h, "example.org");
    add_domain(h, "second.example");
    static const char *const ASKED[] = {"postmaster",
                                        "PostMaster",
                                        "postmaster@example.org",
                                        "POSTMASTER@second.example",
                                        "abuse@example.org",
                                        "Abuse@second.example",
                                        "postmaster+x@second.example"};
    for (size_t i = 0; i < sizeof ASKED / sizeof ASKED[0]; i++)
        assert_string_equal(resolve(h, ASKED[i]), "local postmaster@example.org");
    assert_false(directory_account_remove(h->db, STR("postmaster@example.org"), &id, &e));
    assert_non_null(strstr(e.text, "must exist"));
    add_account(h, "ana@example.org");
    add_alias(h, "postmaster@example.org", "ana@example.org");
    for (size_t i = 0; i < sizeof ASKED / sizeof ASKED[0]; i++)
        assert_string_equal(
            str_starts(str_from_c(resolve(h, ASKED[i])), STR("local ana@example.org")) ? "" : ASKED[i], "");
    add_account(h, "abuse@second.example");
    assert_string_equal(resolve(h, "abuse@second.example"), "local abuse@second.example");
    assert_string_equal(resolve(h, "postmaster@elsewhere.example"), "remote >postmaster@elsewhere.example");
    good(directory_alias_remove(h->db, STR("postmaster@example.org"), NULL, 0, &e), &e);
    assert_string_equal(resolve(h, "postmaster@second.example"), "local postmaster@example.org");
}

static void a_catch_all_takes_what_nobody_else_does(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    add_domain(h, "example.org");
    add_account(h, "ana@example.org");
    add_account(h, "bob@example.org");
    add_alias(h, "@example.org", "ana@example.org");
    assert_string_equal(resolve(h, "anything@example.org"), "local ana@example.org");
    assert_string_equal(resolve(h, "any+thing@example.org"), "local ana@example.org");
    assert_string_equal(resolve(h, "bob@example.org"), "local bob@example.org");
    assert_string_equal(resolve(h, "bob+x@example.org"), "local bob@example.org/x");
    assert_string_equal(resolve(h, "abuse@example.org"), "local postmaster@example.org");
    assert_string_equal(resolve(h, "x@other.example"), "remote >x@other.example");
    assert_false(try_alias(h, "@example.org", "@other.example", &e));
    good(directory_alias_remove(h->db, STR("@EXAMPLE.org"), NULL, 0, &e), &e);
    assert_string_equal(resolve(h, "anything@example.org"), "unknown");
}

static void removing_an_account_leaves_nothing_that_leads_to_it(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    int64_t id;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    struct directory_alias *aliases;
    size_t n;
    add_domain(h, "example.org");
    int64_t ana = add_account(h, "ana@example.org");
    add_account(h, "bob@example.org");
    add_alias(h, "only@example.org", "ana@example.org");
    add_alias(h, "both@example.org", "ana@example.org");
    add_alias(h, "both@example.org", "bob@example.org");
    good(directory_account_remove(h->db, STR("ANA@example.org"), &id, &e), &e);
    assert_int_equal(id, ana);
    assert_string_equal(resolve(h, "ana@example.org"), "unknown");
    assert_string_equal(resolve(h, "only@example.org"), "unknown");
    assert_string_equal(resolve(h, "both@example.org"), "local bob@example.org");
    assert_false(directory_account_find(h->db, STR("ana@example.org"), &a, &account, &e));
    assert_false(directory_account_remove(h->db, STR("ana@example.org"), &id, &e));
    assert_true(add_account(h, "ana@example.org") > ana); /* never the same folder again */
    good(directory_alias_list(h->db, &a, &aliases, &n, &e), &e);
    assert_int_equal(n, 1);
}

static void what_exists_or_is_not_ours_is_refused(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    int64_t id;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_domain *domains;
    struct directory_account *accounts;
    size_t n;
    add_domain(h, "example.org");
    assert_false(directory_domain_add(h->db, STR("EXAMPLE.org"), &e));
    assert_int_equal(e.kind, ERR_PERMANENT);
    assert_false(directory_domain_add(h->db, STR("[127.0.0.1]"), &e));
    assert_false(directory_domain_add(h->db, STR("no domain"), &e));
    add_account(h, "ana@example.org");
    assert_false(directory_account_add(h->db, STR("Ana@Example.org"), STR(""), &id, &e));
    assert_false(directory_account_add(h->db, STR("ana@other.example"), STR(""), &id, &e));
    assert_false(directory_account_set_hash(h->db, STR("bob@example.org"), STR("x"), &e));
    assert_false(directory_domain_remove(h->db, STR("example.org"), &e)); /* the first */
    add_domain(h, "second.example");
    add_account(h, "ana@second.example");
    assert_false(directory_domain_remove(h->db, STR("second.example"), &e)); /* in use */
    good(directory_domain_list(h->db, &a, &domains, &n, &e), &e);
    assert_int_equal(n, 2);
    assert_true(str_eq(domains[0].name, STR("example.org")));
    assert_int_equal(domains[0].accounts, 2);
    assert_int_equal(domains[1].accounts, 1);
    good(directory_account_list(h->db, &a, &accounts, &n, &e), &e);
    assert_int_equal(n, 3);
    assert_true(str_eq(accounts[1].address, STR("postmaster@example.org")));
    assert_int_equal(accounts[1].hash.n, 0);
    good(directory_account_remove(h->db, STR("ana@second.example"), &id, &e), &e);
    good(directory_domain_remove(h->db, STR("second.example"), &e), &e);
}

static struct directory_account account_of(struct here *h, const char *address, struct arena *a)
{
    struct directory_account account;
    struct err e = ERR_INIT;
    good(directory_account_find(h->db, str_from_c(address), a, &account, &e), &e);
    return account;
}

static bool has_quota(struct here *h, const char *address)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    struct err e = ERR_INIT;
    good(directory_db_resolve(h->db, str_from_c(address), &a, &answer, &e), &e);
    assert_int_equal(answer.count, 1);
    return answer.targets[0].has_quota;
}

static void a_quota_is_ones_own_or_the_domains(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    const int64_t unset = DIRECTORY_QUOTA_UNSET;
    add_domain(h, "example.org");
    add_account(h, "ana@example.org");
    add_alias(h, "info@example.org", "ana@example.org");
    struct directory_account ana = account_of(h, "ana@example.org", &a);
    assert_true(ana.quota.bytes == unset && ana.own_quota.messages == unset);
    assert_false(has_quota(h, "ana@example.org"));
    good(directory_domain_set_quota(h->db, STR("Example.org"), &(struct directory_quota){unset, 100}, &e),
         &e);
    ana = account_of(h, "ana@example.org", &a);
    assert_true(ana.quota.bytes == unset && ana.quota.messages == 100 && ana.own_quota.messages == unset);
    assert_true(has_quota(h, "info@example.org"));
    good(directory_account_set_quota(h->db, STR("Ana@example.org"), &(struct directory_quota){5000, 0}, &e),
         &e);
    ana = account_of(h, "ana@example.org", &a);
    assert_true(ana.quota.bytes == 5000 && ana.quota.messages == 0 && ana.own_quota.bytes == 5000);
    assert_true(has_quota(h, "ana+tag@example.org"));
    good(directory_account_set_quota(h->db, STR("ana@example.org"), &(struct directory_quota){0, 0}, &e), &e);
    assert_false(has_quota(h, "ana@example.org"));
    assert_false(directory_account_set_quota(h->db, STR("x@example.org"), &ana.quota, &e));
    assert_false(directory_domain_set_quota(h->db, STR("elsewhere.example"), &ana.quota, &e));
}

static const char *login(struct here *h, const char *user)
{
    static char text[ADDRESS_MAX + 16];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    struct err e = ERR_INIT;
    bool found;
    good(directory_db_login(h->db, str_from_c(user), &a, &found, &account, &e), &e);
    if (!found)
        return "nobody";
    snprintf(text, sizeof text, "%.*s%s", STR_ARGS(account.address), account.enabled ? "" : " disabled");
    return text;
}

static void logins_lead_to_one_account(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    add_domain(h, "example.org");
    add_domain(h, "second.example");
    add_account(h, "ana@example.org");
    add_account(h, "bob@example.org");
    add_account(h, "cyn@example.org");
    add_alias(h, "anna@example.org", "ana@example.org");
    add_alias(h, "a@second.example", "anna@example.org");
    add_alias(h, "both@example.org", "ana@example.org");
    add_alias(h, "both@example.org", "cyn@example.org");
    add_alias(h, "away@example.org", "x@elsewhere.example");
    add_alias(h, "bob@example.org", "ana@example.org"); /* forwards, still logs in as himself */
    add_alias(h, "@example.org", "ana@example.org");
    assert_string_equal(login(h, "ANA@example.org"), "ana@example.org");
    assert_string_equal(login(h, "anna@Example.org"), "ana@example.org");
    assert_string_equal(login(h, "a@second.example"), "ana@example.org");
    assert_string_equal(login(h, "bob@example.org"), "bob@example.org");
    assert_string_equal(login(h, "both@example.org"), "nobody");
    assert_string_equal(login(h, "away@example.org"), "nobody");
    assert_string_equal(login(h, "anything@example.org"), "nobody");
    assert_string_equal(login(h, "ana+x@example.org"), "nobody");
    assert_string_equal(login(h, "postmaster@second.example"), "nobody");
    assert_string_equal(login(h, "ana"), "nobody");
    assert_string_equal(login(h, ""), "nobody");
    good(directory_account_enable(h->db, STR("ana@example.org"), false, &e), &e);
    assert_string_equal(login(h, "ana@example.org"), "ana@example.org disabled");
    assert_string_equal(resolve(h, "ana@example.org"), "local ana@example.org");
}

static void an_account_sends_as_what_leads_to_it_alone(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    add_domain(h, "example.org");
    int64_t ana = add_account(h, "ana@example.org"), bob = add_account(h, "bob@example.org");
    add_alias(h, "anna@example.org", "ana@example.org");
    add_alias(h, "both@example.org", "ana@example.org");
    add_alias(h, "both@example.org", "bob@example.org");
    add_alias(h, "bob@example.org", "x@elsewhere.example");
    const struct {
        int64_t account;
        const char *address;
        bool may;
    } CASES[] = {
        {ana, "ana@example.org", true},     {ana, "ANA@Example.ORG", true},
        {ana, "ana+tag@example.org", true}, {ana, "anna@example.org", true},
        {ana, "anna+x@example.org", true},  {ana, "both@example.org", false},
        {ana, "bob@example.org", false},    {ana, "ana@elsewhere.example", false},
        {ana, "nobody@example.org", false}, {ana, "postmaster@example.org", false},
        {ana, "postmaster", false},         {ana, "", false},
        {bob, "bob@example.org", true}, /* forwarded away, still his */
        {bob, "bob+x@example.org", true},   {bob, "ana@example.org", false},
        {0, "nobody@example.org", false},   {999, "ana@example.org", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        bool may;
        good(directory_db_may_send_as(h->db, CASES[i].account, str_from_c(CASES[i].address), &may, &e), &e);
        if (may != CASES[i].may)
            fail_msg("%s", CASES[i].address);
    }
}

/* Two connections: a command beside the running server. */
static void a_change_is_seen_at_once_by_others(void **state)
{
    struct here *h = *state;
    struct here other = {.data = ""};
    struct err e = ERR_INIT;
    add_domain(h, "example.org");
    other.db = open_db(h, &e);
    assert_non_null(other.db);
    assert_string_equal(resolve(&other, "ana@example.org"), "unknown");
    add_account(h, "ana@example.org");
    assert_string_equal(resolve(&other, "ana@example.org"), "local ana@example.org");
    directory_db_close(other.db);
}

static void answers_travel_whole_or_not_at_all(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_target targets[] = {
        {true, true, 7, STR_INIT("ana@example.org"), STR_INIT("tag"), STR_INIT("")},
        {false, false, 0, STR_INIT("x@elsewhere.example"), STR_INIT(""), STR_INIT("SRS0=x@example.org")}};
    struct directory_answer answer = {DIRECTORY_LOCAL,         targets, 2,   STR_INIT("reply"),
                                      STR_INIT("y@z.example"), true,    true},
                            read;
    CLEAN_FRAME struct ipc_frame f;
    struct str words;
    ipc_frame_init(&f, DIRECTORY_FRAME_ANSWER);
    directory_answer_put(&f, &answer, STR("w"));
    assert_true(directory_answer_get(&f, &a, &read, &words));
    assert_int_equal(read.count, 2);
    assert_int_equal(read.targets[0].account, 7);
    assert_true(str_eq(read.targets[1].address, STR("x@elsewhere.example")));
    assert_true(str_eq(read.targets[1].sender, STR("SRS0=x@example.org")));
    assert_true(str_eq(read.reply, STR("reply")) && str_eq(read.sender, STR("y@z.example")) &&
                read.rewrites && read.is_for_sender);
    size_t whole = f.payload.n;
    for (size_t n = 0; n < whole; n++) {
        f.payload.n = n;
        assert_false(directory_answer_get(&f, &a, &read, &words));
    }
    f.payload.n = whole;
    ipc_put_u8(&f, 0);
    assert_false(directory_answer_get(&f, &a, &read, &words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_have_one_spelling),
        cmocka_unit_test(local_parts_are_compared_without_case),
        cmocka_unit_test_setup_teardown(accounts_are_found_in_any_spelling, make, clear),
        cmocka_unit_test_setup_teardown(a_quota_is_ones_own_or_the_domains, make, clear),
        cmocka_unit_test_setup_teardown(tags_lead_to_the_longest_name_there_is, make, clear),
        cmocka_unit_test_setup_teardown(aliases_lead_on_and_duplicates_go, make, clear),
        cmocka_unit_test_setup_teardown(loops_are_told_and_forwarding_with_a_copy_is_none, make, clear),
        cmocka_unit_test_setup_teardown(depth_and_number_are_bounded, make, clear),
        cmocka_unit_test_setup_teardown(postmaster_and_abuse_are_always_there, make, clear),
        cmocka_unit_test_setup_teardown(a_catch_all_takes_what_nobody_else_does, make, clear),
        cmocka_unit_test_setup_teardown(removing_an_account_leaves_nothing_that_leads_to_it, make, clear),
        cmocka_unit_test_setup_teardown(what_exists_or_is_not_ours_is_refused, make, clear),
        cmocka_unit_test_setup_teardown(logins_lead_to_one_account, make, clear),
        cmocka_unit_test_setup_teardown(an_account_sends_as_what_leads_to_it_alone, make, clear),
        cmocka_unit_test_setup_teardown(a_change_is_seen_at_once_by_others, make, clear),
        cmocka_unit_test(answers_travel_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
