/* The conversation with another server, word for word: a script is the server's side, and holds the client to
 * what it must say. Lines of a script: "S: " the server says, "C: " the client must say, "B: N" the client
 * sends N bytes of a chunk, "X" the server hangs up. */
#include "check.h"

#include "relay/peer.h"
#include "sasl/prepare.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

/* --- the server's side --- */

struct server {
    const char *script;
    struct stream stream;
    char fault[3000]; /* "" while all was as it should be */
    pthread_t thread;
};

static void fault(struct server *s, const char *what, struct str expected, struct str got)
{
    if (s->fault[0] == '\0')
        snprintf(s->fault, sizeof s->fault, "%s: expected \"%.*s\", got \"%.*s\"", what, STR_ARGS(expected),
                 STR_ARGS(got));
}

static void expect_line(struct server *s, struct str expected)
{
    struct str got = STR("");
    if (stream_read_line(&s->stream, 100000, deadline_in(WAIT_MS), &got, NULL) != STREAM_OK)
        fault(s, "the client is gone", expected, STR(""));
    else if (!str_eq(got, expected))
        fault(s, "another line", expected, got);
}

static void expect_bytes(struct server *s, size_t n)
{
    struct str got;
    while (n > 0 && stream_peek(&s->stream, deadline_in(WAIT_MS), &got) == STREAM_OK) {
        size_t take = got.n < n ? got.n : n;
        stream_take(&s->stream, take);
        n -= take;
    }
    if (n > 0)
        fault(s, "too few bytes", STR(""), STR(""));
}

static void *serve(void *context)
{
    struct server *s = context;
    struct str rest = str_from_c(s->script), line;
    while (rest.n > 0 && s->fault[0] == '\0') {
        uint64_t n = 0;
        str_cut(&rest, '\n', &line);
        if (str_starts(line, STR("S: ")))
            stream_writef(&s->stream, "%.*s\r\n", STR_ARGS(str_from_offset(line, 3)));
        else if (str_starts(line, STR("C: ")))
            expect_line(s, str_from_offset(line, 3));
        else if (str_starts(line, STR("B: ")) && str_to_u64(str_from_offset(line, 3), &n))
            expect_bytes(s, (size_t)n);
        else if (!str_eq(line, STR("X")))
            fault(s, "a bad script", line, STR(""));
    }
    stream_flush(&s->stream, deadline_in(WAIT_MS));
    if (!str_ends(str_from_c(s->script), STR("X\n")) &&
        stream_read_line(&s->stream, 100000, deadline_in(WAIT_MS), &line, NULL) == STREAM_OK)
        fault(s, "more than the script has", STR(""), line);
    stream_close(&s->stream);
    return NULL;
}

/* --- a talk --- */

struct talk {
    struct server server;
    struct peer peer;
    struct transcript log;
    struct arena arena;
    struct err error;
    struct peer_recipient to[4];
    struct envelope asked;
    struct envelope_recipient to_asked[4];
    atomic_bool is_orphan;
    struct peer_message message;
    const char *user, *password, *address;
    bool is_lmtp;
};

static enum peer_result talk_open(struct talk *t, const char *script)
{
    static const struct tls_policy NO_TLS = {.level = TLS_LEVEL_NEVER};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    t->server.script = script;
    stream_open(&t->server.stream, ends[1], STR(""));
    assert_int_equal(pthread_create(&t->server.thread, NULL, serve, &t->server), 0);
    struct peer_target target = {.host = STR("mx.example"),
                                 .address = str_from_c(t->address ? t->address : "192.0.2.1"),
                                 .port = 25,
                                 .hostname = STR("me.example"),
                                 .tls = &NO_TLS,
                                 .is_lmtp = t->is_lmtp,
                                 .user = str_from_c(t->user),
                                 .password = str_from_c(t->password)};
    transcript_begin(&t->log);
    return peer_open(&t->peer, ends[0], &target, &t->log, &t->error);
}

static void compose(struct talk *t, const char *bytes, enum envelope_body body, const char *const *to,
                    size_t n)
{
    t->asked.id = t->asked.id.p ? t->asked.id : STR("");
    for (size_t i = 0; i < n; i++) {
        if (!t->to_asked[i].original.p)
            t->to_asked[i].original = STR("");
        t->to[i] = (struct peer_recipient){.path = str_from_c(to[i]), .asked = &t->to_asked[i]};
    }
    t->message = (struct peer_message){
        .sender = STR("ana@me.example"),
        .asked = &t->asked,
        .body = body,
        .bytes = str_from_c(bytes),
        .recipients = t->to,
        .count = n,
        .is_orphan = &t->is_orphan,
        .arena = &t->arena,
    };
}

