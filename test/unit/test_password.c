/* Passwords: hashes of ours and from elsewhere, those remembered, the wait after failures, the checker. */
#include "base/loop.h"
#include "directory/checker.h"
#include "directory/exchanges.h"
#include "directory/password.h"
#include "directory/scram.h"
#include "directory/throttle.h"
#include "sasl/prepare.h"

#include "check.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE (60 * 1000)

static void our_hashes_verify(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
    struct err e = ERR_INIT;
    assert_true(password_hash(STR("correct horse"), hash, &e));
    assert_true(str_starts(str_from_c(hash), STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_true(password_verify(STR("correct horse"), str_from_c(hash)));
    assert_false(password_verify(STR("correct horse "), str_from_c(hash)));
    assert_false(password_verify(STR("correct horse\0"), str_from_c(hash)));
    assert_false(password_verify(STR(""), str_from_c(hash)));
    assert_true(password_hash(STR("correct horse"), again, &e));
    assert_string_not_equal(hash, again); /* salted */
    assert_false(password_hash(STR(""), hash, &e));
}

/* Made by other programs (openssl passwd, crypt(3) of glibc and libxcrypt); the password is "geheim". */
static void hashes_from_elsewhere_verify(void **state)
{
    (void)state;
    static const struct str HASHES[] = {
        STR_INIT("$1$saltsalt$wTLsTBb/.H7e4VHujepbF0"),
        STR_INIT("$5$saltsalt$cKRA0A5uaKu0/NNi2WMrB.mMOAVMowckrDNQ4fKUJ06"),
        STR_INIT(
            "$6$saltsalt$sfZR6YSW/Dp0uCiyF9fDipa6ORr5LVLOwXNgtzRlXXhkC7xA3w4zy97VIC3vL14AUXGJp3yBjZVztkdi"
            "BzJnX1"),
        STR_INIT(
            "{SHA512-CRYPT}$6$rounds=5000$saltsalt$sfZR6YSW/Dp0uCiyF9fDipa6ORr5LVLOwXNgtzRlXXhkC7xA3w4zy97V"
            "IC3vL14AUXGJp3yBjZVztkdiBzJnX1"),
        STR_INIT("$2b$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu"),
        STR_INIT("{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu"),
        STR_INIT("{crypt}$y$j75$abcdefghijk0$7IuMztnNeVSw4c8OirlUBtmS3Kg6YNlemfp.wwSQUZ9"),
    };
    for (size_t i = 0; i < sizeof HASHES / sizeof HASHES[0]; i++) {
        assert_true(password_hash_is_known(HASHES[i]));
        assert_true(password_verify(STR("geheim"), HASHES[i]));
        assert_false(password_verify(STR("Geheim"), HASHES[i]));
        assert_false(password_verify(STR("geheim\0x"), HASHES[i]));
    }
    /* From the README of the reference implementation of Argon2. */
    struct str argon2i =
        STR("{ARGON2I}$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG");
    assert_true(password_verify(STR("password"), argon2i));
    assert_false(password_verify(STR("Password"), argon2i));
}

static void what_is_no_hash_is_never_right(void **state)
{
    (void)state;
    static const struct str BAD[] = {
        STR_INIT(""),         STR_INIT("geheim"),        STR_INIT("{PLAIN}geheim"),
        STR_INIT("*"),        STR_INIT("!$6$a$b"),       STR_INIT("$9$salt$xyz"),
        STR_INIT("$6$a b$c"), STR_INIT("ab1xyzabcdefg"), STR_INIT("$argon2d$"),
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(password_hash_is_known(BAD[i]));
        assert_false(password_verify(STR("geheim"), BAD[i]));
    }
    assert_false(password_verify(STR("geheim"), STR("$6$")));
    assert_false(password_verify(STR("geheim"), STR("$argon2id$v=19$m=19456")));
    assert_false(password_verify(STR("geheim"), STR("$y$")));
}

static void generated_passwords_differ(void **state)
{
    (void)state;
    char a[PASSWORD_GENERATED + 1], b[PASSWORD_GENERATED + 1];
    password_generate(a);
    password_generate(b);
    assert_int_equal(strlen(a), PASSWORD_GENERATED);
    assert_string_not_equal(a, b);
    assert_null(strpbrk(a, "lo01O I"));
}

/* --- remembered --- */

static void a_right_password_is_remembered_for_five_minutes(void **state)
{
    (void)state;
    struct verified *v = verified_new();
    unsigned char tag[VERIFIED_TAG_BYTES], other[VERIFIED_TAG_BYTES];
    verified_tag(v, STR("ana@example.org"), STR("$hash"), STR("pw"), tag);
    assert_false(verified_has(v, tag, 1000));
    verified_add(v, tag, 1000);
    assert_true(verified_has(v, tag, 1000));
    assert_true(verified_has(v, tag, 1000 + VERIFIED_MS - 1));
    assert_false(verified_has(v, tag, 1000 + VERIFIED_MS));
    static const struct str OTHERS[][3] = {
        {STR_INIT("bob@example.org"), STR_INIT("$hash"), STR_INIT("pw")}, /* somebody else */
        {STR_INIT("ana@example.org"), STR_INIT("$new"), STR_INIT("pw")},  /* password changed */
        {STR_INIT("ana@example.org"), STR_INIT("$hash"), STR_INIT("pW")},
        {STR_INIT("ana@example.org"), STR_INIT("$hashp"), STR_INIT("w")}, /* the same bytes, cut elsewhere */
    };
    for (size_t i = 0; i < 4; i++) {
        verified_tag(v, OTHERS[i][0], OTHERS[i][1], OTHERS[i][2], other);
        assert_false(verified_has(v, other, 1000));
    }
    verified_free(v);
}

static void the_remembered_are_bounded(void **state)
{
    (void)state;
    struct verified *v = verified_new();
    unsigned char tag[VERIFIED_TAG_BYTES];
    char who[32];
    size_t kept = 0;
    for (int i = 0; i < 100000; i++) {
        snprintf(who, sizeof who, "u%d@example.org", i);
        verified_tag(v, str_from_c(who), STR("h"), STR("p"), tag);
        verified_add(v, tag, 1000 + i);
        assert_true(verified_has(v, tag, 1000 + i));
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(who, sizeof who, "u%d@example.org", i);
        verified_tag(v, str_from_c(who), STR("h"), STR("p"), tag);
        kept += verified_has(v, tag, 101000);
    }
    assert_in_range(kept, 10000, 20000);
    verified_free(v);
}

/* --- the wait after failures --- */

struct guess {
    const char *peer, *user;
    uint64_t attempt;
};

/* One attempt that is wrong: the seconds that it had to wait before it was looked at, else 0. */
static unsigned guess(struct throttle *t, struct guess g, int64_t now)
{
    unsigned char key[THROTTLE_KEY_BYTES];
    throttle_key(t, g.peer, str_from_c(g.user), key);
    unsigned wait = throttle_enter(t, key, now);
    if (wait > 0)
        return wait;
    throttle_failed(t, key, g.attempt, 5, now);
    throttle_leave(t, key, now);
    return 0;
}

static unsigned right(struct throttle *t, const char *peer, const char *user, int64_t now)
{
    unsigned char key[THROTTLE_KEY_BYTES];
    throttle_key(t, peer, str_from_c(user), key);
    unsigned wait = throttle_enter(t, key, now);
    if (wait == 0)
        throttle_leave(t, key, now);
    return wait;
}

static void a_guesser_waits_longer_each_time_and_others_do_not(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    int64_t now = 5000;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", i}, now), 0);
    assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 5}, now), 2);
    assert_int_equal(right(t, "192.0.2.1", "bob", now), 2); /* whoever it says it is */
    assert_int_equal(right(t, "192.0.2.2", "ana", now), 0); /* the real user elsewhere */
    now += 2000;
    assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 6}, now), 0);
    assert_int_equal(right(t, "192.0.2.1", "ana", now), 4);
    now += 4000;
    assert_int_equal(right(t, "192.0.2.1", "ana", now), 0); /* a success clears nothing */
    assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 7}, now), 0);
    assert_int_equal(right(t, "192.0.2.1", "ana", now), 8);
    unsigned guesses = 0;
    for (int64_t day = now + 24 * 60 * MINUTE; now < day; now += 1000)
        guesses += guess(t, (struct guess){"192.0.2.1", "ana", 1000 + guesses}, now) == 0;
    assert_in_range(guesses, 50, 200);
    now += 100 * THROTTLE_FORGET_MS; /* forgiven */
    assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 99}, now), 0);
    assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 98}, now), 0);
    throttle_free(t);
}

