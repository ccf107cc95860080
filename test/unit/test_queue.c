/* The queue's process, with a relay played by the test: what is accepted is given out, repeated, reported,
 * and survives being killed. */
#include "check.h"
#include "engine.h"
#include "roles.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "queue/admin.h"
#include "queue/db.h"
#include "queue/queue.h"
#include "queue/users.h"
#include "store/store_role.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define WAIT_MS (20 * 1000) /* far over what a sound queue needs, also under sanitizers */
#define NOT_MS  300         /* so long nothing may come */

struct scene {
    struct tree tree;
    struct role *smtp;
    struct queue_client *client;
    int relay;
    struct ipc_frame early[16]; /* jobs that came before the receipt that was waited for */
    size_t early_count;
    /* what the test's relay says beside fates */
    enum queue_contact contact;
    enum queue_passing passing;
    struct str transcript;
};

/* A client lives as long as its process; so that the leak checker knows. */
static struct queue_client *clients[100];
static size_t client_count;

/* A relay that takes so many jobs at once, and so many of one sender. */
static void connect_sharing_relay(struct scene *s, unsigned capacity, unsigned of_flow)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_READY);
    ipc_put_u32(&f, capacity);
    ipc_put_u32(&f, of_flow);
    s->relay = tree_connect(&s->tree, ROLE_RELAY, ROLE_QUEUE);
    assert_int_equal(ipc_send(s->relay, &f, deadline_in(WAIT_MS)), IPC_OK);
}

static void connect_relay(struct scene *s, unsigned capacity)
{
    connect_sharing_relay(s, capacity, capacity);
}

static void scene_open(struct scene *s, const char *config, unsigned capacity)
{
    char text[600];
    bool has_store = engine() != ENGINE_SQLITE;
    snprintf(text, sizeof text, "%s%s%s\n", config,
             has_store ? "[storage]\nconnections = 2\npostgresql = " : "",
             has_store ? engine_conninfo() : "");
    tree_init(&s->tree, text);
    /* A scene without a folder of an earlier one starts from nothing. */
    if (has_store && !strstr(config, "data = "))
        engine_run("DROP SCHEMA IF EXISTS golub_queue, golub_queue_own CASCADE");
    if (has_store)
        tree_fork(&s->tree, ROLE_STORE, store_main);
    tree_fork(&s->tree, ROLE_QUEUE, queue_main);
    s->smtp = tree_client(&s->tree, ROLE_SMTP);
    tree_run(&s->tree);
    s->client = clients[client_count++] = queue_client(s->smtp);
    s->relay = -1;
    s->early_count = 0;
    s->contact = QUEUE_CONTACT_GOOD;
    s->passing = QUEUE_PASSED_PLAIN;
    s->transcript = STR("");
    if (capacity > 0)
        connect_relay(s, capacity);
}

static void scene_close(struct scene *s)
{
    while (s->early_count > 0)
        ipc_frame_free(&s->early[--s->early_count]);
    if (s->relay >= 0)
        close(s->relay);
    assert_int_equal(tree_stop(&s->tree), 0);
    tree_free(&s->tree);
}

/* --- smtp's part --- */

static int64_t enqueue_message(struct scene *s, const struct queue_message *m)
{
    struct err e = ERR_INIT;
    int64_t id = 0;
    if (!queue_enqueue(s->client, m, &id, &e))
        fail_msg("%s", e.text);
    return id;
}

static int64_t enqueue(struct scene *s, const char *sender, const char *bytes, struct queue_recipient *to,
                       size_t n)
{
    struct queue_message m = {
        .body = parcel_of(str_from_c(bytes)), .sender = str_from_c(sender), .recipients = to, .count = n};
    memset(m.id, 7, sizeof m.id);
    return enqueue_message(s, &m);
}

static int64_t enqueue_one(struct scene *s, const char *sender, const char *to)
{
    struct queue_recipient r = {.address = str_from_c(to)};
    return enqueue(s, sender, "Subject: one\r\n\r\nbody\r\n", &r, 1);
}

/* --- relay's part --- */

struct job {
    uint64_t id, message;
    char domain[300], sender[400], address[100][400], bytes[2000];
    uint64_t rows[100];
    struct envelope asked; /* without its id, which is ... */
    char asked_id[101];
    struct envelope_recipient wishes[100]; /* and these without theirs */
    char orcpt[100][501];
    size_t count;
    uint64_t size;
};

static void copy(char *to, size_t cap, struct str s)
{
    snprintf(to, cap, "%.*s", STR_ARGS(s));
}

static bool receive(struct scene *s, uint16_t type, struct ipc_frame *f, int ms)
{
    if (type == QUEUE_FRAME_JOB && s->early_count > 0) {
        *f = s->early[0];
        memmove(s->early, s->early + 1, --s->early_count * sizeof *s->early);
        return true;
    }
    while (ipc_receive(s->relay, f, deadline_in(ms)) == IPC_OK) {
        if (f->type == type)
            return true;
        assert_int_equal(f->type, QUEUE_FRAME_JOB);
        assert_true(s->early_count < sizeof s->early / sizeof *s->early);
        s->early[s->early_count++] = *f;
    }
    return false;
}

/* Frees the frame; the body is the caller's. */
static struct parcel read_job(struct ipc_frame *f, struct job *j)
{
    struct ipc_reader in = ipc_read(f);
    memset(j, 0, sizeof *j);
    j->id = ipc_get_u64(&in);
    j->message = ipc_get_u64(&in);
    assert_int_equal(ipc_get_str(&in).n, 16);
    copy(j->domain, sizeof j->domain, ipc_get_str(&in));
    copy(j->sender, sizeof j->sender, ipc_get_str(&in));
    ipc_get_u8(&in);
    struct parcel body = parcel_get(&in, f);
    envelope_get(&in, &j->asked);
    copy(j->asked_id, sizeof j->asked_id, j->asked.id);
    j->count = ipc_get_u32(&in);
    assert_in_range(j->count, 1, 100);
    for (size_t i = 0; i < j->count; i++) {
        j->rows[i] = ipc_get_u64(&in);
        copy(j->address[i], sizeof j->address[i], ipc_get_str(&in));
        envelope_recipient_get(&in, &j->wishes[i]);
        copy(j->orcpt[i], sizeof j->orcpt[i], j->wishes[i].original);
    }
    assert_true(ipc_done(&in));
    j->size = body.size;
    ipc_frame_free(f);
    return body;
}