/* Opens and sends to bob@there.example. */
static enum peer_sent talk_send(struct talk *t, const char *script, const char *bytes,
                                enum envelope_body body)
{
    assert_int_equal(talk_open(t, script), PEER_OPEN);
    compose(t, bytes, body, (const char *const[]){"bob@there.example"}, 1);
    return peer_send(&t->peer, &t->message, &t->error);
}

static void talk_end(struct talk *t)
{
    peer_close(&t->peer);
    pthread_join(t->server.thread, NULL);
    if (t->server.fault[0] != '\0')
        fail_msg("%s", t->server.fault);
    transcript_free(&t->log);
    arena_free(&t->arena);
}

static void answer_is(const struct talk *t, size_t i, enum queue_fate fate, const char *reply)
{
    assert_true(t->to[i].answered);
    assert_int_equal(t->to[i].fate, fate);
    if (!str_starts(t->to[i].reply, str_from_c(reply)))
        fail_msg("answered \"%.*s\", not \"%s\"", STR_ARGS(t->to[i].reply), reply);
}

/* One message that the server takes, with this answer. */
static void is_sent(const char *script, const char *bytes, enum envelope_body body, const char *reply)
{
    struct talk t = {0};
    assert_int_equal(talk_send(&t, script, bytes, body), PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, reply);
    talk_end(&t);
}

#define BODY "Subject: x\r\n\r\n.dot\r\n"
#define HELLO                   \
    "S: 220 mx.example ESMTP\n" \
    "C: EHLO me.example\n"
#define QUIT "C: QUIT\n"

/* Frames that most scripts share. */
#define PIPELINING   HELLO "S: 250-mx.example\nS: 250 PIPELINING\n"
#define CHUNKING     HELLO "S: 250-mx.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
#define TO_BOB       "C: MAIL FROM:<ana@me.example>\nC: RCPT TO:<bob@there.example>\n"
#define BOB_IN_STEPS "C: MAIL FROM:<ana@me.example>\nS: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\n"
#define BODY_LINES   "C: Subject: x\nC: \nC: ..dot\nC: .\n"

/* --- SMTP --- */

static void a_pipelined_message_with_dsn(void **state) /* RFC 2920 section 5, RFC 3461 section 10 */
{
    (void)state;
    struct talk t = {
        .asked = {.ret = ENVELOPE_RETURN_HEADERS, .id = STR("QQ314159")},
        .to_asked = {{.notify = ENVELOPE_NOTIFY_SUCCESS, .original = STR("rfc822;bob@there.example")}}};
    assert_int_equal(
        talk_send(&t,
                  HELLO "S: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250 DSN\n"
                        "C: MAIL FROM:<ana@me.example> SIZE=20 RET=HDRS ENVID=QQ314159\n"
                        "C: RCPT TO:<bob@there.example> NOTIFY=SUCCESS ORCPT=rfc822;bob@there.example\n"
                        "C: DATA\n"
                        "S: 250 sender ok\nS: 250 recipient ok\nS: 354 go\n" BODY_LINES
                        "S: 250 2.0.0 taken\n" QUIT,
                  BODY, ENVELOPE_7BIT),
        PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, "250 2.0.0 taken");
    talk_end(&t);
}

static void without_pipelining_each_answer_is_waited_for(void **state)
{
    (void)state;
    is_sent(HELLO "S: 500 what?\nC: HELO me.example\nS: 250 mx.example\n" BOB_IN_STEPS
                  "C: DATA\nS: 354 go\n" BODY_LINES "S: 250 ok\n" QUIT,
            BODY, ENVELOPE_7BIT, "250");
}

