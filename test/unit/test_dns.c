/* dns as a process in its sandbox, and a private DNS server played by the test: what clients get for each
 * kind of answer. */
#include "check.h"
#include "roles.h"

#include "dns/dns.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MAX 512
#define HEADER     12 /* RFC 1035 section 4.1.1 */

enum { NO_ERROR = 0, SERVER_FAILURE = 2, NAME_ERROR = 3 };

/* name in wire form, type, rcode, rdata; CNAME answers every question */
struct zone_line {
    struct str name;
    uint16_t type;
    unsigned rcode;
    struct str rdata;
};
static const struct zone_line ZONE[] = {
    {STR_INIT("\7example\4test\0"), DNS_MX, NO_ERROR, STR_INIT("\0\12\2mx\7example\4test\0")},
    {STR_INIT("\7example\4test\0"), DNS_MX, NO_ERROR, STR_INIT("\0\24\3MX2\7example\4test\0")},
    {STR_INIT("\2mx\7example\4test\0"), DNS_A, NO_ERROR, STR_INIT("\177\0\0\11")},
    {STR_INIT("\2mx\7example\4test\0"), DNS_TXT, NO_ERROR, STR_INIT("\3abc\3def")},
    {STR_INIT("\4real\4test\0"), DNS_A, NO_ERROR, STR_INIT("\177\0\0\12")},
    {STR_INIT("\4both\4test\0"), DNS_A, NO_ERROR, STR_INIT("\177\0\0\13")},
    {STR_INIT("\4both\4test\0"), DNS_AAAA, NO_ERROR, STR_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")},
    {STR_INIT("\5alias\4test\0"), DNS_CNAME, NO_ERROR, STR_INIT("\4Real\4test\0")},
    {STR_INIT("\4null\4test\0"), DNS_MX, NO_ERROR, STR_INIT("\0\0\0")},
    {STR_INIT("\4gone\4test\0"), DNS_MX, NAME_ERROR, STR_INIT("")},
    {STR_INIT("\4fail\4test\0"), DNS_MX, SERVER_FAILURE, STR_INIT("")},
};

/* A question, and who asks. */
struct query {
    char bytes[PACKET_MAX];
    size_t n; /* 0: there is none */
    struct sockaddr_in from;
};

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    _Atomic unsigned asked;  /* for example.test's MX */
    struct query waiting[2]; /* for both.test's A and AAAA: none is answered before the other has come */
};

static void put16(struct buf *out, unsigned v)
{
    buf_add_byte(out, (char)(v >> 8 & 255));
    buf_add_byte(out, (char)(v & 255));
}

static void put_record(struct buf *out, unsigned type, struct str rdata)
{
    put16(out, 0xc000 | HEADER); /* the name of the question */
    put16(out, type);
    put16(out, 1);
    put16(out, 0);
    put16(out, 60);
    put16(out, (unsigned)rdata.n);
    buf_add(out, rdata);
}

static void answer(struct server *s, struct str query, struct buf *out)
{
    struct str name = str_from_offset(query, HEADER);
    size_t end = str_find_byte(name, '\0');
    uint16_t type = (uint16_t)((unsigned char)name.p[end + 1] << 8 | (unsigned char)name.p[end + 2]);
    name = str_slice(name, 0, end + 1);
    unsigned rcode = NO_ERROR, count = 0;
    CLEAN_BUF struct buf records;
    buf_init(&records, PACKET_MAX);
    for (size_t i = 0; i < sizeof ZONE / sizeof *ZONE; i++) {
        if (!str_eq_nocase(name, ZONE[i].name) || (type != ZONE[i].type && ZONE[i].type != DNS_CNAME))
            continue;
        rcode = ZONE[i].rcode;
        if (rcode != NO_ERROR)
            continue;
        s->asked += i == 0;
        count++;
        put_record(&records, ZONE[i].type, ZONE[i].rdata);
    }
    buf_add(out, str_slice(query, 0, 2));
    put16(out, 0x8580 | rcode); /* QR AA RD RA */
    put16(out, 1);
    put16(out, count);
    put16(out, 0);
    put16(out, 0);
    buf_add(out, str_slice(query, HEADER, name.n + 4));
    buf_add(out, buf_str(&records));
}

