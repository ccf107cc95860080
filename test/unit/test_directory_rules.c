/* The rules beyond plain aliases: other names of domains, groups, patterns, addresses that end, forwards
 * under SRS, canonical maps, backup MX, rights to send, and the trail that tells of them. */
#include "base/clock.h"
#include "directory/trail.h"
#include "directory_fixture.h"

#include <string.h>

static const char *const FATES[] = {"local", "remote", "unknown", "loop", "refused"};

/* "local ana@example.org/tag >x@y.example<SRS0=..." and the reply where there is one. */
static const char *text_of(const struct directory_answer *answer)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "%s", FATES[answer->fate]);
    for (size_t i = 0; i < answer->count && n < sizeof text; i++) {
        const struct directory_target *t = &answer->targets[i];
        n += (size_t)snprintf(text + n, sizeof text - n, " %s%.*s%s%.*s%s%.*s", t->is_local ? "" : ">",
                              STR_ARGS(t->address), t->detail.n ? "/" : "", STR_ARGS(t->detail),
                              t->sender.n ? "<" : "", STR_ARGS(t->sender));
    }
    if (answer->reply.n > 0 && n < sizeof text)
        snprintf(text + n, sizeof text - n, " %.*s", (int)5, answer->reply.p);
    return text;
}

static const char *ask(struct here *h, const char *address, const char *sender, int64_t user)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const struct directory_question q = {
        .address = str_from_c(address), .sender = str_from_c(sender), .user = user, .is_mail = true};
    struct directory_answer answer;
    struct err e = ERR_INIT;
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    return text_of(&answer);
}

static const char *mail(struct here *h, const char *address)
{
    return ask(h, address, "stranger@far.example", 0);
}