static void a_forgotten_client_with_an_old_password_locks_nobody_out(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guess(t, (struct guess){"192.0.2.1", "ana", 7}, i * MINUTE), 0);
    throttle_free(t);
}

static void addresses_are_counted_as_customers_have_them(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    for (unsigned i = 0; i < 5; i++) {
        guess(t, (struct guess){"2001:db8:1:2::1", "ana", i}, 1);
        guess(t, (struct guess){"127.0.0.1", "Ana", i}, 1);
        guess(t, (struct guess){"::1", "ana", i}, 1);
    }
    assert_int_equal(right(t, "2001:db8:1:2:ffff::9", "bob", 1), 2); /* the same /64 */
    assert_int_equal(right(t, "2001:db8:1:3::1", "ana", 1), 0);
    assert_int_equal(right(t, "127.0.0.1", "aNA", 1), 2); /* webmail: by user */
    assert_int_equal(right(t, "127.0.0.1", "bob", 1), 0);
    assert_int_equal(right(t, "::1", "ana", 1), 2);
    assert_int_equal(right(t, "::1", "bob", 1), 0);
    throttle_free(t);
}

static void a_volley_before_the_first_answer_is_bounded(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    unsigned char key[THROTTLE_KEY_BYTES];
    unsigned let_in = 0;
    throttle_key(t, "192.0.2.1", STR("ana"), key);
    for (unsigned i = 0; i < 1000; i++)
        let_in += throttle_enter(t, key, 1) == 0;
    assert_int_equal(let_in, THROTTLE_AT_ONCE);
    for (unsigned i = 0; i < let_in; i++) {
        throttle_failed(t, key, i, 5, 1);
        throttle_leave(t, key, 1);
    }
    assert_int_equal(throttle_enter(t, key, 2), THROTTLE_MOST_MS / 1000);
    throttle_free(t);
}