static void send_answer(struct server *s, const struct query *q)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, PACKET_MAX);
    answer(s, str_from(q->bytes, q->n), &out);
    sendto(s->fd, out.p, out.n, 0, (const struct sockaddr *)&q->from, sizeof q->from);
}

static void take_query(struct server *s, const struct query *q)
{
    struct str name = str_from(q->bytes + HEADER, q->n - HEADER), both = STR("\4both\4test\0\0");
    if (!str_eq_nocase(str_slice(name, 0, both.n), both)) {
        send_answer(s, q);
        return;
    }
    s->waiting[name.p[both.n] == DNS_AAAA] = *q;
    if (s->waiting[0].n > 0 && s->waiting[1].n > 0) {
        send_answer(s, &s->waiting[0]);
        send_answer(s, &s->waiting[1]);
    }
}

static void *serve(void *context)
{
    struct server *s = context;
    for (;;) {
        struct query q = {.n = 0};
        socklen_t size = sizeof q.from;
        ssize_t n = recvfrom(s->fd, q.bytes, sizeof q.bytes, 0, (struct sockaddr *)&q.from, &size);
        if (n < HEADER + 5)
            return NULL; /* an empty packet: the end */
        q.n = (size_t)n;
        take_query(s, &q);
    }
}

static void server_open(struct server *s, struct sockaddr_in *here)
{
    socklen_t size = sizeof *here;
    *here = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)here, size), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)here, &size), 0);
    s->port = ntohs(here->sin_port);
}

struct scene {
    struct tree tree;
    struct server server;
    struct sockaddr_in here;
    struct dns *dns;
    struct arena arena;
};

static struct dns *clients[10]; /* live as long as the process; so that the leak checker knows */
static size_t client_count;

static void scene_open(struct scene *s)
{
    char config[200];
    server_open(&s->server, &s->here);
    snprintf(config, sizeof config, "[dns]\nserver = 127.0.0.1@%u\n", s->server.port);
    tree_init(&s->tree, config);
    tree_fork(&s->tree, ROLE_DNS, dns_main);
    struct role *relay = tree_client(&s->tree, ROLE_RELAY);
    tree_run(&s->tree);
    assert_int_equal(pthread_create(&s->server.thread, NULL, serve, &s->server), 0);
    s->dns = clients[client_count++] = dns_client(relay);
}

static void scene_close(struct scene *s)
{
    assert_int_equal(tree_stop(&s->tree), 0);
    assert_int_equal(sendto(s->server.fd, "", 0, 0, (struct sockaddr *)&s->here, sizeof s->here), 0);
    pthread_join(s->server.thread, NULL);
    close(s->server.fd);
    tree_free(&s->tree);
    arena_free(&s->arena);
}

static struct dns_answer look_up(struct scene *s, enum dns_type type, const char *name)
{
    struct dns_answer a = {0};
    dns_lookup(s->dns, &(struct dns_question){type, str_from_c(name)}, 1, &s->arena, &a);
    return a;
}