static bool take_job(struct scene *s, struct job *j, int ms)
{
    struct ipc_frame f;
    struct str bytes;
    if (!receive(s, QUEUE_FRAME_JOB, &f, ms))
        return false;
    struct parcel body = read_job(&f, j);
    assert_true(parcel_read(&body, &bytes, NULL));
    copy(j->bytes, sizeof j->bytes, bytes);
    parcel_release(&body, bytes);
    parcel_free(&body);
    return true;
}

/* The same fate for everybody. */
static void send_result(struct scene *s, const struct job *j, enum queue_fate fate, const char *reply)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_RESULT);
    ipc_put_u64(&f, j->id);
    ipc_put_u8(&f, s->contact);
    ipc_put_str(&f, s->transcript);
    ipc_put_u32(&f, reply ? (uint32_t)j->count : 0);
    for (size_t i = 0; reply && i < j->count; i++) {
        ipc_put_u64(&f, j->rows[i]);
        ipc_put_u8(&f, (uint8_t)fate);
        ipc_put_u8(&f, s->passing);
        ipc_put_str(&f, STR("mx.example.net"));
        ipc_put_str(&f, str_from_c(reply));
    }
    assert_int_equal(ipc_send(s->relay, &f, deadline_in(WAIT_MS)), IPC_OK);
}

/* Waits until it is on disk. */
static void answer(struct scene *s, const struct job *j, enum queue_fate fate, const char *reply)
{
    CLEAN_FRAME struct ipc_frame recorded = {0};
    send_result(s, j, fate, reply);
    assert_true(receive(s, QUEUE_FRAME_RECORDED, &recorded, WAIT_MS));
    struct ipc_reader in = ipc_read(&recorded);
    assert_int_equal(ipc_get_u64(&in), j->id);
    assert_true(ipc_done(&in));
}

/* --- the administrator's part --- */

struct listing {
    size_t messages, waiting;
    int64_t last;
};

static void count(void *context, const struct queue_admin_message *m)
{
    struct listing *l = context;
    l->messages++;
    l->last = m->id;
    for (size_t i = 0; i < m->recipient_count; i++)
        l->waiting += m->recipients[i].state == QUEUE_STATE_WAITING;
}

static struct listing list(struct scene *s)
{
    struct listing l = {0};
    struct err e = ERR_INIT;
    bool more;
    assert_true(
        queue_admin_list(s->tree.config, &(struct queue_admin_filter){0}, SIZE_MAX, count, &l, &more, &e));
    assert_false(more);
    return l;
}

/* What goes at once does not come into the tables. */
static void check_journal_is_used(struct scene *s)
{
    struct err e = ERR_INIT;
    int64_t generation = 0, last = 0;
    if (engine() != ENGINE_SQLITE)
        return;
    CLEAN_SQL struct sql *db = queue_db_open(s->tree.config, false, &e);
    assert_true(db && queue_db_journal(db, &generation, &last, &e));
    assert_true(generation > 0);
}

/* --- tests --- */

static void a_message_goes_to_relay_and_is_gone_when_sent(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    scene_open(&s, "", 8);
    int64_t id = enqueue_one(&s, "ana@example.org", "Bob@Example.NET");
    assert_true(take_job(&s, &j, WAIT_MS));
    assert_int_equal(j.message, id);
    assert_string_equal(j.domain, "example.net");
    assert_string_equal(j.sender, "ana@example.org");
    assert_string_equal(j.address[0], "Bob@Example.NET");
    assert_string_equal(j.bytes, "Subject: one\r\n\r\nbody\r\n");
    assert_int_equal(list(&s).messages, 1);
    answer(&s, &j, QUEUE_SENT, "250 2.0.0 OK");
    assert_int_equal(list(&s).messages, 0);
    check_journal_is_used(&s);
    scene_close(&s);
}

static void recipients_at_one_destination_travel_together(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    char text[250][40];
    struct queue_recipient to[251];
    memset(to, 0, sizeof to);
    for (int i = 0; i < 250; i++) {
        snprintf(text[i], sizeof text[i], "user%d@example.net", i);
        to[i].address = str_from_c(text[i]);
    }
    to[250].address = STR("else@example.com");
    scene_open(&s, "", 8);
    enqueue(&s, "ana@example.org", "x\r\n", to, 251);
    size_t at_net = 0, at_com = 0, jobs = 0;
    while (at_net < 250 || at_com < 1) {
        assert_true(take_job(&s, &j, WAIT_MS));
        *(strcmp(j.domain, "example.net") == 0 ? &at_net : &at_com) += j.count;
        answer(&s, &j, QUEUE_SENT, "250 OK");
        jobs++;
    }
    assert_int_equal(jobs, 4);
    assert_int_equal(list(&s).messages, 0);
    scene_close(&s);
}