static const char *trail_of(struct here *h, const char *address, const char *sender, int64_t user)
{
    static char text[8192];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_trail trail = {.arena = &a};
    const struct directory_question q = {
        .address = str_from_c(address), .sender = str_from_c(sender), .user = user, .is_mail = true};
    struct directory_answer answer;
    struct err e = ERR_INIT;
    size_t n = 0;
    good(directory_db_answer(h->db, &q, &trail, &a, &answer, &e), &e);
    text[0] = '\0';
    for (size_t i = 0; i < trail.count && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s\n", STR_ARGS(trail.lines[i]));
    return text;
}

static void refused(bool result, const struct err *e)
{
    if (result || e->kind != ERR_PERMANENT || !e->text[0])
        fail_msg("it was taken, or refused without words");
}

static int64_t example(struct here *h)
{
    add_domain(h, "example.org");
    add_account(h, "bob@example.org");
    return add_account(h, "ana@example.org");
}

/* --- domains --- */

static void a_domain_may_have_other_names(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    bool found;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    int64_t ana = example(h);
    good(directory_domain_add_alias(h->db, STR("Other.example"), STR("example.org"), &e), &e);
    assert_string_equal(mail(h, "Ana@other.example"), "local ana@example.org");
    assert_string_equal(mail(h, "ana+tag@other.example"), "local ana@example.org/tag");
    assert_string_equal(mail(h, "nobody@other.example"), "unknown 5.1.1");
    assert_string_equal(mail(h, "postmaster@other.example"), "local postmaster@example.org");
    assert_string_equal(mail(h, "abuse@other.example"), "local postmaster@example.org");
    /* what stands there itself goes first */
    add_alias(h, "ana@other.example", "bob@example.org");
    assert_string_equal(mail(h, "ana@other.example"), "local bob@example.org");
    assert_string_equal(mail(h, "ana+x@other.example"), "local bob@example.org/x");
    add_alias(h, "@example.org", "ana@example.org");
    assert_string_equal(mail(h, "nobody@other.example"), "local ana@example.org");
    add_alias(h, "info-*@example.org", "bob@example.org");
    assert_string_equal(mail(h, "info-x@other.example"), "local bob@example.org");
    /* one logs in and sends under the other name too */
    bool may;
    good(directory_db_may_send_as(h->db, ana, STR("ana+x@example.org"), &may, &e), &e);
    assert_true(may);
    good(directory_alias_remove(h->db, STR("ana@other.example"), NULL, 0, &e), &e);
    good(directory_db_may_send_as(h->db, ana, STR("ana@other.example"), &may, &e), &e);
    assert_true(may);
    good(directory_db_login(h->db, STR("ana@Other.example"), &a, &found, &account, &e), &e);
    assert_true(found && account.id == ana);
    good(directory_db_login(h->db, STR("nobody@other.example"), &a, &found, &account, &e), &e);
    assert_false(found);
}

static void names_of_names_and_bound_domains_are_refused(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    example(h);
    good(directory_domain_add_alias(h->db, STR("other.example"), STR("example.org"), &e), &e);
    refused(directory_domain_add_alias(h->db, STR("third.example"), STR("other.example"), &e), &e);
    refused(directory_domain_add_alias(h->db, STR("third.example"), STR("nowhere.example"), &e), &e);
    refused(directory_domain_add_alias(h->db, STR("example.org"), STR("example.org"), &e), &e);
    refused(try_alias(h, "@other.example", "ana@example.org", &e), &e);
    refused(try_alias(h, "a*@other.example", "ana@example.org", &e), &e);
    add_domain(h, "second.example");
    good(directory_domain_add_alias(h->db, STR("another.example"), STR("second.example"), &e), &e);
    refused(directory_domain_remove(h->db, STR("second.example"), &e), &e);
    good(directory_domain_remove(h->db, STR("another.example"), &e), &e);
    good(directory_domain_remove(h->db, STR("second.example"), &e), &e);
}

static void a_backup_takes_mail_for_others(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct directory_domain *v;
    struct str list[] = {STR_INIT("Carla@friend.example"), STR_INIT("team@friend.example")};
    size_t n;
    example(h);
    good(directory_domain_add_backup(h->db, STR("friend.example"), &e), &e);
    /* under the sender that it had: it is no forward */
    assert_string_equal(mail(h, "Anybody@friend.example"), "local >Anybody@friend.example");
    assert_string_equal(mail(h, "postmaster@friend.example"), "local >postmaster@friend.example");
    good(directory_backup_add(h->db, STR("friend.example"), list, 2, &e), &e);
    assert_string_equal(mail(h, "carla@friend.example"), "local >carla@friend.example");
    assert_string_equal(mail(h, "carla+tag@friend.example"), "local >carla+tag@friend.example");
    assert_string_equal(mail(h, "anybody@friend.example"), "unknown 5.1.1");
    good(directory_domain_list(h->db, &a, &v, &n, &e), &e);
    assert_true(n == 2 && v[1].is_backup && v[1].recipients == 2 && v[1].alias_of.n == 0);
    good(directory_backup_remove(h->db, STR("friend.example"), list, 1, &e), &e);
    assert_string_equal(mail(h, "carla@friend.example"), "unknown 5.1.1");
    refused(directory_backup_remove(h->db, STR("friend.example"), list, 1, &e), &e);
    good(directory_backup_remove(h->db, STR("friend.example"), NULL, 0, &e), &e);
    assert_string_equal(mail(h, "anybody@friend.example"), "local >anybody@friend.example");
    struct str strange = STR("x@example.org");
    refused(directory_backup_add(h->db, STR("friend.example"), &strange, 1, &e), &e);
    refused(directory_backup_add(h->db, STR("example.org"), &strange, 1, &e), &e);
    refused(try_alias(h, "@friend.example", "ana@example.org", &e), &e);
    /* its senders are strangers: what we forward for them needs SRS */
    add_alias(h, "out@example.org", "x@elsewhere.example");
    assert_non_null(strstr(ask(h, "out@example.org", "carla@friend.example", 0), "<SRS0="));
}

/* --- taking mail or not --- */

static void addresses_are_disabled_and_end(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    bool may;
    int64_t ana = example(h), now = clock_wall();
    add_alias(h, "offer@example.org", "ana@example.org");
    add_alias(h, "all@example.org", "ana@example.org");
    add_alias(h, "all@example.org", "bob@example.org");
    add_alias(h, "only@example.org", "offer@example.org");
    add_alias(h, "@example.org", "bob@example.org");
    good(directory_address_enable(h->db, STR("Offer@example.org"), false, &e), &e);
    assert_string_equal(mail(h, "offer@example.org"), "refused 5.2.1"); /* and not caught */
    assert_string_equal(mail(h, "only@example.org"), "refused 5.2.1");
    good(directory_db_may_send_as(h->db, ana, STR("offer@example.org"), &may, &e), &e);
    assert_false(may);
    good(directory_address_enable(h->db, STR("offer@example.org"), true, &e), &e);
    assert_string_equal(mail(h, "offer@example.org"), "local ana@example.org");
    good(directory_address_end(h->db, STR("offer@example.org"), now + 1000, &e), &e);
    assert_string_equal(mail(h, "offer@example.org"), "local ana@example.org");
    good(directory_address_end(h->db, STR("offer@example.org"), now - 1, &e), &e);
    assert_string_equal(mail(h, "offer@example.org"), "refused 5.1.1");
    good(directory_address_end(h->db, STR("offer@example.org"), 0, &e), &e);
    assert_string_equal(mail(h, "offer@example.org"), "local ana@example.org");
    /* an account: others of a list get theirs */
    good(directory_address_enable(h->db, STR("ana@example.org"), false, &e), &e);
    assert_string_equal(mail(h, "ana+x@example.org"), "refused 5.2.1");
    assert_string_equal(mail(h, "all@example.org"), "local bob@example.org");
    good(directory_address_enable(h->db, STR("ana@example.org"), true, &e), &e);
    good(directory_address_end(h->db, STR("ana@example.org"), now - 1, &e), &e);
    assert_string_equal(mail(h, "ana@example.org"), "refused 5.1.1");
    refused(directory_address_enable(h->db, STR("nobody@example.org"), false, &e), &e);
    refused(directory_address_end(h->db, STR("nobody@example.org"), 1, &e), &e);
}

/* --- groups --- */

static void post(struct here *h, unsigned who, const char *poster)
{
    struct str listed = str_from_c(poster);
    struct err e = ERR_INIT;
    good(directory_alias_post(h->db, STR("team@example.org"), who, &listed, poster ? 1 : 0, &e), &e);
}

static bool is_for_sender(struct here *h, const char *address)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    const struct directory_question q = {
        .address = str_from_c(address), .sender = STR("x@example.org"), .user = 1, .is_mail = true};
    struct directory_answer answer;
    struct err e = ERR_INIT;
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    return answer.is_for_sender;
}

