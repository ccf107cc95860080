/* IMAP sessions that sleep: what is kept of them, and that one which goes on tells its client the truth. */
#include "imap/doze.h"
#include "imap/park.h"
#include "imap/rights.h"

#include "base/mem.h"
#include "store_fixture.h"

#include <sys/socket.h>

#define ROUNDS     30 /* of the random test, each with a mailbox of its own history */
#define STEPS      60
#define CLIENT_MAX 400

static struct str LETTER = STR_INIT("Subject: x\r\n\r\nx\r\n");

/* --- the client's picture, from what it is told --- */

struct picture {
    size_t n;
    uint32_t flags[CLIENT_MAX];
    bool is_known[CLIENT_MAX]; /* a new message's flags are not, until it asks */
};

struct session {
    struct account_session host;
    struct imap_session s;
    struct imap_frozen z;
    int client;
    struct picture picture;
    char rest[65536]; /* of what was told, not read yet */
    size_t rest_n;
};

static uint32_t read_flags(const char *line)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } NAMES[] = {{"\\Seen", FLAG_SEEN},
                 {"\\Answered", FLAG_ANSWERED},
                 {"\\Flagged", FLAG_FLAGGED},
                 {"\\Deleted", FLAG_DELETED},
                 {"\\Draft", FLAG_DRAFT}};
    uint32_t flags = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        flags |= strstr(line, NAMES[i].name) ? NAMES[i].flag : 0;
    return flags;
}

static void take_line(struct picture *p, const char *line)
{
    size_t number;
    char what[20];
    if (sscanf(line, "* %zu %19s", &number, what) != 2)
        return;
    if (strcmp(what, "EXISTS") == 0) {
        assert_true(number >= p->n && number <= CLIENT_MAX); /* messages go by EXPUNGE alone */
        for (; p->n < number; p->n++)
            p->is_known[p->n] = false;
    } else if (strcmp(what, "EXPUNGE") == 0) {
        assert_true(number >= 1 && number <= p->n);
        size_t after = p->n - number;
        memmove(&p->flags[number - 1], &p->flags[number], after * sizeof *p->flags);
        memmove(&p->is_known[number - 1], &p->is_known[number], after * sizeof *p->is_known);
        p->n--;
    } else if (strcmp(what, "FETCH") == 0) {
        assert_true(number >= 1 && number <= p->n);
        p->flags[number - 1] = read_flags(line);
        p->is_known[number - 1] = true;
    }
}

static void hear(struct session *x)
{
    assert_int_equal(stream_flush(x->s.stream, deadline_in(1000)), STREAM_OK);
    for (ssize_t n;
         (n = recv(x->client, x->rest + x->rest_n, sizeof x->rest - x->rest_n - 1, MSG_DONTWAIT)) > 0;)
        x->rest_n += (size_t)n;
    x->rest[x->rest_n] = '\0';
    char *at = x->rest;
    for (char *end; (end = strstr(at, "\r\n")); at = end + 2) {
        *end = '\0';
        take_line(&x->picture, at);
    }
    x->rest_n = strlen(at);
    memmove(x->rest, at, x->rest_n + 1);
}

/* --- sessions without their threads --- */

static void begin(struct fixture *f, struct session *x, int server, int client)
{
    static atomic_bool freezing = true;
    x->client = client;
    x->host = (struct account_session){
        .store = f->store, .address = STR("ana@example.test"), .wake_fd = -1, .freezing = &freezing};
    stream_open(&x->host.stream, server, STR(""));
    x->s = (struct imap_session){.host = &x->host,
                                 .stream = &x->host.stream,
                                 .store = f->store,
                                 .user = x->host.address,
                                 .is_owner = true};
    imap_reader_init(&x->s.reader, x->s.stream, IMAP_COMMAND_MAX);
}

static void open_session(struct fixture *f, struct session *x, unsigned enabled)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    begin(f, x, ends[0], ends[1]);
    x->s.enabled = enabled;
}