/* A forward has a sender of its own: those with the same one travel together. */
static void a_recipient_may_have_a_sender_of_its_own(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_recipient to[] = {
        {.address = STR("a@example.net")},
        {.address = STR("b@example.net"), .sender = STR("SRS0=x@ours.example")},
        {.address = STR("c@example.net")},
        {.address = STR("d@example.net"), .sender = STR("SRS0=x@ours.example")},
        {.address = STR("e@example.net"), .sender = STR("SRS0=y@ours.example")},
    };
    static const char *const EXPECTED[] = {"ana@example.org: a@example.net c@example.net",
                                           "SRS0=x@ours.example: b@example.net d@example.net",
                                           "SRS0=y@ours.example: e@example.net"};
    bool seen[3] = {false};
    scene_open(&s, "", 8);
    enqueue(&s, "ana@example.org", "x\r\n", to, 5);
    assert_int_equal(list(&s).messages, 3);
    for (int i = 0; i < 3; i++) {
        char text[1000];
        assert_true(take_job(&s, &j, WAIT_MS));
        int n = snprintf(text, sizeof text, "%s:", j.sender);
        for (size_t k = 0; k < j.count; k++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %s", j.address[k]);
        for (int k = 0; k < 3; k++)
            seen[k] = seen[k] || strcmp(text, EXPECTED[k]) == 0;
        answer(&s, &j, QUEUE_SENT, "250 OK");
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    scene_close(&s);
}

/* What a sender asked for comes to relay as it was said, from memory and from the table. */
static void what_a_sender_asked_for_travels(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_recipient to = {
        .address = STR("bob@example.net"),
        .asked = {.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY,
                  .original = STR("rfc822;Bob@Example.ORG")},
    };
    scene_open(&s, "[queue]\nretry = 1s\n", 8);
    struct queue_message m = {
        .body = parcel_of(STR("Subject: x\r\n\r\n")),
        .sender = STR("ana@example.org"),
        .asked = {.body = ENVELOPE_BINARY,
                  .ret = ENVELOPE_RETURN_HEADERS,
                  .by = ENVELOPE_BY_NOTIFY,
                  .is_utf8 = true,
                  .requires_tls = true,
                  .by_trace = true,
                  .priority = -4,
                  .deliver_by = 4000000000,
                  .hold_until = 1000000000,
                  .submitter = 77,
                  .uid = 1000,
                  .language = CONFIG_SERBIAN_CYRILLIC,
                  .id = STR("QQ=314159")},
        .recipients = &to,
        .count = 1,
    };
    memset(m.id, 7, sizeof m.id);
    int64_t id = enqueue_message(&s, &m);
    for (int again = 0; again < 2; again++) {
        assert_true(take_job(&s, &j, WAIT_MS));
        assert_int_equal(j.message, id);
        assert_int_equal(j.asked.body, m.asked.body);
        assert_int_equal(j.asked.ret, m.asked.ret);
        assert_int_equal(j.asked.by, m.asked.by);
        assert_true(j.asked.is_utf8 && j.asked.requires_tls && j.asked.by_trace);
        assert_int_equal(j.asked.priority, -4);
        assert_int_equal(j.asked.deliver_by, m.asked.deliver_by);
        assert_int_equal(j.asked.hold_until, m.asked.hold_until);
        assert_int_equal(j.asked.submitter, 77);
        assert_int_equal(j.asked.uid, 1000);
        assert_int_equal(j.asked.language, CONFIG_SERBIAN_CYRILLIC);
        assert_string_equal(j.asked_id, "QQ=314159");
        assert_int_equal(j.wishes[0].notify, to.asked.notify);
        assert_string_equal(j.orcpt[0], "rfc822;Bob@Example.ORG");
        answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 later"); /* the second time it comes from the table */
    }
    scene_close(&s);
}

static int64_t enqueue_of(struct scene *s, int64_t uid, const char *to)
{
    struct envelope asked = ENVELOPE_INIT;
    struct queue_recipient recipient = {.address = str_from_c(to)};
    asked.uid = uid;
    struct queue_message m = {.body = parcel_of(STR("Subject: x\r\n\r\n")),
                              .sender = STR("ana@example.org"),
                              .asked = asked,
                              .recipients = &recipient,
                              .count = 1};
    return enqueue_message(s, &m);
}

/* Of every page; returns how many messages there were. */
static size_t list_of(struct scene *s, int64_t uid, int64_t first, struct arena *a)
{
    struct queue_admin_message *v;
    struct err e = ERR_INIT;
    int64_t after = 0;
    size_t n, all = 0;
    do {
        assert_true(queue_users_list(s->client, uid, after, a, &v, &n, &after, &e));
        for (size_t i = 0; i < n; i++, all++) {
            assert_true(all > 0 || v[i].id == first);
            assert_int_equal(v[i].recipient_count, 1);
            assert_int_equal(v[i].size, 14);
            assert_true(str_eq(v[i].sender, STR("ana@example.org")));
        }
    } while (after != 0);
    return all;
}

/* mailq and sendmail -q: each of his own, or of all. */
static void users_ask_for_what_is_theirs(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct scene s;
    struct job j;
    struct err e = ERR_INIT;
    int64_t next;
    size_t n;
    scene_open(&s, "[queue]\nretry = 1h\n", 8);
    int64_t first = enqueue_of(&s, 1000, "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 later");
    int64_t other = enqueue_of(&s, 1001, "bob@example.com");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 later");
    struct job taken[8];
    for (int i = 0; i < 120; i++) { /* more than a page; of five relay says nothing more */
        enqueue_of(&s, 1002, "bob@example.org");
        if (i < 5)
            assert_true(take_job(&s, &taken[i], WAIT_MS));
    }
    assert_int_equal(list_of(&s, 1000, first, &a), 1);
    assert_int_equal(list_of(&s, 1001, other, &a), 1);
    assert_int_equal(list_of(&s, 1002, other + 1, &a), 120);
    assert_int_equal(list_of(&s, 77, 0, &a), 0);
    assert_int_equal(list_of(&s, -1, first, &a), 122);
    struct queue_admin_message *v;
    assert_true(queue_users_list(s.client, 1000, 0, &a, &v, &n, &next, &e));
    assert_true(str_eq(v->recipients->address, STR("bob@example.net")) &&
                str_eq(v->recipients->reply, STR("450 4.2.0 later")));
    assert_int_equal(v->recipients->state, QUEUE_STATE_WAITING);

    assert_true(queue_users_retry(s.client, 77, 0, &n, &next, &e));
    assert_int_equal(n, 0);
    assert_true(queue_users_retry(s.client, 1001, 0, &n, &next, &e));
    assert_int_equal(n, 1);
    assert_int_equal(next, 0);
    assert_true(take_job(&s, &j, WAIT_MS));
    assert_int_equal(j.message, other);
    answer(&s, &j, QUEUE_SENT, "250 OK");
    assert_false(take_job(&s, &j, NOT_MS)); /* nobody asked for the first one */
    scene_close(&s);
}

static void a_message_is_held_for_the_future(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_recipient to = {.address = STR("bob@example.net")};
    scene_open(&s, "", 8);
    int64_t until = clock_wall() + 2;
    struct queue_message m = {.body = parcel_of(STR("Subject: x\r\n\r\n")),
                              .sender = STR("ana@example.org"),
                              .asked = {.hold_until = until},
                              .recipients = &to,
                              .count = 1};
    enqueue_message(&s, &m);
    assert_true(take_job(&s, &j, WAIT_MS));
    assert_true(clock_wall() >= until);
    answer(&s, &j, QUEUE_SENT, "250 OK");
    assert_int_equal(list(&s).messages, 0);
    scene_close(&s);
}

/* More than fit a frame. */
/* Short ones in the frames, long ones in memfds beside them; and in the same way from the disk. */
static void bodies_of_every_size(void **state)
{
    static const size_t SIZES[] = {1, PARCEL_INLINE_MAX, PARCEL_INLINE_MAX + 1, 300000};
    enum { COUNT = sizeof SIZES / sizeof *SIZES };
    (void)state;
    struct scene first, second;
    struct job j;
    struct err e = ERR_INIT;
    char config[200];
    CLEAN_FREE char *bytes = mem_new(SIZES[COUNT - 1], 1);
    for (size_t i = 0; i < SIZES[COUNT - 1]; i++)
        bytes[i] = (char)('a' + i % 7);
    scene_open(&first, "", 8);
    for (size_t i = 0; i < COUNT; i++) {
        struct queue_recipient to = {.address = STR("bob@example.net")};
        struct queue_message m = {.body = parcel_of(str_from(bytes, SIZES[i])),
                                  .sender = STR("ana@example.org"),
                                  .recipients = &to,
                                  .count = 1};
        enqueue_message(&first, &m);
        assert_true(take_job(&first, &j, WAIT_MS));
        assert_int_equal(j.size, SIZES[i]);
        assert_memory_equal(j.bytes, bytes, SIZES[i] < sizeof j.bytes - 1 ? SIZES[i] : sizeof j.bytes - 1);
    }
    close(first.relay); /* with all four */
    first.relay = -1;
    assert_int_equal(tree_stop(&first.tree), 0);
    snprintf(config, sizeof config, "[server]\ndata = %s\n[queue]\nretry = 1s\n", first.tree.folder.path);
    scene_open(&second, config, 8);
    for (size_t i = 0, all = 0; i < COUNT; i++) {
        struct ipc_frame f;
        assert_true(receive(&second, QUEUE_FRAME_JOB, &f, WAIT_MS));
        struct str text;
        struct parcel body = read_job(&f, &j);
        assert_int_equal(body.fd < 0, body.size <= PARCEL_INLINE_MAX);
        assert_true(parcel_read(&body, &text, &e));
        assert_memory_equal(text.p, bytes, text.n);
        all += text.n;
        parcel_release(&body, text);
        parcel_free(&body);
        if (i + 1 == COUNT)
            assert_int_equal(all, SIZES[0] + SIZES[1] + SIZES[2] + SIZES[3]);
    }
    scene_close(&second);
    tree_free(&first.tree);
}

static void thousands_of_recipients(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct scene s;
    struct job j;
    char(*text)[40] = mem_new(MANY, sizeof *text);
    struct queue_recipient *to = mem_new(MANY, sizeof *to);
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "user%d@host%d.example.net", i, i % 100);
        to[i].address = str_from_c(text[i]);
    }
    scene_open(&s, "", 8);
    enqueue(&s, "ana@example.org", "x\r\n", to, MANY);
    for (size_t seen = 0; seen < MANY; seen += j.count) {
        assert_true(take_job(&s, &j, WAIT_MS));
        answer(&s, &j, QUEUE_SENT, "250 OK");
    }
    assert_int_equal(list(&s).messages, 0);
    free(text);
    free(to);
    scene_close(&s);
}

