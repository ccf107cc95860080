#include "check.h"
#include "smtp/recent.h"

#include <string.h>

static struct arena arena;
static uint64_t generation; /* of the directory */

static struct recent_moment at(int64_t ms)
{
    return (struct recent_moment){ms, generation};
}

static struct directory_answer answer_of(struct str address, struct str detail)
{
    struct directory_answer answer = {
        .fate = DIRECTORY_LOCAL, .targets = ARENA_NEW(&arena, struct directory_target), .count = 1};
    *answer.targets =
        (struct directory_target){.is_local = true, .account = 7, .address = address, .detail = detail};
    return answer;
}

/* Of an address elsewhere. */
static struct directory_answer remote_answer(struct str address)
{
    struct directory_answer answer = answer_of(address, STR(""));
    answer.fate = DIRECTORY_REMOTE;
    answer.targets->is_local = false;
    return answer;
}

/* Asks at `now` as smtp does; whether the directory had to be asked. */
static bool is_asked(struct recent *r, struct str address, int64_t now, const struct directory_answer *there)
{
    struct directory_answer out;
    if (recent_find(r, address, at(now), &arena, &out)) {
        assert_int_equal(out.count, 1);
        assert_int_equal(out.targets->account, 7);
        if (there->count > 0) {
            assert_int_equal(out.fate, there->fate);
            assert_int_equal(out.targets->is_local, there->targets->is_local);
            assert_true(str_eq(out.targets->address, there->targets->address));
            assert_true(str_eq(out.targets->detail, there->targets->detail));
        }
        return false;
    }
    recent_note(r, address, at(now), there);
    return true;
}

static void what_is_asked_all_the_time_is_asked_once_a_second(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_answer there = answer_of(STR("ana@example.org"), STR("tag"));
    struct str address = STR("Ana+tag@example.org");
    for (int i = 0; i < 4; i++)
        assert_true(is_asked(r, address, 5000 + i, &there));
    int asked = 0;
    for (int64_t now = 5010; now < 15010; now += 10)
        asked += is_asked(r, address, now, &there);
    assert_in_range(asked, 9, 10);
    assert_true(is_asked(r, STR("ana+tag@example.org"), 15010, &there)); /* another spelling */
    assert_true(is_asked(r, address, 17000, &there));                    /* after a pause it begins anew */
    assert_true(is_asked(r, address, 17001, &there));
    recent_free(r);
}

static void a_change_of_the_directory_holds_at_once(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_answer there = answer_of(STR("ana@example.org"), STR("")), out;
    struct str address = STR("ana@example.org");
    for (int i = 0; i < 10; i++)
        is_asked(r, address, 5000 + i, &there);
    assert_false(is_asked(r, address, 5010, &there));
    generation++;
    assert_true(is_asked(r, address, 5011, &there));
    assert_false(is_asked(r, address, 5012, &there));
    /* It changed while the answer was on its way: that is of before. */
    generation++;
    struct recent_moment before = at(5013);
    assert_false(recent_find(r, address, before, &arena, &out));
    generation++;
    recent_note(r, address, before, &there);
    assert_true(is_asked(r, address, 5014, &there));
    recent_free(r);
}

static void an_answer_for_one_sender_is_for_nobody_else(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_answer there = answer_of(STR("team@example.org"), STR("")), rewritten = there;
    there.is_for_sender = true;
    rewritten.rewrites = true;
    for (int i = 0; i < 20; i++) {
        assert_true(is_asked(r, STR("team@example.org"), 100 + i, &there));
        assert_true(is_asked(r, STR("old@example.org"), 100 + i, &rewritten));
    }
    recent_free(r);
}

static void addresses_elsewhere_are_kept_too(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct str address = STR("friend@example.com");
    struct directory_answer there = remote_answer(address), forward = there, forged = there;
    struct directory_target target = *there.targets;
    target.sender = STR("SRS0=aaaa=bb=example.org=ana@example.org"); /* it holds for one sender */
    forward.targets = &target;
    forged.fate = DIRECTORY_LOCAL; /* an alias of ours that leads out */
    for (int i = 0; i < 4; i++)
        assert_true(is_asked(r, address, 5000 + i, &there));
    assert_false(is_asked(r, address, 5004, &there));
    for (int i = 0; i < 20; i++) {
        assert_true(is_asked(r, STR("forward@example.org"), 100 + i, &forward));
        assert_true(is_asked(r, STR("out@example.org"), 100 + i, &forged));
    }
    recent_free(r);
}