static void select_inbox(struct fixture *f, struct session *x)
{
    struct err e = ERR_INIT;
    x->s.mailbox = id_of(f, "INBOX");
    assert_int_equal(imap_view_open(&x->s.view, f->store, x->s.mailbox, x->s.enabled, 1, &e), STORE_OK);
    assert_int_equal(imap_rights(&x->s, x->s.mailbox, &x->s.rights, &e), STORE_OK);
    x->s.is_selected = true;
    x->picture.n = x->s.view.rows.n;
    for (size_t i = 0; i < x->picture.n; i++) {
        x->picture.flags[i] = x->s.view.rows.v[i].flags & FLAG_ALL;
        x->picture.is_known[i] = true;
    }
}

static void end_session(struct session *x)
{
    imap_deselect(&x->s);
    arena_free(&x->s.arena);
    imap_reader_free(&x->s.reader);
    stream_close(&x->host.stream);
    buf_free(&x->host.frozen.state);
}

static void forget_the_session(struct session *x)
{
    hear(x);
    struct picture picture = x->picture;
    end_session(x);
    x->picture = picture;
}

/* What the session has left, which is frozen, goes on in another. */
static void wake(struct fixture *f, struct session *x, int server, struct buf *state)
{
    struct picture picture = x->picture;
    begin(f, x, server, x->client);
    x->picture = picture;
    x->host.thawed = buf_str(state);
    if (!imap_park_thaw(&x->s, &x->z))
        fail_msg("a state of %zu bytes is not taken back", state->n);
    buf_free(state);
    if (x->z.is_selected)
        assert_int_equal(x->s.view.recent, x->z.recent_messages);
    x->z.tag = STR("");
}

static bool fall_asleep(struct session *x, bool is_idle, int *server, struct buf *state)
{
    if (!imap_park_if_asked(&x->s, is_idle, deadline_in(60000)))
        return false;
    assert_true(x->host.frozen.is_frozen);
    *server = dup(x->host.stream.fd);
    *state = x->host.frozen.state;
    x->host.frozen.state = (struct buf){0};
    forget_the_session(x);
    return true;
}

/* Sleeps and wakes; false: it does not sleep. */
static bool sleep_and_wake(struct fixture *f, struct session *x, bool is_idle)
{
    int server;
    struct buf state;
    if (!fall_asleep(x, is_idle, &server, &state))
        return false;
    wake(f, x, server, &state);
    assert_int_equal(x->z.is_idle, is_idle);
    return true;
}

/* What one that sleeps in IDLE is told. */
static enum imap_hears doze(struct fixture *f, struct imap_news *news, struct session *x, int server,
                            bool others_first, struct buf *state)
{
    CLEAN_BUF struct buf lines;
    struct account_frozen next = {0};
    buf_init(&lines, BUF_MAX_DEFAULT);
    enum imap_hears hears =
        imap_doze_hear(news, f->store, STR("ana@example.test"), buf_str(state), others_first, &lines, &next);
    assert_true(hears == IMAP_HEARS || (lines.n == 0 && next.state.n == 0));
    if (hears != IMAP_HEARS)
        return hears;
    assert_int_equal(write(server, lines.p, lines.n), lines.n);
    buf_free(state);
    *state = next.state;
    x->rest_n = 0;
    for (ssize_t n;
         (n = recv(x->client, x->rest + x->rest_n, sizeof x->rest - x->rest_n - 1, MSG_DONTWAIT)) > 0;)
        x->rest_n += (size_t)n;
    x->rest[x->rest_n] = '\0';
    take_line(&x->picture, x->rest);
    return hears;
}

/* --- the property --- */

static void change_something(struct fixture *f, int64_t inbox, uint64_t *random)
{
    struct mailbox m = mailbox_named(f, "INBOX");
    uint32_t uid = 1 + next_random(random) % m.uidnext, *gone;
    struct view_changes changed;
    size_t n;
    struct flag_store flags = {.how = (enum flag_change)(next_random(random) % 3),
                               .flags = next_random(random) & FLAG_ALL,
                               .keywords = next_random(random) % 3 == 0 ? STR("blue") : STR(""),
                               .unchanged_since = UINT64_MAX};
    switch (next_random(random) % 5) {
    case 0:
    case 1:
        if (m.messages < CLIENT_MAX / 2)
            append(f, inbox, LETTER, next_random(random) & FLAG_ALL, "");
        break;
    case 2:
    case 3:
        assert_int_equal(
            store_flags(f->store, inbox, &uid, 1, &flags, &f->arena, &changed, NULL, NULL, &f->e), STORE_OK);
        break;
    default:
        assert_int_equal(store_expunge(f->store, inbox, &uid, 1, true, &f->arena, &gone, &n, &f->e),
                         STORE_OK);
    }
}