static void destinations_take_turns_and_have_a_limit(void **state)
{
    (void)state;
    struct scene s;
    struct job jobs[5];
    scene_open(&s, "[queue]\nconnections = 2\n", 5);
    for (int i = 0; i < 20; i++)
        enqueue_one(&s, "ana@example.org", "bob@busy.example");
    enqueue_one(&s, "ana@example.org", "bob@quiet.example");
    int busy = 0, quiet = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(take_job(&s, &jobs[i], WAIT_MS));
        *(strcmp(jobs[i].domain, "busy.example") == 0 ? &busy : &quiet) += 1;
    }
    assert_int_equal(busy, 2);
    assert_int_equal(quiet, 1);
    assert_false(take_job(&s, &jobs[3], NOT_MS));
    for (int i = 0; i < 3; i++)
        answer(&s, &jobs[i], QUEUE_DEFERRED, NULL); /* not tried: they come again at once */
    for (int i = 0; i < 3; i++)
        assert_true(take_job(&s, &jobs[i], WAIT_MS));
    scene_close(&s);
}

/* A list for many servers that hang leaves room for somebody else's letter. */
static void one_sender_has_so_many_jobs(void **state)
{
    enum { MOST = 3 };
    (void)state;
    struct scene s;
    static struct job j[MOST + 1];
    char to[40];
    scene_open(&s, "", 0);
    for (int i = 0; i < 2 * MOST; i++) {
        snprintf(to, sizeof to, "bob@%d.example.net", i);
        enqueue_one(&s, "list@example.org", to);
    }
    connect_sharing_relay(&s, 4 * MOST, MOST);
    for (int i = 0; i < MOST; i++)
        assert_true(take_job(&s, &j[i], WAIT_MS));
    assert_false(take_job(&s, &j[MOST], NOT_MS));
    enqueue_one(&s, "ana@elsewhere.example", "bob@quick.example.net");
    assert_true(take_job(&s, &j[MOST], WAIT_MS));
    assert_string_equal(j[MOST].domain, "quick.example.net");
    scene_close(&s);
}