static void each_recipient_has_its_own_answer(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_open(&t, PIPELINING
                               "C: MAIL FROM:<ana@me.example>\nC: RCPT TO:<a@x>\nC: RCPT TO:<b@x>\n"
                               "C: RCPT TO:<c@x>\nC: RCPT TO:<d@x>\nC: DATA\n"
                               "S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 451 4.2.0 later\n"
                               "S: 552 too many\nS: 354 go\n" BODY_LINES "S: 250 ok\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"a@x", "b@x", "c@x", "d@x"}, 4);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, "250");
    answer_is(&t, 1, QUEUE_FAILED, "550 5.1.1 no");
    answer_is(&t, 2, QUEUE_DEFERRED, "451 4.2.0 later");
    answer_is(&t, 3, QUEUE_DEFERRED, "552 too many"); /* RFC 5321 section 4.5.3.1.10 */
    talk_end(&t);
}

/* --- BDAT: RFC 3030 --- */

static void a_small_message_leaves_with_its_envelope(void **state)
{
    (void)state;
    is_sent(CHUNKING TO_BOB "C: BDAT 20 LAST\nC: Subject: x\nC: \nC: .dot\n"
                            "S: 250 ok\nS: 250 ok\nS: 250 2.0.0 taken\n" QUIT,
            BODY, ENVELOPE_7BIT, "250 2.0.0 taken");
}

static void nobody_accepted_and_the_next_message_begins_anew(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t,
                               CHUNKING TO_BOB
                               "C: BDAT 20 LAST\nB: 20\n"
                               "S: 250 ok\nS: 550 5.1.1 no\nS: 503 5.5.1 no recipients\n"
                               "C: RSET\nC: MAIL FROM:<ana@me.example>\nC: RCPT TO:<eve@there.example>\n"
                               "C: BDAT 20 LAST\nB: 20\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 taken\n" QUIT,
                               BODY, ENVELOPE_7BIT),
                     PEER_SENT);
    answer_is(&t, 0, QUEUE_FAILED, "550 5.1.1 no");
    assert_false(t.peer.no_chunking);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"eve@there.example"}, 1);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, "250 taken");
    talk_end(&t);
}

static void a_large_message_waits_for_somebody_to_take_it(void **state)
{
    (void)state;
    static char bytes[70002 + 1];
    for (size_t i = 0; i < 70000; i += 10)
        memcpy(bytes + i, "12345678\r\n", 10);
    is_sent(CHUNKING TO_BOB "S: 250 ok\nS: 250 ok\nC: BDAT 70000\nB: 70000\nS: 250 so far\n"
                            "C: BDAT 0 LAST\nS: 250 taken\n" QUIT,
            bytes, ENVELOPE_7BIT, "250 taken");
}

static void a_server_that_does_not_know_bdat_after_all_gets_data_next_time(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t,
                               CHUNKING TO_BOB
                               "C: BDAT 20 LAST\nB: 20\nS: 250 ok\nS: 250 ok\nS: 500 5.5.1 BDAT?\n" QUIT,
                               BODY, ENVELOPE_7BIT),
                     PEER_SENT);
    answer_is(&t, 0, QUEUE_DEFERRED, "500 5.5.1 BDAT?");
    assert_true(t.peer.no_chunking);
    talk_end(&t);
}

static void what_is_not_made_of_lines_goes_by_data(void **state)
{
    (void)state;
    is_sent(CHUNKING TO_BOB "C: DATA\n"
                            "S: 250 ok\nS: 250 ok\nS: 354 go\nC: a\nC: ..\nC: b\nC: .\nS: 250 ok\n" QUIT,
            "a\n.\r\nb", ENVELOPE_7BIT, "250");
}

static void binary_parts_go_as_they_are(void **state) /* RFC 3030 section 4.2 */
{
    (void)state;
    is_sent(HELLO "S: 250-mx.example\nS: 250-8BITMIME\nS: 250-BINARYMIME\nS: 250 CHUNKING\n"
                  "C: MAIL FROM:<ana@me.example> BODY=BINARYMIME\nS: 250 ok\n"
                  "C: RCPT TO:<bob@there.example>\nS: 250 ok\n"
                  "C: BDAT 5\nB: 5\nS: 250 so far\nC: BDAT 0 LAST\nS: 250 taken\n" QUIT,
            "a\nb\rc", ENVELOPE_BINARY, "250 taken");
}

/* --- what is not offered --- */

static void eight_bits_are_converted(void **state)
{
    (void)state;
    is_sent(HELLO "S: 250 mx.example\n" BOB_IN_STEPS "C: DATA\nS: 354 go\nC: MIME-Version: 1.0\n"
                  "C: Content-Transfer-Encoding: quoted-printable\nC: \nC: =C4=8D\nC: .\n"
                  "S: 250 ok\n" QUIT,
            "MIME-Version: 1.0\r\n\r\n\u010d\r\n", ENVELOPE_8BIT, "250");
}