/* What the client knows is what there is; and so is the session's view. */
static void compare(struct fixture *f, struct session *x)
{
    struct imap_view fresh;
    assert_int_equal(imap_view_open(&fresh, f->store, x->s.mailbox, x->s.enabled, UINT32_MAX, &f->e),
                     STORE_OK);
    assert_int_equal(x->s.view.rows.n, fresh.rows.n);
    assert_int_equal(x->picture.n, fresh.rows.n);
    for (size_t i = 0; i < fresh.rows.n; i++) {
        assert_int_equal(x->s.view.rows.v[i].uid, fresh.rows.v[i].uid);
        assert_int_equal(x->s.view.rows.v[i].flags & FLAG_ALL, fresh.rows.v[i].flags & FLAG_ALL);
        assert_true(str_eq(view_keywords(&x->s.view.rows, i), view_keywords(&fresh.rows, i)));
        if (fresh.rows.modseqs)
            assert_int_equal(x->s.view.rows.modseqs[i], fresh.rows.modseqs[i]);
        if (x->picture.is_known[i])
            assert_int_equal(x->picture.flags[i], fresh.rows.v[i].flags & FLAG_ALL);
    }
    imap_view_close(&fresh);
}

/* Sleeps in IDLE while things happen, and hears of them until it has to wake. */
static size_t doze_and_wake(struct fixture *f, struct session *x, int64_t inbox, uint64_t *random)
{
    struct imap_news news = {0};
    int server;
    struct buf state;
    size_t heard = 0;
    enum imap_hears hears = IMAP_HEARS_NOTHING;
    imap_sync(&x->s, true); /* as IDLE does */
    if (!fall_asleep(x, true, &server, &state))
        return 0;
    for (int i = 0; i < 4 && hears != IMAP_HAS_TO_WAKE; i++) {
        if (next_random(random) % 4 == 0)
            change_something(f, inbox, random);
        else if (mailbox_named(f, "INBOX").messages < CLIENT_MAX / 2)
            append(f, inbox, LETTER, next_random(random) & FLAG_ALL,
                   next_random(random) % 8 == 0 ? "green" : "");
        hears = doze(f, &news, x, server, false, &state);
        heard += hears == IMAP_HEARS;
    }
    imap_news_free(&news);
    wake(f, x, server, &state);
    return heard;
}

static void one_history(struct fixture *f, uint64_t *random, unsigned enabled, size_t *sleeps, size_t *heard)
{
    static struct session x;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t *gone;
    size_t n;
    x = (struct session){0};
    if (mailbox_named(f, "INBOX").messages > CLIENT_MAX / 4)
        assert_int_equal(store_expunge(f->store, inbox, NULL, 0, true, &f->arena, &gone, &n, &f->e),
                         STORE_OK);
    open_session(f, &x, enabled);
    select_inbox(f, &x);
    for (int i = 0; i < STEPS; i++) {
        change_something(f, inbox, random);
        if (next_random(random) % 3 == 0)
            imap_sync(&x.s, next_random(random) % 2);
        if (next_random(random) % 3 == 0)
            *sleeps += sleep_and_wake(f, &x, next_random(random) % 2);
        if (next_random(random) % 3 == 0)
            *heard += doze_and_wake(f, &x, inbox, random);
        hear(&x);
        arena_reset(&x.s.arena);
    }
    imap_sync(&x.s, true);
    hear(&x);
    assert_false(x.s.is_ending);
    compare(f, &x);
    end_session(&x);
    close(x.client);
}

static void a_session_that_slept_tells_what_happened(void **state)
{
    struct fixture *f = *state;
    static const unsigned ENABLED[] = {0, ENABLED_CONDSTORE, ENABLED_IMAP4REV2};
    uint64_t random = 4;
    size_t sleeps = 0, heard = 0;
    for (int i = 0; i < ROUNDS; i++)
        one_history(f, &random, ENABLED[i % 3], &sleeps, &heard);
    print_message("slept %zu times, heard %zu times\n", sleeps, heard);
    assert_true(heard > ROUNDS * STEPS / 10);
    assert_true(sleeps > ROUNDS * STEPS / 6); /* nearly every attempt */
}