static void the_table_of_clients_is_bounded(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char peer[40];
    for (unsigned i = 0; i < 6; i++)
        guess(t, (struct guess){"192.0.2.1", "ana", i}, 1);
    assert_int_not_equal(right(t, "192.0.2.1", "ana", 1), 0);
    for (unsigned i = 0; i < THROTTLE_CLIENTS_MAX + 1000; i++) {
        snprintf(peer, sizeof peer, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        assert_int_equal(guess(t, (struct guess){peer, "ana", i}, 2), 0);
    }
    assert_int_equal(right(t, "192.0.2.1", "ana", 2), 0); /* the longest quiet went */
    assert_int_equal(guess(t, (struct guess){peer, "ana", 1}, 2), 0);
    throttle_free(t);
}

/* --- SCRAM --- */

static void from_base64(const char *text, unsigned char *to, size_t n)
{
    CLEAN_BUF struct buf bytes;
    buf_init(&bytes, 100);
    assert_true(buf_add_base64_decoded(&bytes, str_from_c(text)));
    assert_int_equal(bytes.n, n);
    memcpy(to, bytes.p, n);
}

/* The exchange of RFC 7677 section 3. */
static void scram_of_rfc7677(void **state)
{
    (void)state;
    unsigned char salt[SCRAM_SALT_BYTES], proof[SCRAM_KEY_BYTES], expected[SCRAM_KEY_BYTES],
        signature[SCRAM_KEY_BYTES];
    struct scram_verifier v, back;
    char text[SCRAM_VERIFIER_MAX];
    struct str message =
        STR("n=user,r=rOprNGfwEbeRWgbNEkqO,"
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i="
            "4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", salt, sizeof salt);
    from_base64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof, sizeof proof);
    from_base64("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", expected, sizeof expected);
    scram_derive(STR("pencil"), salt, 4096, &v);
    assert_true(scram_check(&v, message, proof, signature));
    assert_memory_equal(signature, expected, sizeof expected);
    scram_verifier_write(&v, text);
    assert_true(scram_verifier_read(str_from_c(text), &back));
    assert_memory_equal(&back, &v, sizeof v);
    proof[31] ^= 1;
    assert_false(scram_check(&v, message, proof, signature));
    proof[31] ^= 1;
    scram_derive(STR("Pencil"), salt, 4096, &v);
    assert_false(scram_check(&v, message, proof, signature));
}