static void what_is_signed_is_not_and_fails(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t, HELLO "S: 250 mx.example\n" QUIT,
                               "MIME-Version: 1.0\r\nContent-Type: multipart/signed; "
                               "boundary=b\r\n\r\n--b\r\n\r\n\u010d\r\n--b--\r\n",
                               ENVELOPE_8BIT),
                     PEER_SENT);
    answer_is(&t, 0, QUEUE_FAILED, "5.6.3 mx.example[192.0.2.1]: ");
    talk_end(&t);
}

static void an_address_in_utf8_fails_alone(void **state) /* RFC 6531 section 3.5 */
{
    (void)state;
    struct talk t = {.asked = {.is_utf8 = true}};
    assert_int_equal(talk_open(&t,
                               PIPELINING "C: MAIL FROM:<ana@me.example>\nC: RCPT TO:<b@x>\nC: DATA\n"
                                          "S: 250 ok\nS: 250 ok\nS: 354 go\n" BODY_LINES "S: 250 ok\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"\u010d@x", "b@x"}, 2);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_FAILED, "5.6.7 mx.example[192.0.2.1]: ");
    answer_is(&t, 1, QUEUE_SENT, "250");
    talk_end(&t);
}

static void an_address_in_utf8_where_it_is_offered(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_open(&t, HELLO "S: 250-mx.example\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n"
                                         "C: MAIL FROM:<ana@me.example> SMTPUTF8\nS: 250 ok\n"
                                         "C: RCPT TO:<\u010d@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY_LINES
                                         "S: 250 ok\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"\u010d@x"}, 1);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, "250");
    talk_end(&t);
}

static void a_header_in_utf8_fails_all(void **state) /* RFC 6531 section 3.2 */
{
    (void)state;
    struct talk t = {.asked = {.is_utf8 = true}};
    assert_int_equal(talk_send(&t, HELLO "S: 250-mx.example\nS: 250 8BITMIME\n" QUIT,
                               "Subject: \u010d\r\n\r\nx\r\n", ENVELOPE_8BIT),
                     PEER_SENT);
    answer_is(&t, 0, QUEUE_FAILED, "5.6.7 mx.example[192.0.2.1]: ");
    talk_end(&t);
}

static void limits_are_kept(void **state) /* RFC 9422 section 4 */
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_open(&t, HELLO
                               "S: 250-mx.example\nS: 250 LIMITS RCPTMAX=2 MAILMAX=2\n"
                               "C: MAIL FROM:<ana@me.example>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\n"
                               "C: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY_LINES "S: 250 ok\n"
                               "C: MAIL FROM:<ana@me.example>\nS: 250 ok\nC: RCPT TO:<c@x>\nS: 250 ok\n"
                               "C: DATA\nS: 354 go\n" BODY_LINES "S: 250 ok\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"a@x", "b@x", "c@x"}, 3);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    assert_true(t.to[0].answered && t.to[1].answered && !t.to[2].answered);
    assert_false(peer_is_used_up(&t.peer));
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 2, QUEUE_SENT, "250");
    assert_true(peer_is_used_up(&t.peer));
    talk_end(&t);
}

/* --- LMTP --- */

static void lmtp_answers_for_each(void **state) /* RFC 2033 section 4.2's example */
{
    (void)state;
    struct talk t = {.is_lmtp = true};
    assert_int_equal(talk_open(&t, "S: 220 foo.edu LMTP server ready\nC: LHLO me.example\n"
                                   "S: 250-foo.edu\nS: 250-PIPELINING\nS: 250 SIZE\n"
                                   "C: MAIL FROM:<ana@me.example> SIZE=20\nC: RCPT TO:<pat@foo.edu>\n"
                                   "C: RCPT TO:<jones@foo.edu>\nC: RCPT TO:<green@foo.edu>\nC: DATA\n"
                                   "S: 250 OK\nS: 250 OK\nS: 550 No such user here\nS: 250 OK\n"
                                   "S: 354 Start mail input; end with <CRLF>.<CRLF>\n" BODY_LINES
                                   "S: 250 OK\nS: 452 <green@foo.edu> is temporarily over quota\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"pat@foo.edu", "jones@foo.edu", "green@foo.edu"},
            3);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_SENT, "250 OK");
    answer_is(&t, 1, QUEUE_FAILED, "550 No such user here");
    answer_is(&t, 2, QUEUE_DEFERRED, "452 <green@foo.edu>");
    talk_end(&t);
}

static void lmtp_without_recipients_has_no_end(void **state)
{
    (void)state;
    struct talk t = {.is_lmtp = true};
    assert_int_equal(talk_open(&t, "S: 220 foo.edu\nC: LHLO me.example\nS: 250-foo.edu\nS: 250 PIPELINING\n"
                                   "C: MAIL FROM:<ana@me.example>\nC: RCPT TO:<pat@foo.edu>\nC: DATA\n"
                                   "S: 250 OK\nS: 550 no\nS: 503 no valid recipients\n" QUIT),
                     PEER_OPEN);
    compose(&t, BODY, ENVELOPE_7BIT, (const char *const[]){"pat@foo.edu"}, 1);
    assert_int_equal(peer_send(&t.peer, &t.message, &t.error), PEER_SENT);
    answer_is(&t, 0, QUEUE_FAILED, "550 no");
    talk_end(&t);
}

/* --- AUTH --- */

static void transcript_lacks(const struct talk *t, const char *secret)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str text = transcript_text(&t->log, &a);
    assert_true(str_find(text, str_from_c(secret)) == STR_NONE);
    assert_true(str_find(text, STR("> AUTH ")) != STR_NONE);
}

static void a_login_over_loopback(void **state) /* RFC 4954 section 4 */
{
    (void)state;
    struct talk t = {.user = "tim", .password = "tanstaaftanstaaf", .address = "127.0.0.1"};
    assert_int_equal(talk_send(&t,
                               HELLO
                               "S: 250-mx.example\nS: 250 AUTH PLAIN LOGIN\n"
                               "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 2.7.0 welcome\n"
                               "C: MAIL FROM:<ana@me.example> AUTH=<>\nS: 250 ok\n"
                               "C: RCPT TO:<bob@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY_LINES
                               "S: 250 ok\n" QUIT,
                               BODY, ENVELOPE_7BIT),
                     PEER_SENT);
    transcript_lacks(&t, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    talk_end(&t);
}

static void login_is_the_last_choice(void **state)
{
    (void)state;
    struct talk t = {.user = "tim", .password = "secret", .address = "::1"};
    assert_int_equal(talk_open(&t, HELLO "S: 250-mx.example\nS: 250 AUTH LOGIN GSSAPI\n"
                                         "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dGlt\nS: 334 UGFzc3dvcmQ6\n"
                                         "C: c2VjcmV0\nS: 235 welcome\n" QUIT),
                     PEER_OPEN);
    transcript_lacks(&t, "c2VjcmV0");
    talk_end(&t);
}

static void not_opened(struct talk *t, const char *script, const char *reason)
{
    assert_int_equal(talk_open(t, script), PEER_NOT_OPEN);
    assert_int_equal(t->error.kind, ERR_TEMPORARY);
    if (!str_starts(str_from_c(t->error.text), str_from_c(reason)))
        fail_msg("\"%s\", not \"%s\"", t->error.text, reason);
    talk_end(t);
}

static void no_login_where_it_would_be_seen_or_is_refused(void **state)
{
    (void)state;
    struct talk t = {.user = "tim", .password = "secret"};
    not_opened(&t, HELLO "S: 250-mx.example\nS: 250 AUTH PLAIN\n", "4.7.11 mx.example[192.0.2.1]");
    t = (struct talk){.user = "tim", .password = "secret", .address = "127.0.0.1"};
    not_opened(&t, HELLO "S: 250-mx.example\nS: 250 AUTH GSSAPI\n", "4.7.0 mx.example[127.0.0.1]");
    t = (struct talk){.user = "tim", .password = "secret", .address = "127.0.0.1"};
    not_opened(
        &t, HELLO "S: 250-mx.example\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHRpbQBzZWNyZXQ=\nS: 535 5.7.8 no\n",
        "4.7.8 mx.example[127.0.0.1] does not let us in: 535 5.7.8 no");
    t = (struct talk){.user = "tim", .password = "secret", .address = "127.0.0.1"};
    not_opened(&t,
               HELLO "S: 250-mx.example\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dGlt\n"
                     "S: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 334 bW9yZT8=\nC: *\nS: 501 cancelled\n",
               "4.7.8 mx.example[127.0.0.1]: AUTH: ");
}

/* --- servers that break off --- */

static void who_answers_421_is_left(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t,
                               PIPELINING TO_BOB "C: DATA\n"
                                                 "S: 421 4.3.2 closing\nX\n",
                               BODY, ENVELOPE_7BIT),
                     PEER_BROKEN);
    assert_true(!t.to[0].answered && t.peer.is_busy && !t.peer.is_open);
    talk_end(&t);
    t = (struct talk){0};
    not_opened(&t, "S: 421 too many connections from you\n",
               "4.3.2 mx.example[192.0.2.1] answered our connection");
    assert_true(t.peer.is_busy);
    t = (struct talk){0};
    not_opened(&t, "S: 554 not you\n", "4.3.2 mx.example[192.0.2.1] answered our connection");
    assert_false(t.peer.is_busy);
}