/* As is_asked. */
static bool right_is_asked(struct recent *r, int64_t account, int64_t now, enum directory_send there)
{
    struct directory_sender sender = {.right = there, .settings = {.language = CONFIG_SERBIAN_LATIN}}, kept;
    if (recent_find_sender(r, account, STR("info@example.org"), at(now), &kept)) {
        assert_int_equal(kept.right, DIRECTORY_SEND_ON_BEHALF);
        assert_int_equal(kept.settings.language, CONFIG_SERBIAN_LATIN);
        return false;
    }
    recent_note_sender(r, account, STR("info@example.org"), at(now), &sender);
    return true;
}

static void a_right_is_of_one_account(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_answer there = answer_of(STR("info@example.org"), STR(""));
    for (int i = 0; i < 4; i++)
        assert_true(right_is_asked(r, 7, 5000 + i, DIRECTORY_SEND_ON_BEHALF));
    assert_false(right_is_asked(r, 7, 5004, DIRECTORY_SEND_ON_BEHALF));
    assert_true(right_is_asked(r, 8, 5005, DIRECTORY_SEND_NOT));
    assert_true(is_asked(r, STR("info@example.org"), 5006, &there)); /* another question */
    for (int i = 0; i < 20; i++) /* who has none is asked for each time: it may just have been given */
        assert_true(right_is_asked(r, 8, 5010 + i, DIRECTORY_SEND_NOT));
    int64_t now = 5030;
    while (!right_is_asked(r, 7, now, DIRECTORY_SEND_NOT)) /* it was taken away */
        now += 50;
    assert_in_range(now, 5900, 6100);
    assert_true(right_is_asked(r, 7, now + 1, DIRECTORY_SEND_NOT));
    for (int i = 0; i < 10; i++)
        right_is_asked(r, 7, 7000 + i, DIRECTORY_SEND_ON_BEHALF);
    generation++; /* at once, where the directory tells */
    assert_true(right_is_asked(r, 7, 7010, DIRECTORY_SEND_NOT));
    recent_free(r);
}

static void a_change_holds_after_a_second(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_answer there = answer_of(STR("ana@example.org"), STR(""));
    const struct directory_answer gone = {.fate = DIRECTORY_UNKNOWN};
    struct str address = STR("ana@example.org");
    for (int i = 0; i < 20; i++)
        is_asked(r, address, 100 + i, &there);
    assert_false(is_asked(r, address, 120, &there));
    int64_t now = 121;
    while (!is_asked(r, address, now, &gone))
        now += 50;
    assert_in_range(now, 900, 1150);
    for (int i = 0; i < 20; i++) /* what is not there is not remembered */
        assert_true(is_asked(r, address, now + i, &gone));
    recent_free(r);
}

static void what_leads_to_several_is_asked_each_time(void **state)
{
    (void)state;
    struct recent *r = recent_new();
    struct directory_target two[2] = {{.is_local = true, .account = 1, .address = STR("a@example.org")},
                                      {.is_local = true, .account = 2, .address = STR("b@example.org")}};
    const struct directory_answer answer = {DIRECTORY_LOCAL, two, 2};
    char name[300];
    memset(name, 'x', sizeof name);
    for (int i = 0; i < 20; i++) {
        struct directory_answer there = answer_of(STR("a@example.org"), STR(""));
        assert_true(is_asked(r, STR("all@example.org"), 10 + i, &answer));
        assert_true(is_asked(r, str_from(name, sizeof name), 10 + i, &there));
    }
    recent_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_all_the_time_is_asked_once_a_second),
        cmocka_unit_test(a_change_of_the_directory_holds_at_once),
        cmocka_unit_test(an_answer_for_one_sender_is_for_nobody_else),
        cmocka_unit_test(addresses_elsewhere_are_kept_too),
        cmocka_unit_test(a_right_is_of_one_account),
        cmocka_unit_test(a_change_holds_after_a_second),
        cmocka_unit_test(what_leads_to_several_is_asked_each_time),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