static void scram_verifiers_are_read_strictly(void **state)
{
    (void)state;
    static const struct str BAD[] = {
        STR_INIT(""),
        STR_INIT("SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA"),
        STR_INIT("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA"),
        STR_INIT("SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        STR_INIT("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=x"),
    };
    struct scram_verifier v;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(scram_verifier_read(BAD[i], &v));
    /* PostgreSQL's, of "pencil" with the salt of RFC 7677 */
    assert_true(scram_verifier_read(
        STR("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        &v));
    unsigned char salt[SCRAM_SALT_BYTES];
    struct scram_verifier made;
    from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", salt, sizeof salt);
    scram_derive(STR("pencil"), salt, 4096, &made);
    assert_memory_equal(&made, &v, sizeof v);
}

static void nobody_has_a_salt_too(void **state)
{
    (void)state;
    unsigned char key[SCRAM_KEY_BYTES] = {1}, other[SCRAM_KEY_BYTES] = {2}, salt[SCRAM_SALT_BYTES];
    struct scram_verifier a, b;
    scram_nobody(key, STR("x@example.org"), &a);
    scram_nobody(key, STR("x@example.org"), &b);
    scram_salt(key, STR("x@example.org"), salt);
    assert_int_equal(a.iterations, SCRAM_ITERATIONS);
    assert_memory_equal(a.salt, b.salt, sizeof salt);
    assert_memory_equal(a.salt, salt, sizeof salt);
    assert_memory_not_equal(a.stored_key, b.stored_key, sizeof a.stored_key);
    scram_salt(key, STR("y@example.org"), salt);
    assert_memory_not_equal(a.salt, salt, sizeof salt);
    scram_salt(other, STR("x@example.org"), salt);
    assert_memory_not_equal(a.salt, salt, sizeof salt);
}

/* RFC 4013 section 3, and passwords that differ only in how they were typed. */
static void passwords_are_prepared(void **state)
{
    (void)state;
    static const struct {
        struct str in, out;
    } CASES[] = {
        {STR_INIT("I\xc2\xadX"), STR_INIT("IX")},
        {STR_INIT("user"), STR_INIT("user")},
        {STR_INIT("USER"), STR_INIT("USER")},
        {STR_INIT("\xc2\xaa"), STR_INIT("a")},
        {STR_INIT("\xe2\x85\xa8"), STR_INIT("IX")},
        {STR_INIT("\x07"), STR_INIT("\x07")},
        {STR_INIT("\xd8\xa7\x31"), STR_INIT("\xd8\xa7\x31")}, /* prohibited: as it is */
        {STR_INIT("\xff\xfe"), STR_INIT("\xff\xfe")},
        {STR_INIT("C\xcc\x8c"), STR_INIT("\xc4\x8c")},
        {STR_INIT("a\xc2\xa0z"), STR_INIT("a z")},
        {STR_INIT("\xf0\x9f\xab\xa0"), STR_INIT("\xf0\x9f\xab\xa0")},
    };
    char hash[PASSWORD_HASH_MAX];
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 100);
        sasl_prepare(CASES[i].in, &out);
        assert_true(str_eq(buf_str(&out), CASES[i].out));
    }
    assert_true(password_hash(STR("C\xcc\x8c"
                                  "acak"),
                              hash, &e));
    assert_true(password_verify(STR("\xc4\x8c"
                                    "acak"),
                                str_from_c(hash)));
    assert_true(password_verify(STR("C\xcc\x8c"
                                    "acak"),
                                str_from_c(hash)));
    assert_false(password_verify(STR("Cacak"), str_from_c(hash)));
    /* openssl passwd -6 -salt saltsalt, of the bytes as they are */
    assert_true(password_verify(STR("C\xcc\x8c"
                                    "acak"),
                                STR("$6$saltsalt$nWuRcL0c.l6Ch0y4lDPBy5z8WwepXTwZdn8Ib5hOica.1Au2jZpbVp."
                                    "z9X6D8ZsmkZpLn83NMF7dduX0AEw83/")));
}

static void an_exchange_ends_once(void **state)
{
    (void)state;
    struct exchanges *all = exchanges_new();
    struct exchange x;
    uint64_t first = exchanges_add(all, 1000)->id, second;
    exchanges_add(all, 1000)->nonce = STR("second");
    assert_true(exchanges_take(all, first, 1000, &x));
    exchange_free(&x);
    assert_false(exchanges_take(all, first, 1000, &x));
    assert_false(exchanges_take(all, 0, 1000, &x));
    second = exchanges_add(all, 1000)->id;
    assert_false(exchanges_take(all, second, 1000 + EXCHANGE_MS, &x)); /* too late */
    exchange_free(&x);
    second = exchanges_add(all, 1000)->id;
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        arena_copy(&exchanges_add(all, 1000)->arena, STR("flood"));
    assert_false(exchanges_take(all, second, 1000, &x));
    exchanges_free(all);
}

/* --- the checker --- */

#define REQUESTS 200

struct tally {
    struct loop *loop;
    unsigned good, wrong;
};

static void count(void *context, void *request, bool good, struct str scram)
{
    struct tally *tally = context;
    unsigned expected = *(unsigned *)request;
    assert_int_equal(good, expected);
    assert_int_equal(scram.n, 0); /* none was asked for */
    *(good ? &tally->good : &tally->wrong) += 1;
    free(request);
    if (tally->good + tally->wrong == REQUESTS)
        loop_stop(tally->loop);
}

static void the_checker_answers_every_request_once(void **state)
{
    (void)state;
    struct tally tally = {.loop = loop_new()};
    struct checker *c = checker_new(tally.loop, 3, count, &tally);
    struct verified *v = verified_new();
    struct str hash = STR("$5$saltsalt$cKRA0A5uaKu0/NNi2WMrB.mMOAVMowckrDNQ4fKUJ06");
    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned char tag[VERIFIED_TAG_BYTES];
        char password[16];
        unsigned *expected = malloc(sizeof *expected);
        *expected = i % 4 != 0;
        snprintf(password, sizeof password, *expected ? "geheim" : "wrong%u", i);
        verified_tag(v, STR("ana"), hash, str_from_c(password), tag);
        assert_true(checker_submit(c, tag, hash, str_from_c(password), NULL, expected));
    }
    loop_run(tally.loop);
    assert_int_equal(tally.good, REQUESTS - REQUESTS / 4);
    checker_free(c, free);
    loop_free(tally.loop);
    verified_free(v);
}

static void the_checkers_queue_is_bounded_and_can_be_dropped(void **state)
{
    (void)state;
    struct tally tally = {.loop = loop_new()};
    struct checker *c = checker_new(tally.loop, 1, count, &tally);
    unsigned char tag[VERIFIED_TAG_BYTES] = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < 2 * CHECKER_WAITING_MAX; i++) {
        void *request = malloc(1);
        tag[0] = (unsigned char)i;
        if (checker_submit(c, tag, STR("$1$saltsalt$x"), STR("p"), NULL, request))
            taken++;
        else
            free(request);
    }
    assert_int_equal(taken, CHECKER_WAITING_MAX);
    checker_free(c, free);
    loop_free(tally.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_hashes_verify),
        cmocka_unit_test(hashes_from_elsewhere_verify),
        cmocka_unit_test(what_is_no_hash_is_never_right),
        cmocka_unit_test(generated_passwords_differ),
        cmocka_unit_test(a_right_password_is_remembered_for_five_minutes),
        cmocka_unit_test(the_remembered_are_bounded),
        cmocka_unit_test(a_guesser_waits_longer_each_time_and_others_do_not),
        cmocka_unit_test(a_forgotten_client_with_an_old_password_locks_nobody_out),
        cmocka_unit_test(addresses_are_counted_as_customers_have_them),
        cmocka_unit_test(a_volley_before_the_first_answer_is_bounded),
        cmocka_unit_test(the_table_of_clients_is_bounded),
        cmocka_unit_test(scram_of_rfc7677),
        cmocka_unit_test(scram_verifiers_are_read_strictly),
        cmocka_unit_test(nobody_has_a_salt_too),
        cmocka_unit_test(passwords_are_prepared),
        cmocka_unit_test(an_exchange_ends_once),
        cmocka_unit_test(the_checker_answers_every_request_once),
        cmocka_unit_test(the_checkers_queue_is_bounded_and_can_be_dropped),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