static void after_the_dot_it_may_have_arrived(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t,
                               PIPELINING TO_BOB "C: DATA\n"
                                                 "S: 250 ok\nS: 250 ok\nS: 354 go\n" BODY_LINES "X\n",
                               BODY, ENVELOPE_7BIT),
                     PEER_LOST);
    answer_is(&t, 0, QUEUE_DEFERRED, "4.4.2 mx.example[192.0.2.1] closed the connection at end of data");
    talk_end(&t);
}

static void before_the_dot_it_has_not(void **state)
{
    (void)state;
    struct talk t = {0};
    assert_int_equal(talk_send(&t,
                               PIPELINING TO_BOB "C: DATA\n"
                                                 "S: 250 ok\nS: 250 ok\nX\n",
                               BODY, ENVELOPE_7BIT),
                     PEER_BROKEN);
    assert_false(t.to[0].answered);
    talk_end(&t);
}

static void a_message_that_nobody_waits_for_is_not_ended(void **state)
{
    (void)state;
    struct talk t = {.is_orphan = true};
    assert_int_equal(talk_send(&t,
                               PIPELINING TO_BOB "C: DATA\n"
                                                 "S: 250 ok\nS: 250 ok\nS: 354 go\n",
                               BODY, ENVELOPE_7BIT),
                     PEER_BROKEN);
    assert_false(t.to[0].answered);
    pthread_join(t.server.thread, NULL);
    assert_true(t.server.fault[0] == '\0' || strstr(t.server.fault, "Subject: x")); /* its dot did not come */
    transcript_free(&t.log);
    arena_free(&t.arena);
}