static void a_group_says_who_may_write_to_it(void **state)
{
    struct here *h = *state;
    int64_t ana = example(h), carla = add_account(h, "carla@example.org");
    static const char ALL[] = "local ana@example.org bob@example.org >Guest@far.example";
    add_alias(h, "team@example.org", "ana@example.org");
    add_alias(h, "team@example.org", "bob@example.org");
    add_alias(h, "team@example.org", "Guest@far.example");
    add_alias(h, "outer@example.org", "team@example.org");
    assert_string_equal(ask(h, "team@example.org", "", 0), ALL);
    post(h, DIRECTORY_POST_MEMBERS, NULL);
    assert_string_equal(ask(h, "team@example.org", "ana@example.org", ana), ALL);
    assert_string_equal(ask(h, "team@example.org", "carla@example.org", carla), "refused 5.7.2");
    assert_string_equal(ask(h, "team@example.org", "ana@example.org", 0),
                        "refused 5.7.2"); /* pretends to be */
    assert_non_null(strstr(ask(h, "team@example.org", "guest@FAR.example", 0), "local ana@example.org"));
    assert_string_equal(ask(h, "team@example.org", "other@far.example", 0), "refused 5.7.2");
    assert_string_equal(ask(h, "team@example.org", "", 0), "refused 5.7.2");
    /* the address that is written to decides */
    assert_non_null(strstr(ask(h, "outer@example.org", "other@far.example", 0), "local ana@example.org"));
    post(h, DIRECTORY_POST_ACCOUNTS, NULL);
    assert_string_equal(ask(h, "team@example.org", "carla@example.org", carla), ALL);
    assert_string_equal(ask(h, "team+tag@example.org", "carla@example.org", 0), "refused 5.7.2");
    post(h, DIRECTORY_POST_LISTED, "boss@far.example");
    assert_non_null(strstr(ask(h, "team@example.org", "Boss@far.example", 0), "local ana@example.org"));
    assert_string_equal(ask(h, "team@example.org", "guest@far.example", 0), "refused 5.7.2");
    assert_string_equal(ask(h, "team@example.org", "carla@example.org", carla), "refused 5.7.2");
    post(h, DIRECTORY_POST_LISTED | DIRECTORY_POST_MEMBERS, "@far.example");
    assert_non_null(strstr(ask(h, "team@example.org", "x@far.example", 0), "local ana@example.org"));
    assert_string_equal(ask(h, "team@example.org", "ana@example.org", ana), ALL);
    post(h, DIRECTORY_POST_LISTED, "carla@example.org");
    assert_string_equal(ask(h, "team@example.org", "carla@example.org", carla), ALL);
    assert_string_equal(ask(h, "team@example.org", "carla@example.org", 0), "refused 5.7.2");
    post(h, 0, NULL);
    assert_string_equal(ask(h, "team@example.org", "", 0), ALL);
    /* what may be remembered for others */
    add_alias(h, "one@example.org", "ana@example.org");
    assert_false(is_for_sender(h, "one@example.org"));
    struct err e = ERR_INIT;
    good(directory_alias_post(h->db, STR("one@example.org"), DIRECTORY_POST_ACCOUNTS, NULL, 0, &e), &e);
    assert_true(is_for_sender(h, "one@example.org"));
    assert_false(is_for_sender(h, "ana@example.org"));
}