/* --- by hand --- */

static void recent_and_expunges_that_wait_are_kept(void **state)
{
    struct fixture *f = *state;
    static struct session x;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t *gone, two = 2, three = 3;
    size_t n;
    for (int i = 0; i < 4; i++)
        append(f, inbox, LETTER, 0, "");
    open_session(f, &x, 0);
    select_inbox(f, &x);
    assert_int_equal(x.s.view.recent, 4);
    assert_int_equal(store_expunge(f->store, inbox, &two, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    imap_sync(&x.s, false); /* known, not told */
    assert_int_equal(x.s.view.gone, 1);
    assert_true(sleep_and_wake(f, &x, false));
    assert_int_equal(x.s.view.gone, 1);
    assert_int_equal(x.s.view.recent, 4);
    assert_int_equal(x.s.view.rows.n, 4);
    assert_int_equal(store_expunge(f->store, inbox, &three, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    imap_sync(&x.s, true);
    hear(&x);
    assert_int_equal(x.picture.n, 2);
    assert_int_equal(x.s.view.recent, 2);
    compare(f, &x);
    end_session(&x);
    close(x.client);
}

/* Of all that sleep, one is told that a message is \\Recent; a session that may not change anything, always.
 */
static void those_that_doze_hear_of_mail(void **state)
{
    enum { N = 4 };
    static struct session x[N];
    struct fixture *f = *state;
    struct imap_news news = {0};
    int server[N];
    struct buf left[N];
    int64_t inbox = id_of(f, "INBOX");
    append(f, inbox, LETTER, 0, "");
    for (int i = 0; i < N; i++) {
        open_session(f, &x[i], i == 3 ? ENABLED_IMAP4REV2 : 0);
        select_inbox(f, &x[i]);
        x[i].s.is_read_only = i == 2;
        imap_sync(&x[i].s, true);
        assert_true(fall_asleep(&x[i], true, &server[i], &left[i]));
        assert_true(imap_can_doze(buf_str(&left[i])));
        assert_int_equal(doze(f, &news, &x[i], server[i], false, &left[i]), IMAP_HEARS_NOTHING);
    }
    static const char *const WORDS[N] = {"* 3 EXISTS\r\n* 3 RECENT\r\n", "* 3 EXISTS\r\n* 1 RECENT\r\n",
                                         "* 3 EXISTS\r\n* 3 RECENT\r\n", "* 3 EXISTS\r\n"};
    append(f, inbox, LETTER, 0, "");
    append(f, inbox, LETTER, 0, "");
    /* The first would claim: it comes last. */
    assert_int_equal(doze(f, &news, &x[0], server[0], true, &left[0]), IMAP_HEARS_LAST);
    for (int i = N - 1; i >= 0; i--) {
        assert_int_equal(doze(f, &news, &x[i], server[i], i > 0, &left[i]), IMAP_HEARS);
        assert_string_equal(x[i].rest, WORDS[i]);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(doze(f, &news, &x[i], server[i], false, &left[i]), IMAP_HEARS_NOTHING);
    /* What is not new mail alone, they tell themselves. */
    struct flag_store seen = {FLAGS_ADD, FLAG_SEEN, STR(""), UINT64_MAX, .progress = NULL};
    struct view_changes changed;
    uint32_t two = 2;
    assert_int_equal(store_flags(f->store, inbox, &two, 1, &seen, &f->arena, &changed, NULL, NULL, &f->e),
                     STORE_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(doze(f, &news, &x[i], server[i], false, &left[i]), IMAP_HAS_TO_WAKE);
        wake(f, &x[i], server[i], &left[i]);
        imap_sync(&x[i].s, true);
        hear(&x[i]);
        assert_true(x[i].picture.is_known[1] && x[i].picture.flags[1] == FLAG_SEEN);
        compare(f, &x[i]);
        end_session(&x[i]);
        close(x[i].client);
    }
    imap_news_free(&news);
}

static void what_cannot_be_told_any_more_ends_the_session(void **state)
{
    struct fixture *f = *state;
    static struct session x;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t *gone, one = 1;
    size_t n;
    char text[200] = "";
    append(f, inbox, LETTER, 0, "");
    append(f, inbox, LETTER, 0, "");
    open_session(f, &x, 0);
    select_inbox(f, &x);
    assert_true(imap_park_if_asked(&x.s, false, deadline_in(60000)));
    struct buf kept = x.host.frozen.state;
    x.host.frozen.state = (struct buf){0};
    int server = dup(x.host.stream.fd);
    end_session(&x);
    assert_int_equal(store_expunge(f->store, inbox, &one, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, INT32_MAX, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK); /* in the year 2038 */
    begin(f, &x, server, x.client);
    x.host.thawed = buf_str(&kept);
    assert_false(imap_park_thaw(&x.s, &x.z));
    assert_int_equal(stream_flush(x.s.stream, deadline_in(1000)), STREAM_OK);
    assert_true(recv(x.client, text, sizeof text - 1, 0) > 0);
    assert_true(str_starts(str_from_c(text), STR("* BYE [UNAVAILABLE]")));
    buf_free(&kept);
    end_session(&x);
    close(x.client);
}

static void what_does_not_fit_stays_awake(void **state)
{
    struct fixture *f = *state;
    static struct session x;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 0; i <= FROZEN_GONE_MAX; i++)
        append(f, inbox, LETTER, 0, "");
    open_session(f, &x, 0);
    select_inbox(f, &x);
    assert_true(imap_session_can_park(&x.s));
    x.s.is_owner = false;
    assert_false(imap_session_can_park(&x.s));
    x.s.is_owner = true;
    assert_int_equal(write(x.client, "a NO", 4), 4); /* half a command */
    struct str line;
    assert_int_equal(stream_peek(x.s.stream, deadline_in(1000), &line), STREAM_OK);
    assert_false(imap_session_can_park(&x.s));
    stream_take(x.s.stream, 4);
    assert_true(imap_session_can_park(&x.s));
    uint32_t *gone;
    size_t n;
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    imap_sync(&x.s, false);
    assert_false(imap_session_can_park(&x.s)); /* too many EXPUNGEs wait */
    imap_sync(&x.s, true);
    assert_true(imap_session_can_park(&x.s));
    end_session(&x);
    close(x.client);
}

static void put_and_get(void **state)
{
    (void)state;
    struct imap_frozen z = {.is_idle = true,
                            .tag = STR("A0017"),
                            .enabled = ENABLED_QRESYNC | ENABLED_CONDSTORE,
                            .bad_in_a_row = 3,
                            .logout_at_ms = 123456789,
                            .commands = 5,
                            .received = 600,
                            .sent = 7000,
                            .is_selected = true,
                            .is_read_only = true,
                            .past = {.mailbox = 12, .modseq = 99, .last_uid = 50, .messages = 10},
                            .told_modseq = 98,
                            .recent = {{40, 42}, {50, 50}},
                            .recent_count = 2,
                            .recent_messages = 3,
                            .gone = {3, 41}},
                       back;
    z.past.gone = z.gone;
    z.past.gone_count = 2;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 0);
    imap_frozen_put(&f, &z);
    struct str bytes = buf_str(&f.payload);
    assert_true(imap_frozen_get(bytes, &back));
    assert_true(back.is_idle && back.is_selected && back.is_read_only);
    assert_true(str_eq(back.tag, z.tag));
    assert_int_equal(back.past.modseq, 99);
    assert_int_equal(back.past.gone_count, 2);
    assert_int_equal(back.past.gone[1], 41);
    assert_int_equal(back.recent[1].from, 50);
    for (size_t n = 0; n < bytes.n; n++)
        assert_false(imap_frozen_get(str_slice(bytes, 0, n), &back));
    z.gone[1] = 51; /* behind the last message */
    ipc_frame_free(&f);
    ipc_frame_init(&f, 0);
    imap_frozen_put(&f, &z);
    assert_false(imap_frozen_get(buf_str(&f.payload), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_and_get),
        STORE_TEST(a_session_that_slept_tells_what_happened),
        STORE_TEST(recent_and_expunges_that_wait_are_kept),
        STORE_TEST(those_that_doze_hear_of_mail),
        STORE_TEST(what_cannot_be_told_any_more_ends_the_session),
        STORE_TEST(what_does_not_fit_stays_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
