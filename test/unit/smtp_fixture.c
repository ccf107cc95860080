#include "smtp_fixture.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* --- the others --- */

struct world world;

bool directory_ask(struct directory *d, const struct directory_question *q, struct arena *a,
                   struct directory_answer *out, struct err *e)
{
    struct str address = q->address;
    (void)d;
    *out = (struct directory_answer){.fate = DIRECTORY_LOCAL,
                                     .targets = ARENA_ARRAY(a, struct directory_target, 3)};
    if (world.directory_is_down)
        return err_set(e, ERR_TEMPORARY, "directory does not answer");
    if (str_eq(address, STR("postmaster")))
        address = STR("ana@ours.test");
    struct str local = address;
    if (str_ends(address, STR("@ours.test")))
        local = str_slice(address, 0, address.n - 10);
    else
        out->fate = DIRECTORY_REMOTE;
    if (str_eq(local, STR("loop"))) {
        out->fate = DIRECTORY_LOOP;
        err_set(e, ERR_PERMANENT, "the alias leads back to itself\r\n250 not a reply of ours");
    } else if (str_starts(local, STR("unknown"))) {
        out->fate = DIRECTORY_UNKNOWN;
        out->reply = STR("5.1.1 no such address here");
    } else if (str_eq(local, STR("group"))) {
        out->fate = DIRECTORY_REFUSED;
        out->reply =
            arena_printf(a, "5.7.2 %.*s (%lld) may not write here", STR_ARGS(q->sender), (long long)q->user);
    } else if (str_eq(local, STR("rewrites"))) {
        out->targets[out->count++] =
            (struct directory_target){.is_local = true, .account = 'r', .address = STR("rewrites@ours.test")};
        out->rewrites = true;
    } else if (str_eq(local, STR("forward"))) {
        out->targets[out->count++] =
            (struct directory_target){.address = STR("z@far.test"), .sender = STR("SRS0=a b@ours.test")};
        out->sender = STR("new name@ours.test");
    } else if (out->fate == DIRECTORY_REMOTE) {
        out->targets[out->count++] = (struct directory_target){.address = address, .detail = STR("")};
    } else if (str_eq(local, STR("pair"))) {
        out->targets[out->count++] =
            (struct directory_target){.is_local = true, .account = 'b', .address = STR("bob@ours.test")};
        out->targets[out->count++] =
            (struct directory_target){.is_local = true, .account = 'f', .address = STR("full@ours.test")};
    } else if (str_eq(local, STR("team"))) {
        out->targets[out->count++] =
            (struct directory_target){.is_local = true, .account = 'a', .address = STR("ana@ours.test")};
        out->targets[out->count++] =
            (struct directory_target){.is_local = true, .account = 'b', .address = STR("bob@ours.test")};
        out->targets[out->count++] = (struct directory_target){.address = STR("x y@far.test")};
    } else {
        out->targets[out->count++] = (struct directory_target){.is_local = true,
                                                               .has_quota = str_starts(local, STR("quota")),
                                                               .account = (unsigned char)local.p[0],
                                                               .address = arena_copy(a, address)};
    }
    return true;
}

bool directory_resolve(struct directory *d, struct str address, struct arena *a, struct directory_answer *out,
                       struct err *e)
{
    const struct directory_question q = {.address = address, .sender = STR("")};
    return directory_ask(d, &q, a, out, e);
}

enum directory_verdict directory_verify(struct directory *d, struct str user, struct str password,
                                        const char *peer, struct directory_login *out)
{
    (void)d, (void)peer;
    *out = (struct directory_login){.wait_s = 30};
    if (str_eq(user, STR("waits")))
        return DIRECTORY_WAIT;
    if (str_eq(user, STR("nobody knows")))
        return DIRECTORY_NO_ANSWER;
    if (!str_eq(user, STR("ana@ours.test")) || !str_eq(password, STR("secret")))
        return DIRECTORY_WRONG;
    out->account = 'a';
    snprintf(out->address, sizeof out->address, "ana@ours.test");
    return DIRECTORY_GOOD;
}

enum directory_verdict directory_scram_first(struct directory *d, struct str message, const char *peer,
                                             struct arena *a, struct directory_scram *out, unsigned *wait_s)
{
    (void)d, (void)peer, (void)wait_s;
    *out = (struct directory_scram){.exchange = 1, .salted = {.salt = STR("salt"), .iterations = 4096}};
    out->salted.nonce = arena_printf(a, "%.*s-and-ours",
                                     STR_ARGS(str_from_offset(message, str_rfind_byte(message, '=') + 1)));
    return DIRECTORY_GOOD;
}