/* Results that come while others are being written are written together, and their receipts are one frame. */
static void results_share_their_receipts(void **state)
{
    enum { COUNT = 5 };
    (void)state;
    struct scene s;
    static struct job j[COUNT];
    size_t recorded = 0;
    scene_open(&s, "", COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        enqueue_one(&s, "ana@example.org", "bob@example.net");
        assert_true(take_job(&s, &j[i], WAIT_MS));
    }
    for (size_t i = 0; i < COUNT; i++)
        send_result(&s, &j[i], QUEUE_SENT, "250 OK");
    while (recorded < COUNT) {
        CLEAN_FRAME struct ipc_frame f = {0};
        assert_true(receive(&s, QUEUE_FRAME_RECORDED, &f, WAIT_MS));
        struct ipc_reader in = ipc_read(&f);
        while (in.rest.n > 0 && recorded < COUNT)
            assert_int_equal(ipc_get_u64(&in), j[recorded++].id);
        assert_true(ipc_done(&in));
    }
    assert_int_equal(list(&s).messages, 0);
    scene_close(&s);
}

static void many_messages_to_one_destination(void **state)
{
    (void)state;
    enum { MANY = 1300 }; /* over PLAN_JOBS_PER_DESTINATION: some are read back from the table */
    struct scene s;
    struct job *j = MEM_NEW(struct job);
    unsigned char *seen = mem_new(MANY + 10, 1);
    scene_open(&s, "", 0);
    for (int i = 0; i < MANY; i++)
        enqueue_one(&s, "ana@example.org", "bob@example.net");
    connect_relay(&s, 1);
    for (int i = 0; i < MANY; i++) {
        assert_true(take_job(&s, j, WAIT_MS));
        assert_in_range(j->message, 1, MANY);
        assert_int_equal(seen[j->message]++, 0);
        answer(&s, j, QUEUE_SENT, "250 OK");
    }
    assert_int_equal(list(&s).messages, 0);
    free(j);
    free(seen);
    scene_close(&s);
}

static void what_is_deferred_comes_again_and_expires_with_a_report(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_admin_message m = {0};
    struct err e = ERR_INIT;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    scene_open(&s, "[queue]\nretry = 1s\nretry_most = 1s\nlifetime = 3s\nwarn = 1s\n", 8);
    int64_t id = enqueue_one(&s, "ana@elsewhere.example", "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 Greylisted");
    assert_false(take_job(&s, &j, NOT_MS));
    assert_true(queue_admin_show(s.tree.config, id, &a, &m, &e));
    assert_int_equal(m.recipients[0].attempts, 1);
    assert_true(str_eq(m.recipients[0].reply, STR("450 4.2.0 Greylisted")));
    assert_int_equal(m.attempt_count, 1);
    assert_true(str_starts(m.header, STR("Subject: one")));
    int attempts = 1;
    for (; list(&s).messages > 0 && take_job(&s, &j, WAIT_MS); attempts++) {
        assert_int_equal(j.message, id);
        answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 Greylisted");
        if (queue_admin_show(s.tree.config, id, &a, &m, &e) == false)
            break;
    }
    assert_in_range(attempts, 2, 4);
    /* A warning and a report wait for the directory, which is not there, to say whose address that is. */
    assert_int_equal(list(&s).messages, 2);
    assert_true(queue_admin_show(s.tree.config, list(&s).last, &a, &m, &e));
    assert_int_equal(m.sender.n, 0);
    assert_true(str_eq(m.recipients[0].address, STR("ana@elsewhere.example")));
    assert_true(str_find(m.header, STR("multipart/report")) != STR_NONE);
    scene_close(&s);
}