int main(void)
{
    sasl_prepare_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipelined_message_with_dsn),
        cmocka_unit_test(without_pipelining_each_answer_is_waited_for),
        cmocka_unit_test(each_recipient_has_its_own_answer),
        cmocka_unit_test(a_small_message_leaves_with_its_envelope),
        cmocka_unit_test(nobody_accepted_and_the_next_message_begins_anew),
        cmocka_unit_test(a_large_message_waits_for_somebody_to_take_it),
        cmocka_unit_test(a_server_that_does_not_know_bdat_after_all_gets_data_next_time),
        cmocka_unit_test(what_is_not_made_of_lines_goes_by_data),
        cmocka_unit_test(binary_parts_go_as_they_are),
        cmocka_unit_test(eight_bits_are_converted),
        cmocka_unit_test(what_is_signed_is_not_and_fails),
        cmocka_unit_test(an_address_in_utf8_fails_alone),
        cmocka_unit_test(an_address_in_utf8_where_it_is_offered),
        cmocka_unit_test(a_header_in_utf8_fails_all),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(lmtp_answers_for_each),
        cmocka_unit_test(lmtp_without_recipients_has_no_end),
        cmocka_unit_test(a_login_over_loopback),
        cmocka_unit_test(login_is_the_last_choice),
        cmocka_unit_test(no_login_where_it_would_be_seen_or_is_refused),
        cmocka_unit_test(who_answers_421_is_left),
        cmocka_unit_test(after_the_dot_it_may_have_arrived),
        cmocka_unit_test(before_the_dot_it_has_not),
        cmocka_unit_test(a_message_that_nobody_waits_for_is_not_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