enum directory_verdict directory_scram_final(struct directory *d, uint64_t exchange, struct str message,
                                             const char *peer, unsigned char signature[SCRAM_KEY_BYTES],
                                             struct directory_login *out)
{
    (void)d, (void)exchange, (void)peer;
    memset(signature, 0, SCRAM_KEY_BYTES);
    if (!str_ends(message, STR("p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")))
        return DIRECTORY_WRONG;
    out->account = 'a';
    snprintf(out->address, sizeof out->address, "ana@ours.test");
    return DIRECTORY_GOOD;
}

bool directory_sender(struct directory *d, int64_t account, struct str address, struct directory_sender *out,
                      struct err *e)
{
    (void)d, (void)e;
    bool is_own =
        account == 'a' && str_starts_nocase(address, STR("ana")) && str_ends(address, STR("@ours.test"));
    bool is_boss = account == 'a' && str_eq_nocase(address, STR("boss@ours.test"));
    *out = (struct directory_sender){.settings = world.settings};
    out->right = is_own ? DIRECTORY_SEND_AS : is_boss ? DIRECTORY_SEND_ON_BEHALF : DIRECTORY_SEND_NOT;
    return true;
}

/* old...@ours.test becomes new@far.test, for recipients only. */
bool directory_canonical(struct directory *d, enum directory_canonical kind, struct str address,
                         struct arena *a, struct str *out, struct err *e)
{
    (void)d, (void)a, (void)e;
    bool is_old = kind == DIRECTORY_CANONICAL_RECIPIENT && str_starts_nocase(address, STR("old"));
    *out = is_old ? STR("new@far.test") : STR("");
    return true;
}