/* --- patterns --- */

static void patterns_take_what_nothing_else_does(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    example(h);
    add_account(h, "sales-desk@example.org");
    add_alias(h, "sales-*@example.org", "ana+$1@example.org");
    add_alias(h, "sales-no*@example.org", "bob+$1@example.org");
    add_alias(h, "/(\\d+)-(.*)/@example.org", "$2+$1@example.org");
    add_alias(h, "/a.*/@example.org", "x-$$@elsewhere.example");
    assert_string_equal(mail(h, "sales-desk@example.org"), "local sales-desk@example.org");
    assert_string_equal(mail(h, "sales-desk+a@example.org"), "local sales-desk@example.org/a");
    assert_string_equal(mail(h, "Sales-East@example.org"), "local ana@example.org/East");
    assert_string_equal(mail(h, "sales-north@example.org"), "local bob@example.org/rth");
    assert_string_equal(mail(h, "17-bob@example.org"), "local bob@example.org/17");
    assert_string_equal(mail(h, "17-nobody@example.org"), "unknown 5.1.1");
    assert_string_equal(mail(h, "abuse@example.org"), "local postmaster@example.org");
    assert_non_null(strstr(mail(h, "anybody@example.org"), "local >x-$@elsewhere.example"));
    add_alias(h, "@example.org", "bob@example.org");
    assert_string_equal(mail(h, "zoe@example.org"), "local bob@example.org");
    assert_string_equal(mail(h, "sales-x@example.org"), "local ana@example.org/x");
    good(directory_address_enable(h->db, STR("sales-*@example.org"), false, &e), &e);
    assert_string_equal(mail(h, "sales-x@example.org"), "refused 5.2.1");
    good(directory_alias_remove(h->db, STR("sales-*@example.org"), NULL, 0, &e), &e);
    assert_string_equal(mail(h, "sales-x@example.org"), "local bob@example.org");
    /* what a pattern is called is no address by itself */
    assert_string_equal(mail(h, "/a.*/@example.org"), "local bob@example.org");
}