static void a_failure_is_reported_once_and_a_report_never(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    scene_open(&s, "", 8);
    enqueue_one(&s, "", "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_FAILED, "550 5.1.1 No such user");
    assert_int_equal(list(&s).messages, 0);
    enqueue_one(&s, "ana@elsewhere.example", "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_FAILED, "550 5.1.1 No such user");
    assert_int_equal(list(&s).messages, 1);
    scene_close(&s);
}

static void smtp_may_ask_for_a_report(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_recipient to[2] = {
        {.address = STR("no@example.org"), .account = QUEUE_REFUSED, .detail = STR("552 5.2.2 Full")},
        {.address = STR("bob@example.net")},
    };
    scene_open(&s, "", 8);
    enqueue(&s, "ana@elsewhere.example", "x\r\n", to, 2);
    assert_int_equal(list(&s).messages, 2);
    assert_true(take_job(&s, &j, WAIT_MS));
    assert_int_equal(j.count, 1);
    answer(&s, &j, QUEUE_SENT, "250 OK");
    assert_int_equal(list(&s).messages, 1);
    enqueue(&s, "ana@elsewhere.example", "x\r\n", to, 1);
    assert_int_equal(list(&s).messages, 2); /* nothing but reports */
    scene_close(&s);
}

static void ignore_change(void *context, const struct queue_admin_change *change)
{
    (void)context;
    (void)change;
}

/* One message with these wishes, and what becomes of it: is there a report? */
static bool is_reported(struct scene *s, unsigned notify, struct envelope asked, enum queue_fate fate,
                        enum queue_passing passing, const char *words)
{
    struct job j;
    struct err e = ERR_INIT;
    struct queue_admin_counts counts;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct queue_recipient to = {.address = STR("bob@example.net"), .asked = {.notify = notify}};
    struct queue_message m = {.body = parcel_of(STR("Subject: one\r\n\r\nthe body\r\n")),
                              .sender = STR("ana@elsewhere.example"),
                              .asked = asked,
                              .recipients = &to,
                              .count = 1};
    enqueue_message(s, &m);
    assert_true(take_job(s, &j, WAIT_MS));
    s->passing = passing;
    answer(s, &j, fate, fate == QUEUE_SENT ? "250 2.0.0 OK" : "550 5.1.1 No such user");
    struct listing l = list(s);
    if (l.messages == 0)
        return false;
    assert_int_equal(l.messages, 1);
    struct queue_admin_message report = {0};
    assert_true(queue_admin_show(s->tree.config, l.last, &a, &report, &e));
    CLEAN_SQL struct sql *db = queue_db_open(s->tree.config, false, &e);
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    assert_true(db && queue_db_start(db, l.last, &text, &e));
    if (str_find(buf_str(&text), str_from_c(words)) == STR_NONE)
        fail_msg("not in the report: %s\n%.*s", words, (int)text.n, text.p);
    struct queue_admin_filter this = {.id = l.last};
    assert_true(queue_admin_change(s->tree.config, QUEUE_ADMIN_DROP, &this, STR(""), ignore_change, NULL,
                                   &counts, &e));
    return true;
}

/* RFC 3461 section 5.2, and whom RET and ENVID concern. */
static void reports_go_by_what_was_asked(void **state)
{
    (void)state;
    struct scene s;
    struct envelope plain = ENVELOPE_INIT, full = ENVELOPE_INIT, cyrillic = ENVELOPE_INIT;
    unsigned success = ENVELOPE_NOTIFY_SUCCESS, failure = ENVELOPE_NOTIFY_FAILURE;
    full.ret = ENVELOPE_RETURN_FULL;
    full.id = STR("QQ+314159");
    scene_open(&s, "[queue]\nlanguage = sr-Latn\n", 8);
    assert_false(is_reported(&s, 0, plain, QUEUE_SENT, QUEUE_PASSED_PLAIN, ""));
    assert_true(is_reported(&s, success, plain, QUEUE_SENT, QUEUE_PASSED_PLAIN, "\r\nAction: relayed\r\n"));
    assert_false(is_reported(&s, success, plain, QUEUE_SENT, QUEUE_PASSED_DSN, ""));
    assert_true(is_reported(&s, success, plain, QUEUE_SENT, QUEUE_PASSED_FINAL, "\r\nAction: delivered\r\n"));
    assert_true(is_reported(&s, 0, plain, QUEUE_FAILED, QUEUE_PASSED_PLAIN, "\r\nAction: failed\r\n"));
    assert_true(is_reported(&s, failure, plain, QUEUE_FAILED, QUEUE_PASSED_PLAIN, "text/rfc822-headers"));
    assert_false(is_reported(&s, success, plain, QUEUE_FAILED, QUEUE_PASSED_PLAIN, ""));
    assert_false(is_reported(&s, ENVELOPE_NOTIFY_NEVER, plain, QUEUE_FAILED, QUEUE_PASSED_PLAIN, ""));
    assert_true(is_reported(&s, 0, full, QUEUE_FAILED, QUEUE_PASSED_PLAIN,
                            "message/rfc822\r\n\r\nSubject: one\r\n\r\nthe body\r\n"));
    assert_true(is_reported(&s, 0, full, QUEUE_FAILED, QUEUE_PASSED_PLAIN,
                            "\r\nOriginal-Envelope-Id: QQ+314159\r\n"));
    assert_true(is_reported(&s, 0, full, QUEUE_FAILED, QUEUE_PASSED_PLAIN, "Takva adresa tamo ne postoji."));
    cyrillic.language = CONFIG_SERBIAN_CYRILLIC; /* set of the account, whatever golub.conf says */
    assert_true(
        is_reported(&s, 0, cyrillic, QUEUE_FAILED, QUEUE_PASSED_PLAIN, "Таква адреса тамо не постоји."));
    scene_close(&s);
}

/* RFC 2852: at the deadline the message goes back, or its sender is told, though nobody tries it then. */
static void a_deadline_is_kept(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    struct queue_recipient to = {.address = STR("bob@example.net")};
    for (int notify = 0; notify < 2; notify++) {
        scene_open(&s, "[queue]\nretry = 1h\n", 8);
        int64_t id = 0, by = clock_wall() + 2;
        struct queue_message m = {
            .body = parcel_of(STR("Subject: x\r\n\r\n")),
            .sender = STR("ana@elsewhere.example"),
            .asked = {.by = notify ? ENVELOPE_BY_NOTIFY : ENVELOPE_BY_RETURN, .deliver_by = by},
            .recipients = &to,
            .count = 1};
        id = enqueue_message(&s, &m);
        assert_true(take_job(&s, &j, WAIT_MS));
        answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 later");
        struct listing l = list(&s);
        while (l.last == id && clock_wall() < by + WAIT_MS / 1000) {
            if (take_job(&s, &j, NOT_MS)) /* once more, before it is over */
                answer(&s, &j, QUEUE_DEFERRED, "450 4.2.0 later");
            l = list(&s);
        }
        assert_true(clock_wall() >= by);
        assert_int_equal(l.messages, notify ? 2 : 1); /* the report, and the message if it goes on */
        scene_close(&s);
    }
}

static void a_lost_relay_gives_its_jobs_back(void **state)
{
    (void)state;
    struct scene s;
    struct job first, again;
    scene_open(&s, "", 8);
    enqueue_one(&s, "ana@example.org", "bob@example.net");
    assert_true(take_job(&s, &first, WAIT_MS));
    close(s.relay);
    connect_relay(&s, 8);
    assert_true(take_job(&s, &again, WAIT_MS));
    assert_int_equal(again.message, first.message);
    assert_int_equal(again.rows[0], first.rows[0]);
    answer(&s, &again, QUEUE_SENT, "250 OK");
    scene_close(&s);
}

static void nonsense_closes_the_channel(void **state)
{
    (void)state;
    struct scene s;
    struct ipc_frame got;
    scene_open(&s, "", 8);
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_RESULT);
    ipc_put_u64(&f, 12345);
    ipc_put_u8(&f, QUEUE_CONTACT_GOOD);
    ipc_put_str(&f, STR(""));
    ipc_put_u32(&f, 0);
    assert_int_equal(ipc_send(s.relay, &f, deadline_in(WAIT_MS)), IPC_OK);
    assert_int_equal(ipc_receive(s.relay, &got, deadline_in(WAIT_MS)), IPC_EOF);
    int smtp = tree_connect(&s.tree, ROLE_SMTP, ROLE_QUEUE);
    assert_int_equal(ipc_send(smtp, &f, deadline_in(WAIT_MS)), IPC_OK);
    assert_int_equal(ipc_receive(smtp, &got, deadline_in(WAIT_MS)), IPC_EOF);
    close(smtp);
    scene_close(&s);
}

struct changed {
    size_t n;
    char address[100]; /* the last */
};

static void note_change(void *context, const struct queue_admin_change *change)
{
    struct changed *c = context;
    c->n++;
    snprintf(c->address, sizeof c->address, "%.*s", STR_ARGS(change->address));
}

/* How many recipients it was done to; -1: there is no such message. */
static int change(struct scene *s, enum queue_admin_action action, struct queue_admin_filter f,
                  const char *to)
{
    struct changed c = {0};
    struct queue_admin_counts counts;
    struct err e = ERR_INIT;
    if (!queue_admin_change(s->tree.config, action, &f, str_from_c(to), note_change, &c, &counts, &e)) {
        assert_int_equal(e.kind, ERR_PERMANENT);
        return -1;
    }
    assert_int_equal(counts.recipients, c.n);
    return (int)c.n;
}
#define BY_ID(number) ((struct queue_admin_filter){.id = (number)})
#define ALL           ((struct queue_admin_filter){0})

static void an_administrator_retries_and_drops(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    scene_open(&s, "[queue]\nretry = 1h\n", 8);
    int64_t id = enqueue_one(&s, "ana@example.org", "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_DEFERRED, "450 later");
    assert_false(take_job(&s, &j, NOT_MS));
    assert_int_equal(change(&s, QUEUE_ADMIN_RETRY, BY_ID(id), ""), 1);
    assert_true(take_job(&s, &j, WAIT_MS));
    assert_int_equal(j.message, id);
    /* Dropped while it is in flight: its outcome is without consequence. */
    assert_int_equal(change(&s, QUEUE_ADMIN_DROP, BY_ID(id), ""), 1);
    answer(&s, &j, QUEUE_FAILED, "550 no");
    assert_int_equal(list(&s).messages, 0);
    assert_int_equal(change(&s, QUEUE_ADMIN_DROP, BY_ID(id), ""), -1);
    assert_int_equal(change(&s, QUEUE_ADMIN_RETRY, BY_ID(id), ""), -1);
    assert_int_equal(change(&s, QUEUE_ADMIN_RETRY, ALL, ""), 0);
    scene_close(&s);
}

static void what_is_held_waits_for_its_release(void **state)
{
    (void)state;
    struct scene s;
    struct job j;
    scene_open(&s, "[queue]\nretry = 1h\n", 8);
    int64_t id = enqueue_one(&s, "ana@example.org", "bob@example.net");
    assert_true(take_job(&s, &j, WAIT_MS));
    answer(&s, &j, QUEUE_DEFERRED, "450 later");
    assert_int_equal(change(&s, QUEUE_ADMIN_HOLD, BY_ID(id), ""), 1);
    assert_int_equal(change(&s, QUEUE_ADMIN_HOLD, BY_ID(id), ""), -1); /* it does not wait any more */
    assert_int_equal(change(&s, QUEUE_ADMIN_RETRY, ALL, ""), 0);
    assert_int_equal(list(&s).waiting, 0);
    assert_int_equal(list(&s).messages, 1);
    assert_false(take_job(&s, &j, NOT_MS));
    assert_int_equal(change(&s, QUEUE_ADMIN_RELEASE, ALL, ""), 1);
    assert_true(take_job(&s, &j, WAIT_MS));
    /* Held while it is in flight: it is sent, and so it is not sent again when it is released. */
    assert_int_equal(change(&s, QUEUE_ADMIN_HOLD, ALL, ""), 1);
    answer(&s, &j, QUEUE_SENT, "250 ok");
    assert_int_equal(list(&s).messages, 0);
    scene_close(&s);
}

static void patterns_choose_recipients(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, "", 0); /* relay takes nothing: all of them wait */
    enqueue_one(&s, "ana@example.org", "bob@example.net");
    enqueue_one(&s, "ana@example.org", "Carl@other.test");
    enqueue_one(&s, "", "dora@sub.other.test");
    struct queue_admin_filter by_sender = {.sender = "ANA@*"}, null = {.sender = ""};
    struct queue_admin_filter by_recipient = {.recipient = "c?rl@*"},
                              by_destination = {.destination = "*other.test"};
    assert_int_equal(change(&s, QUEUE_ADMIN_HOLD, by_recipient, ""), 1);
    assert_int_equal(list(&s).waiting, 2);
    assert_int_equal(change(&s, QUEUE_ADMIN_RELEASE, by_destination, ""), 1);
    assert_int_equal(change(&s, QUEUE_ADMIN_HOLD, by_destination, ""), 2);
    assert_int_equal(change(&s, QUEUE_ADMIN_DROP, null, ""), 1);
    assert_int_equal(list(&s).messages, 2);
    assert_int_equal(change(&s, QUEUE_ADMIN_DROP, by_sender, ""), 2);
    assert_int_equal(list(&s).messages, 0);
    scene_close(&s);
}

static void a_redirection_asks_the_directory(void **state)
{
    (void)state;
    struct scene s;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct queue_admin_message m;
    struct err e = ERR_INIT;
    scene_open(&s, "[queue]\nretry = 1h\n", 0);
    int64_t id = enqueue_one(&s, "ana@example.org", "bob@example.net");
    assert_int_equal(change(&s, QUEUE_ADMIN_REDIRECT, ALL, "zoe@elsewhere.test"), 1);
    assert_true(queue_admin_show(s.tree.config, id, &a, &m, &e));
    assert_int_equal(m.recipient_count, 1);
    assert_true(str_eq(m.recipients[0].address, STR("zoe@elsewhere.test")));
    assert_int_equal(change(&s, QUEUE_ADMIN_REDIRECT, ALL, "zoe@elsewhere.test"),
                     0); /* it is there already */
    scene_close(&s);
}

static void patterns_match(void **state)
{
    (void)state;
    assert_true(queue_admin_matches("*", STR("")));
    assert_true(queue_admin_matches("", STR("")));
    assert_true(queue_admin_matches("*@*.test", STR("a@b.TEST")));
    assert_true(queue_admin_matches("a*b*c", STR("aXbXbXc")));
    assert_true(queue_admin_matches("???", STR("abc")));
    assert_false(queue_admin_matches("", STR("a")));
    assert_false(queue_admin_matches("?", STR("")));
    assert_false(queue_admin_matches("a*b", STR("ab c")));
    assert_false(queue_admin_matches("@b.test", STR("a@b.test")));
}

/* --- kill -9 --- */

struct flood {
    struct scene *scene;
    _Atomic int64_t accepted; /* ids are 1, 2, 3 ...: one thread enqueues */
};

static void *flood(void *context)
{
    struct flood *f = context;
    struct queue_recipient r = {.address = STR("bob@example.net")};
    struct err e = ERR_INIT;
    struct queue_message m = {
        .body = parcel_of(STR("x\r\n")), .sender = STR("a@b"), .recipients = &r, .count = 1};
    int64_t id;
    while (queue_enqueue(f->scene->client, &m, &id, &e))
        f->accepted = id;
    return NULL;
}

static void what_was_accepted_survives_being_killed(void **state)
{
    (void)state;
    struct scene first, second;
    struct flood f = {.scene = &first};
    pthread_t thread;
    char config[200];
    struct job j;
    scene_open(&first, "", 1);
    assert_int_equal(pthread_create(&thread, NULL, flood, &f), 0);
    int64_t sent = 0;
    for (; f.accepted < 200; sent++) {
        assert_true(take_job(&first, &j, WAIT_MS));
        answer(&first, &j, QUEUE_SENT, "250 OK");
        assert_int_equal(j.message, sent + 1);
    }
    pid_t pid = tree_pid(&first.tree, ROLE_QUEUE);
    kill(pid, SIGKILL);
    close(first.relay);
    first.relay = -1;
    pthread_join(thread, NULL);
    assert_int_not_equal(tree_stop(&first.tree), 0);

    snprintf(config, sizeof config, "[server]\ndata = %s\n", first.tree.folder.path);
    scene_open(&second, config, 1);
    int64_t next = sent + 1;
    while (take_job(&second, &j, next <= f.accepted ? WAIT_MS : NOT_MS)) {
        /* All in order, none missing; at most the last answered one comes again. At the end there may be one
         * that was stored while nobody was left to hear so. */
        assert_int_equal(j.message, next);
        answer(&second, &j, QUEUE_SENT, "250 OK");
        next++;
    }
    assert_in_range(next - 1, f.accepted, f.accepted + 1);
    assert_int_equal(list(&second).messages, 0);
    scene_close(&second);
    tree_free(&first.tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_to_relay_and_is_gone_when_sent),
        cmocka_unit_test(recipients_at_one_destination_travel_together),
        cmocka_unit_test(a_recipient_may_have_a_sender_of_its_own),
        cmocka_unit_test(what_a_sender_asked_for_travels),
        cmocka_unit_test(users_ask_for_what_is_theirs),
        cmocka_unit_test(a_message_is_held_for_the_future),
        cmocka_unit_test(bodies_of_every_size),
        cmocka_unit_test(thousands_of_recipients),
        cmocka_unit_test(destinations_take_turns_and_have_a_limit),
        cmocka_unit_test(one_sender_has_so_many_jobs),
        cmocka_unit_test(results_share_their_receipts),
        cmocka_unit_test(many_messages_to_one_destination),
        cmocka_unit_test(what_is_deferred_comes_again_and_expires_with_a_report),
        cmocka_unit_test(a_failure_is_reported_once_and_a_report_never),
        cmocka_unit_test(smtp_may_ask_for_a_report),
        cmocka_unit_test(reports_go_by_what_was_asked),
        cmocka_unit_test(a_deadline_is_kept),
        cmocka_unit_test(a_lost_relay_gives_its_jobs_back),
        cmocka_unit_test(nonsense_closes_the_channel),
        cmocka_unit_test(an_administrator_retries_and_drops),
        cmocka_unit_test(what_is_held_waits_for_its_release),
        cmocka_unit_test(patterns_choose_recipients),
        cmocka_unit_test(a_redirection_asks_the_directory),
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(what_was_accepted_survives_being_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