static void happens(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void happens(const char *format, ...)
{
    size_t n = strlen(world.events);
    va_list args;
    va_start(args, format);
    int added = vsnprintf(world.events + n, sizeof world.events - n, format, args);
    va_end(args);
    assert_true(added > 0 && n + (size_t)added + 1 < sizeof world.events);
    snprintf(world.events + n + added, sizeof world.events - n - (size_t)added, "\n");
}

static void store(int memfd, uint64_t size, struct str sender)
{
    int seals = fcntl(memfd, F_GET_SEALS);
    assert_int_equal(seals, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_true(size < STORED_MAX);
    world.size = (size_t)pread(memfd, world.bytes, STORED_MAX, 0);
    assert_int_equal(world.size, size);
    snprintf(world.sender, sizeof world.sender, "%.*s", STR_ARGS(sender));
}

static void store_bytes(struct str bytes, struct str sender)
{
    assert_true(bytes.n < STORED_MAX);
    memcpy(world.bytes, bytes.p, bytes.n);
    world.size = bytes.n;
    snprintf(world.sender, sizeof world.sender, "%.*s", STR_ARGS(sender));
}

static void add_to(struct str address)
{
    size_t n = strlen(world.to);
    snprintf(world.to + n, sizeof world.to - n, "%s%.*s", n ? " " : "", STR_ARGS(address));
}

bool delivery_has_room(struct delivery_client *c, struct delivery_recipient *to, uint64_t size)
{
    (void)c;
    bool is_full = str_starts(to->address, STR("quota")) && size > 1000;
    to->fate = is_full ? DELIVERY_PERMANENT : DELIVERY_STORED;
    return !is_full;
}

void delivery_deliver(struct delivery_client *c, const struct delivery_message *m,
                      struct delivery_recipient *to, size_t n)
{
    (void)c;
    for (size_t i = 0; i < n; i++) {
        if (str_starts(to[i].address, STR("full"))) {
            to[i].fate = DELIVERY_TEMPORARY;
            snprintf(to[i].reply, sizeof to[i].reply, "4.2.2 The mailbox is full");
        } else if (str_starts(to[i].address, STR("bad"))) {
            to[i].fate = DELIVERY_PERMANENT;
            snprintf(to[i].reply, sizeof to[i].reply, "5.7.1 Refused by a rule");
        } else if (str_starts(to[i].address, STR("odd"))) {
            to[i].fate = DELIVERY_TEMPORARY;
            snprintf(to[i].reply, sizeof to[i].reply, "250 stored, believe me");
        } else {
            to[i].fate = DELIVERY_STORED;
            world.delivered++;
            assert_true(m->memfd >= 0 || m->bytes.n == m->size);
            if (m->memfd >= 0)
                store(m->memfd, m->size, m->sender);
            else
                store_bytes(m->bytes, m->sender);
            add_to(to[i].address);
            happens("stored %.*s from <%.*s> for %.*s", STR_ARGS(to[i].address), STR_ARGS(m->sender),
                    STR_ARGS(to[i].original));
        }
    }
}

bool delivery_read_report(struct delivery_client *c, const struct delivery_message *m,
                          const struct delivery_recipient *to, struct arena *a, struct tls_summary *out,
                          struct err *e)
{
    (void)c;
    happens("report read by %.*s", STR_ARGS(to->address));
    return tls_summary_of(m->memfd >= 0 ? str_from(world.bytes, world.size) : m->bytes, a, out, e);
}

bool queue_tls_received(struct queue_tls *q, const struct tls_summary *s, struct err *e)
{
    (void)q, (void)e;
    for (size_t i = 0; i < s->count; i++)
        happens("report of %.*s about %.*s: %llu good, %llu failed: %.*s", STR_ARGS(s->organization),
                STR_ARGS(s->domains[i].domain), (unsigned long long)s->domains[i].good,
                (unsigned long long)s->domains[i].failed, STR_ARGS(s->domains[i].failures));
    return true;
}

/* What the envelope holds beside the sender; nothing where nothing was asked. */
static void tell_envelope(const struct queue_message *m)
{
    static const char *const BODIES[] = {"7bit", "8bit", "binary"};
    static const char *const RETURNS[] = {"", " ret=full", " ret=headers"};
    static const char *const BYS[] = {"", " by=return", " by=notify"};
    const struct envelope *e = &m->asked;
    int64_t now = clock_wall();
    char id[ENVELOPE_ID_MAX + 10] = "", when[100] = "", priority[20] = "";
    if (e->id.n > 0)
        snprintf(id, sizeof id, " envid=%.*s", STR_ARGS(e->id));
    if (e->by != ENVELOPE_BY_NONE) /* to the minute: no test hangs on its haste */
        snprintf(when, sizeof when, "+%lldm", (long long)(e->deliver_by - now + 59) / 60);
    if (e->hold_until > 0)
        snprintf(when, sizeof when, " hold+%lldm", (long long)(e->hold_until - now + 59) / 60);
    if (e->priority != 0)
        snprintf(priority, sizeof priority, " priority=%d", e->priority);
    happens("envelope <%.*s> %s%s%s%s%s%s%s%s%s%s", STR_ARGS(m->sender), BODIES[e->body],
            e->is_utf8 ? " utf8" : "", e->requires_tls ? " requiretls" : "", RETURNS[e->ret], id, BYS[e->by],
            when, e->by_trace ? " trace" : "", priority, e->submitter ? " submitted" : "");
}

static void tell_recipient(const struct queue_recipient *r)
{
    static const char *const NOTIFY[] = {"never", "success", "failure", "delay"};
    char notify[100] = "", original[ENVELOPE_ORIGINAL_MAX + 10] = "";
    for (unsigned i = 0; i < 4; i++)
        if (r->asked.notify & 1u << i)
            snprintf(notify + strlen(notify), sizeof notify - strlen(notify), "%s%s",
                     notify[0] ? "," : " notify=", NOTIFY[i]);
    if (r->asked.original.n > 0)
        snprintf(original, sizeof original, " orcpt=%.*s", STR_ARGS(r->asked.original));
    const char *what = r->account == 0                ? "relayed"
                       : r->account == QUEUE_REFUSED  ? "reported"
                       : r->account == QUEUE_STORED   ? "delivered"
                       : r->account == QUEUE_EXPANDED ? "expanded"
                                                      : "queued";
    happens("%s %.*s%s%s%s%.*s", what, STR_ARGS(r->address), notify, original, r->account < 0 ? ": " : "",
            STR_ARGS(r->account < 0 ? r->detail : STR("")));
}

bool queue_enqueue(struct queue_client *q, const struct queue_message *m, int64_t *queue_id, struct err *e)
{
    (void)q;
    if (world.queue_is_down)
        return err_set(e, ERR_TEMPORARY, "queue does not answer");
    *queue_id = 7;
    assert_true(m->body.fd >= 0 || m->body.bytes.n == m->body.size);
    if (m->body.fd >= 0)
        store(m->body.fd, m->body.size, m->sender);
    else
        store_bytes(m->body.bytes, m->sender);
    world.asked = m->asked;
    tell_envelope(m);
    snprintf(world.envid, sizeof world.envid, "%.*s", STR_ARGS(m->asked.id));
    for (size_t i = 0; i < m->count; i++) {
        const struct envelope_recipient *asked = &m->recipients[i].asked;
        world.notify = asked->notify;
        snprintf(world.original, sizeof world.original, "%.*s", STR_ARGS(asked->original));
        world.queued++;
        world.reported += m->recipients[i].account == QUEUE_REFUSED;
        world.retried += m->recipients[i].account > 0;
        snprintf(world.forwarded_as, sizeof world.forwarded_as, "%.*s", STR_ARGS(m->recipients[i].sender));
        add_to(m->recipients[i].address);
        tell_recipient(&m->recipients[i]);
    }
    return true;
}

/* --- a client --- */

#define CONFIG                                                                                           \
    "[server]\nhostname = mail.ours.test\n[tls]\ncertificate = a\nkey = b\n[login]\n"                    \
    "plain_on_loopback = yes\n[smtp]\nmessage_size = 100000\nrecipients = 5\nhops = 3\nno_soliciting = " \
    "org.example:ADV:ADLT a.b:c\n"

static void serve(void *context)
{
    struct client *c = context;
    session_run(&c->server, c->config, &c->connection, c->gate[0]);
    c->has_ended = true;
}

/* The next line, in c->line; false at the end of the connection. */
bool next_line(struct client *c)
{
    for (;;) {
        struct str there = buf_str(&c->in);
        size_t lf = str_find_byte(there, '\n');
        if (lf != STR_NONE) {
            assert_true(lf > 0 && there.p[lf - 1] == '\r' && lf - 1 < sizeof c->line);
            snprintf(c->line, sizeof c->line, "%.*s", (int)lf - 1, there.p);
            buf_consume(&c->in, lf + 1);
            return true;
        }
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        char *to = buf_room(&c->in, 4096);
        ssize_t n = read(c->fd, to, 4096);
        if (n <= 0)
            return false;
        buf_grew(&c->in, (size_t)n);
    }
}

/* Reads a reply and compares the beginning of its last line. */
void hears(struct client *c, const char *want)
{
    do {
        if (!next_line(c))
            fail_msg("the connection closed instead of: %s", want);
        assert_true(strlen(c->line) <= SMTP_REPLY_MAX - 2);
    } while (strlen(c->line) > 3 && c->line[3] == '-');
    if (strncmp(c->line, want, strlen(want)) != 0)
        fail_msg("\"%s\" instead of \"%s\"", c->line, want);
}

void sends(struct client *c, struct str bytes)
{
    assert_int_equal(send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

void says(struct client *c, const char *line, const char *want)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    buf_addf(&out, "%s\r\n", line);
    sends(c, buf_str(&out));
    hears(c, want);
}

/* The reply to EHLO holds this line. */
bool offers(struct client *c, const char *what)
{
    bool found = false;
    sends(c, STR("EHLO client.test\r\n"));
    do {
        assert_true(next_line(c));
        found = found || strcmp(c->line + 4, what) == 0;
    } while (c->line[3] == '-');
    assert_int_equal(strncmp(c->line, "250", 3), 0);
    return found;
}

void dial(struct client *c, enum service service, const char *peer, bool tls)
{
    int ends[2];
    struct err e = ERR_INIT;
    *c = (struct client){.server.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    memset(&world, 0, sizeof world);
    world.settings.language = CONFIG_LANGUAGE_UNSET;
    c->config = config_parse(STR(CONFIG), "/golub.conf", &e);
    if (!c->config)
        fail_msg("%s", e.text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(ipc_pair(c->gate));
    c->fd = ends[1];
    c->connection = (struct connection){
        .fd = ends[0], .service = service, .peer_port = 50000, .local_port = 25, .tls = {.on = tls}};
    snprintf(c->connection.peer, sizeof c->connection.peer, "%s", peer);
    if (tls) {
        snprintf(c->connection.tls.version, sizeof c->connection.tls.version, "TLSv1.3");
        snprintf(c->connection.tls.cipher, sizeof c->connection.tls.cipher, "TLS_AES_256_GCM_SHA384");
    }
    buf_init(&c->in, 1 << 20);
    assert_true(thread_start(serve, c));
    hears(c, service == SERVICE_LMTP ? "220 mail.ours.test LMTP" : "220 mail.ours.test ESMTP");
}

/* A stranger on 25 after EHLO. */
void dial_stranger(struct client *c)
{
    dial(c, SERVICE_SMTP, "192.0.2.1", false);
    says(c, "EHLO client.test", "250 ");
}

/* ana@ours.test on 465. */
void dial_user(struct client *c)
{
    dial(c, SERVICE_SUBMISSIONS, "192.0.2.1", true);
    says(c, "EHLO client.test", "250 ");
    says(c, "AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "235 2.7.0");
}

void hang_up(struct client *c)
{
    shutdown(c->fd, SHUT_WR);
    while (next_line(c))
        continue;
    close(c->fd);
    while (!c->has_ended)
        usleep(1000);
    close(c->gate[0]);
    close(c->gate[1]);
    close(c->server.stop_fd);
    buf_free(&c->in);
    config_free(c->config);
}

/* QUIT where the session is still there. */
void quits(struct client *c)
{
    says(c, "QUIT", "221 2.0.0");
    assert_false(next_line(c));
    hang_up(c);
}

void expect_closed(struct client *c)
{
    assert_false(next_line(c));
    hang_up(c);
}

void envelope(struct client *c, const char *to)
{
    char line[200];
    says(c, "MAIL FROM:<x@far.test>", "250 2.1.0");
    snprintf(line, sizeof line, "RCPT TO:<%s>", to);
    says(c, line, "250 2.1.5");
}