static void patterns_that_go_wrong_harm_nobody(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    struct err e = ERR_INIT;
    const struct directory_question q = {
        .address = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab!@example.org"), .sender = STR("")};
    example(h);
    add_alias(h, "r-*@example.org", "r-$1@example.org");
    assert_string_equal(mail(h, "r-x@example.org"), "loop 5.4.6");
    refused(try_alias(h, "x*@example.org", "y@$1", &e), &e);
    refused(try_alias(h, "x*@example.org", "nobody@example.org", &e), &e);
    refused(try_alias(h, "/(/@example.org", "ana@example.org", &e), &e);
    add_alias(h, "/(a+)+b/@example.org", "ana@example.org");
    assert_false(directory_db_answer(h->db, &q, NULL, &a, &answer, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_string_equal(mail(h, "bob@example.org"), "local bob@example.org");
    char name[40];
    for (int i = 0; i < DIRECTORY_PATTERNS_MAX - 2; i++) {
        snprintf(name, sizeof name, "p%d-*@example.org", i);
        add_alias(h, name, "ana@example.org");
    }
    refused(try_alias(h, "one-more-*@example.org", "ana@example.org", &e), &e);
    assert_string_equal(mail(h, "p97-x@example.org"), "local ana@example.org");
}

/* --- forwards --- */

static void forwards_go_on_under_a_return_address_of_ours(void **state)
{
    struct here *h = *state;
    int64_t ana = example(h);
    char made[400], address[400];
    add_alias(h, "out@example.org", "x@elsewhere.example");
    add_alias(h, "bob@example.org", "bob@example.org");
    add_alias(h, "bob@example.org", "bob@elsewhere.example");
    snprintf(made, sizeof made, "%s", ask(h, "out@example.org", "Zoe@far.example", 0));
    assert_non_null(strstr(made, "local >x@elsewhere.example<SRS0="));
    assert_non_null(strstr(made, "=far.example=Zoe@example.org"));
    assert_non_null(
        strstr(ask(h, "bob@example.org", "zoe@far.example", 0), "local >bob@elsewhere.example<SRS0="));
    assert_non_null(strstr(ask(h, "bob@example.org", "zoe@far.example", 0), " bob@example.org"));
    /* ours need none, nor does a report */
    assert_string_equal(ask(h, "out@example.org", "ana@example.org", ana), "local >x@elsewhere.example");
    assert_string_equal(ask(h, "out@example.org", "", 0), "local >x@elsewhere.example");
    /* mail that merely passes through keeps its sender */
    assert_string_equal(ask(h, "y@elsewhere.example", "zoe@far.example", 0), "remote >y@elsewhere.example");
    /* what bounces comes back */
    snprintf(address, sizeof address, "%s", strstr(made, "SRS0="));
    assert_string_equal(ask(h, address, "", 0), "local >Zoe@far.example");
    for (char *c = address; *c; c++)
        *c = ascii_lower(*c);
    assert_string_equal(ask(h, address, "", 0), "local >zoe@far.example");
    address[6] = address[6] == 'x' ? 'y' : 'x';
    assert_string_equal(ask(h, address, "", 0), "refused 5.1.1");
    /* one of another server is theirs, however long */
    snprintf(address, sizeof address,
             "SRS0=abcd=2W=a-host-with-a-long-name.example=somebody-with-a-long-name@elsewhere.example");
    assert_string_equal(ask(h, address, "", 0) + strlen("remote >"), address);
    assert_non_null(strstr(ask(h, "out@example.org", address, 0), "<SRS1="));
}

static void a_return_address_lasts_as_long_as_its_key(void **state)
{
    struct here *h = *state;
    struct here other = {.data = ""};
    struct err e = ERR_INIT;
    char made[400];
    example(h);
    add_alias(h, "out@example.org", "x@elsewhere.example");
    snprintf(made, sizeof made, "%s", strstr(ask(h, "out@example.org", "zoe@far.example", 0), "SRS0="));
    snprintf(other.data, sizeof other.data, "%s", h->data);
    other.db = open_db(&other, &e); /* a process that starts later has the same */
    assert_non_null(other.db);
    assert_string_equal(ask(&other, made, "", 0), "local >zoe@far.example");
    directory_db_close(other.db);
}

/* --- canonical maps --- */

static void rewrite(struct here *h, enum directory_canonical kind, const char *from, const char *to)
{
    const struct directory_rewrite r = {kind, str_from_c(from), str_from_c(to)};
    struct err e = ERR_INIT;
    good(directory_rewrite_set(h->db, &r, &e), &e);
}

static void canonical_maps_change_envelopes(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    struct directory_rewrite *v;
    struct err e = ERR_INIT;
    size_t n;
    struct directory_question q = {
        .address = STR("x@far.example"), .sender = STR("Ana@host.example.org"), .is_mail = true};
    example(h);
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    assert_true(!answer.rewrites && answer.sender.n == 0);
    rewrite(h, DIRECTORY_CANONICAL_SENDER, "@host.example.org", "@example.org");
    rewrite(h, DIRECTORY_CANONICAL_SENDER, "root@host.example.org", "postmaster@example.org");
    rewrite(h, DIRECTORY_CANONICAL_RECIPIENT, "@old.example", "@example.org");
    rewrite(h, DIRECTORY_CANONICAL_RECIPIENT, "bob@old.example", "Bob@elsewhere.example");
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    assert_true(answer.rewrites && str_eq(answer.sender, STR("Ana@example.org")));
    q.sender = STR("root@HOST.example.org");
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    assert_true(str_eq(answer.sender, STR("postmaster@example.org")));
    q.sender = STR("x@other.example");
    good(directory_db_answer(h->db, &q, NULL, &a, &answer, &e), &e);
    assert_true(answer.rewrites && answer.sender.n == 0);
    assert_string_equal(mail(h, "ana+tag@old.example"), "local ana@example.org/tag");
    assert_string_equal(mail(h, "bob@old.example"), "remote >Bob@elsewhere.example");
    assert_string_equal(mail(h, "ana@example.org"), "local ana@example.org");
    /* once: a map's result is not looked up again */
    rewrite(h, DIRECTORY_CANONICAL_RECIPIENT, "ana@example.org", "bob@example.org");
    rewrite(h, DIRECTORY_CANONICAL_RECIPIENT, "bob@example.org", "ana@example.org");
    assert_string_equal(mail(h, "ana@example.org"), "local bob@example.org");
    good(directory_rewrite_list(h->db, &a, &v, &n, &e), &e);
    assert_int_equal(n, 6);
    refused(directory_rewrite_set(h->db,
                                  &(struct directory_rewrite){DIRECTORY_CANONICAL_SENDER,
                                                              STR("ana@example.org"), STR("@x.example")},
                                  &e),
            &e);
    good(directory_rewrite_remove(h->db, DIRECTORY_CANONICAL_RECIPIENT, STR("@OLD.example"), &e), &e);
    refused(directory_rewrite_remove(h->db, DIRECTORY_CANONICAL_RECIPIENT, STR("@old.example"), &e), &e);
    assert_string_equal(mail(h, "zoe@old.example"), "remote >zoe@old.example");
}

/* --- rights --- */

static enum directory_send right(struct here *h, int64_t account, const char *address)
{
    enum directory_send out;
    struct err e = ERR_INIT;
    good(directory_db_send_right(h->db, account, str_from_c(address), &out, &e), &e);
    return out;
}

static void rights_to_send_are_given_and_taken(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_right *v;
    struct err e = ERR_INIT;
    size_t n;
    int64_t ana = example(h);
    assert_int_equal(right(h, ana, "ana@example.org"), DIRECTORY_SEND_AS);
    assert_int_equal(right(h, ana, "boss@example.org"), DIRECTORY_SEND_NOT);
    good(directory_right_set(h->db, STR("ana@example.org"), STR("Boss@example.org"), true, &e), &e);
    assert_int_equal(right(h, ana, "boss@example.org"), DIRECTORY_SEND_ON_BEHALF);
    good(directory_right_set(h->db, STR("ana@example.org"), STR("@Partner.example"), false, &e), &e);
    assert_int_equal(right(h, ana, "anybody@partner.example"), DIRECTORY_SEND_AS);
    assert_int_equal(right(h, ana, "anybody@sub.partner.example"), DIRECTORY_SEND_NOT);
    good(directory_right_set(h->db, STR("ana@example.org"), STR("@example.org"), false, &e), &e);
    assert_int_equal(right(h, ana, "boss@example.org"), DIRECTORY_SEND_AS); /* the larger of two */
    assert_int_equal(right(h, ana, "bob@example.org"), DIRECTORY_SEND_AS);
    good(directory_right_list(h->db, STR("ana@example.org"), &a, &v, &n, &e), &e);
    assert_int_equal(n, 3);
    good(directory_right_remove(h->db, STR("ana@example.org"), STR("@example.org"), &e), &e);
    refused(directory_right_remove(h->db, STR("ana@example.org"), STR("@example.org"), &e), &e);
    refused(directory_right_set(h->db, STR("nobody@example.org"), STR("x@y.example"), false, &e), &e);
    assert_int_equal(right(h, ana, "bob@example.org"), DIRECTORY_SEND_NOT);
    int64_t id;
    good(directory_account_remove(h->db, STR("ana@example.org"), &id, &e), &e);
    assert_int_equal(right(h, ana, "x@partner.example"), DIRECTORY_SEND_NOT);
}

/* --- settings --- */

static struct directory_settings holding(struct here *h, int64_t account, const char *address)
{
    struct directory_sender sender;
    struct err e = ERR_INIT;
    good(directory_db_sender(h->db, account, str_from_c(address), &sender, &e), &e);
    return sender.settings;
}

static bool is_rate(const struct directory_settings *s, enum limit_rate rate, unsigned count, unsigned period)
{
    return s->rates[rate].is_set && s->rates[rate].limit.count == count &&
           s->rates[rate].limit.period_s == period;
}

static void an_accounts_own_settings_go_before_its_domains(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    int64_t ana = example(h);
    struct directory_settings own = DIRECTORY_SETTINGS_INIT, domains = DIRECTORY_SETTINGS_INIT, s;
    s = holding(h, ana, "ana@example.org");
    assert_false(s.rates[LIMIT_MESSAGES].is_set || s.rates[LIMIT_CONNECTS].is_set);
    assert_int_equal(s.language, CONFIG_LANGUAGE_UNSET);
    domains.rates[LIMIT_MESSAGES].is_set = domains.rates[LIMIT_RECIPIENTS].is_set = true;
    domains.rates[LIMIT_MESSAGES].limit = (struct tally_limit){30, 3600};
    domains.rates[LIMIT_RECIPIENTS].limit = (struct tally_limit){500, 86400};
    domains.language = CONFIG_SERBIAN_LATIN;
    good(directory_domain_set(h->db, STR("Example.ORG"), &domains, &e), &e);
    own.rates[LIMIT_MESSAGES].is_set = own.rates[LIMIT_REFUSED].is_set = true; /* none, and 5/m */
    own.rates[LIMIT_REFUSED].limit = (struct tally_limit){5, 60};
    good(directory_account_set(h->db, STR("ANA@example.org"), &own, &e), &e);
    s = holding(h, ana, "boss@example.org");
    assert_true(is_rate(&s, LIMIT_MESSAGES, 0, 0) && is_rate(&s, LIMIT_RECIPIENTS, 500, 86400) &&
                is_rate(&s, LIMIT_REFUSED, 5, 60) && !s.rates[LIMIT_CONNECTS].is_set);
    assert_int_equal(s.language, CONFIG_SERBIAN_LATIN);
    own.language = CONFIG_SERBIAN_CYRILLIC;
    good(directory_account_set(h->db, STR("ana@example.org"), &own, &e), &e);
    s = holding(h, 0, "Ana@example.org"); /* a program of this machine that writes as her */
    assert_int_equal(s.language, CONFIG_SERBIAN_CYRILLIC);
    s = holding(h, 0, "nobody@example.org");
    assert_int_equal(s.language, CONFIG_LANGUAGE_UNSET);
    good(directory_account_settings(h->db, STR("ana@example.org"), &s, &domains, &e), &e);
    assert_true(is_rate(&s, LIMIT_MESSAGES, 0, 0) && !s.rates[LIMIT_RECIPIENTS].is_set);
    assert_true(is_rate(&domains, LIMIT_MESSAGES, 30, 3600) && !domains.rates[LIMIT_REFUSED].is_set);
    own = (struct directory_settings)DIRECTORY_SETTINGS_INIT;
    good(directory_account_set(h->db, STR("ana@example.org"), &own, &e), &e);
    s = holding(h, ana, "ana@example.org");
    assert_true(is_rate(&s, LIMIT_MESSAGES, 30, 3600));
    refused(directory_account_set(h->db, STR("nobody@example.org"), &own, &e), &e);
    refused(directory_domain_set(h->db, STR("far.example"), &own, &e), &e);
    refused(directory_domain_settings(h->db, STR("far.example"), &s, &e), &e);
}

/* --- the trail --- */

static void the_trail_tells_each_step(void **state)
{
    struct here *h = *state;
    struct err e = ERR_INIT;
    int64_t ana = example(h);
    char expected[200];
    add_alias(h, "team@example.org", "ana@example.org");
    add_alias(h, "team@example.org", "x@elsewhere.example");
    good(directory_domain_add_alias(h->db, STR("other.example"), STR("example.org"), &e), &e);
    post(h, DIRECTORY_POST_MEMBERS, NULL);
    snprintf(expected, sizeof expected, "ana@example.org is account %lld\n", (long long)ana);
    assert_string_equal(trail_of(h, "ana@example.org", "", 0), expected);
    assert_string_equal(trail_of(h, "x@far.example", "", 0), "x@far.example is at another server\n");
    assert_string_equal(trail_of(h, "nobody@other.example", "", 0),
                        "other.example is another name of example.org\n"
                        "nobody@example.org: there is no such address\n");
    const char *told = trail_of(h, "team+x@other.example", "zoe@far.example", 0);
    assert_non_null(strstr(told,
                           "other.example is another name of example.org\n"
                           "team+x@example.org: no such address, but team@example.org with the tag x\n"));
    assert_non_null(strstr(told, "  ana@example.org is account"));
    assert_non_null(strstr(told, "  x@elsewhere.example is at another server\n"
                                 "  the sender becomes SRS0="));
    assert_non_null(strstr(told,
                           "only its members may write to team@example.org: zoe@far.example, not logged in, "
                           "may not\n"));
    add_alias(h, "v-*@example.org", "ana@example.org");
    assert_non_null(strstr(trail_of(h, "v-1@example.org", "", 0), "but v-*@example.org fits\n"));
    good(directory_address_enable(h->db, STR("ana@example.org"), false, &e), &e);
    assert_string_equal(trail_of(h, "ana@example.org", "", 0), "ana@example.org is disabled\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_domain_may_have_other_names, make, clear),
        cmocka_unit_test_setup_teardown(names_of_names_and_bound_domains_are_refused, make, clear),
        cmocka_unit_test_setup_teardown(a_backup_takes_mail_for_others, make, clear),
        cmocka_unit_test_setup_teardown(addresses_are_disabled_and_end, make, clear),
        cmocka_unit_test_setup_teardown(a_group_says_who_may_write_to_it, make, clear),
        cmocka_unit_test_setup_teardown(patterns_take_what_nothing_else_does, make, clear),
        cmocka_unit_test_setup_teardown(patterns_that_go_wrong_harm_nobody, make, clear),
        cmocka_unit_test_setup_teardown(forwards_go_on_under_a_return_address_of_ours, make, clear),
        cmocka_unit_test_setup_teardown(a_return_address_lasts_as_long_as_its_key, make, clear),
        cmocka_unit_test_setup_teardown(canonical_maps_change_envelopes, make, clear),
        cmocka_unit_test_setup_teardown(rights_to_send_are_given_and_taken, make, clear),
        cmocka_unit_test_setup_teardown(an_accounts_own_settings_go_before_its_domains, make, clear),
        cmocka_unit_test_setup_teardown(the_trail_tells_each_step, make, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