static void answers_of_each_kind(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s);
    struct dns_answer a = look_up(&s, DNS_MX, "example.test");
    assert_int_equal(a.status, DNS_FOUND);
    assert_false(a.secure);
    assert_int_equal(a.count, 2);
    bool first_is_10 = a.records[0].preference == 10;
    assert_true(str_eq(a.records[!first_is_10].data, STR("mx.example.test")));
    assert_true(str_eq(a.records[first_is_10].data, STR("mx2.example.test")));
    assert_int_equal(a.records[first_is_10].preference, 20);

    a = look_up(&s, DNS_A, "mx.example.test.");
    assert_true(a.count == 1 && str_eq(a.records[0].data, STR("127.0.0.9")));
    assert_true(a.canonical.n == 0); /* case and a final dot make no alias */
    a = look_up(&s, DNS_A, "alias.test");
    assert_true(a.count == 1 && str_eq(a.records[0].data, STR("127.0.0.10")));
    assert_true(str_eq(a.canonical, STR("real.test")));
    a = look_up(&s, DNS_CNAME, "alias.test");
    assert_true(a.count == 1 && str_eq(a.records[0].data, STR("real.test")) && a.canonical.n == 0);
    a = look_up(&s, DNS_TXT, "MX.example.test");
    assert_true(a.count == 1 && str_eq(a.records[0].data, STR("abcdef")));
    a = look_up(&s, DNS_MX, "null.test");
    assert_true(a.status == DNS_FOUND && a.count == 1 && a.records[0].data.n == 0);
    assert_int_equal(look_up(&s, DNS_AAAA, "mx.example.test").status, DNS_NO_DATA);
    assert_int_equal(look_up(&s, DNS_MX, "gone.test").status, DNS_NO_NAME);
    assert_int_equal(look_up(&s, DNS_MX, "no name at all").status, DNS_NO_NAME);
    assert_int_equal(look_up(&s, DNS_MX, "").status, DNS_NO_NAME);
    scene_close(&s);
}

static void failures_are_temporary(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s);
    assert_int_equal(look_up(&s, DNS_MX, "fail.test").status, DNS_TEMPORARY);
    assert_int_equal(look_up(&s, DNS_MX, "example.test").status, DNS_FOUND); /* and others go on */
    scene_close(&s);
}

static void questions_of_one_call_are_asked_at_the_same_time(void **state) /* RFC 8305 section 3 */
{
    (void)state;
    struct scene s = {0};
    struct dns_answer a[3] = {0};
    const struct dns_question questions[] = {
        {DNS_AAAA, STR("both.test")}, {DNS_A, STR("both.test")}, {DNS_MX, STR("gone.test")}};
    scene_open(&s);
    dns_lookup(s.dns, questions, 3, &s.arena, a);
    assert_true(a[0].status == DNS_FOUND && a[0].count == 1 && str_eq(a[0].records[0].data, STR("::1")));
    assert_true(a[1].status == DNS_FOUND && a[1].count == 1 &&
                str_eq(a[1].records[0].data, STR("127.0.0.11")));
    assert_int_equal(a[2].status, DNS_NO_NAME);
    scene_close(&s);
}

static void answers_are_remembered(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_open(&s);
    for (int i = 0; i < 20; i++)
        assert_int_equal(look_up(&s, DNS_MX, "example.test").status, DNS_FOUND);
    assert_int_equal(s.server.asked, 1);
    scene_close(&s);
}

static void nonsense_closes_the_channel(void **state)
{
    (void)state;
    struct scene s = {0};
    struct ipc_frame f, got;
    scene_open(&s);
    int channel = tree_connect(&s.tree, ROLE_RELAY, ROLE_DNS);
    ipc_frame_init(&f, DNS_FRAME_LOOKUP);
    ipc_put_u32(&f, 255); /* ANY is nothing that a mail server asks for */
    ipc_put_str(&f, STR("example.test"));
    assert_int_equal(ipc_send(channel, &f, deadline_in(5000)), IPC_OK);
    assert_int_equal(ipc_receive(channel, &got, deadline_in(5000)), IPC_EOF);
    close(channel);
    ipc_frame_free(&f);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_each_kind),
        cmocka_unit_test(failures_are_temporary),
        cmocka_unit_test(questions_of_one_call_are_asked_at_the_same_time),
        cmocka_unit_test(answers_are_remembered),
        cmocka_unit_test(nonsense_closes_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
