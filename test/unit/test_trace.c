/* The trace: lines and their tokens, blocks and their filters, what a crash leaves, expiry, and questions. */
#include "base/clock.h"
#include "base/mem.h"
#include "check.h"
#include "folder.h"
#include "trace/ask.h"
#include "trace/writer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY   ((int64_t)24 * 3600 * 1000)
#define START ((int64_t)1795700000000) /* 2026-11-26T13:33:20Z */
#define ID_A  "0123456789abcdef0123456789abcdef"
#define ID_B  "fedcba9876543210fedcba9876543210"
#define ID_C  "00112233445566778899aabbccddeeff"

static const struct trace_limits LIMITS = {.days = 30, .bytes = (uint64_t)1 << 30};

static void assert_str(struct str got, const char *expected)
{
    if (!str_eq(got, str_from_c(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARGS(got), expected);
}

/* --- lines --- */

static void reads_a_line(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct trace_line l;
    assert_true(
        trace_line_read(STR("2026-11-26T13:33:20.007Z info account[412] message.stored from=a@example.org "
                            "size=4096 empty=\"\" said=\"two \\\"words\\\"\\u000a\\\\\" last=x"),
                        &a, &l));
    assert_int_equal(l.at, START + 7);
    assert_str(l.role, "account");
    assert_str(l.event, "message.stored");
    assert_int_equal(l.count, 5);
    assert_str(trace_line_get(&l, STR("size")), "4096");
    assert_str(trace_line_get(&l, STR("empty")), "");
    assert_str(trace_line_get(&l, STR("said")), "two \"words\"\n\\");
    assert_str(trace_line_get(&l, STR("last")), "x");
    assert_str(trace_line_get(&l, STR("none")), "");
    assert_true(l.fields[2].is_quoted && !l.fields[0].is_quoted);
}

static void reads_what_log_writes(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    int ends[2];
    char bytes[LOG_LINE_MAX];
    struct trace_line l;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON); /* the trace gets text, whatever is logged and how */
    log_trace(ends[1]);
    log_identify("smtp");
    LOG_DEBUG("message.odd", F_C("k", "tab\t \"quoted\" = \x7f \\"), F_INT("n", -5), F_STR("e", STR("")));
    LOG_INFO("mailbox.full", F_C("not", "about a message on its way"));
    LOG_TRACE("relay.talk", F_C("transcript", "1 > QUIT\n2 < 221\n"));
    const struct log_field more = F_C("transcript", "3 > .\n"), to = F_C("to", "a@b.test");
    log_event_and_more("relay.sent", &to, 1, &more);
    log_event_and_more("relay.sent", &to, 1, NULL);
    log_trace(-1);
    LOG_INFO("message.unheard", F_C("nobody", "listens"));
    ssize_t n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0 && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
    assert_str(l.role, "smtp");
    assert_str(l.level, "debug");
    assert_str(l.event, "message.odd");
    assert_str(trace_line_get(&l, STR("k")), "tab\t \"quoted\" = \x7f \\");
    assert_str(trace_line_get(&l, STR("n")), "-5");
    n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0 && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
    assert_str(l.event, "relay.talk");
    assert_str(trace_line_get(&l, STR("transcript")), "1 > QUIT\n2 < 221\n");
    n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0 && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
    assert_str(trace_line_get(&l, STR("to")), "a@b.test");
    assert_str(trace_line_get(&l, STR("transcript")), "3 > .\n");
    n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0 && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
    assert_int_equal(l.count, 1);
    assert_true(recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT) < 0);
    close(ends[0]);
    close(ends[1]);
}

/* What is too long is cut, never within an escape. */
static void long_values_are_cut(void **state)
{
    (void)state;
    static const char *const PIECES[] = {"x y", "\"", "\n", "a line of many words\n", "\x01 and \\"};
    static char bytes[LOG_TRACE_MAX + 1];
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    log_trace(ends[1]);
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        CLEAN_BUF struct buf value;
        struct trace_line l;
        buf_init(&value, BUF_MAX_DEFAULT);
        while (value.n <= LOG_TRACE_MAX)
            buf_add_c(&value, PIECES[i]);
        LOG_TRACE("relay.talk", F_STR("transcript", buf_str(&value)));
        ssize_t n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
        assert_in_range(n, LOG_TRACE_MAX - 20, LOG_TRACE_MAX);
        assert_true(bytes[n - 1] == '"' && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
        struct str got = trace_line_get(&l, STR("transcript"));
        assert_true(got.n > LOG_TRACE_MAX / 7 && str_starts(buf_str(&value), got));
    }
    log_trace(-1);
    close(ends[0]);
    close(ends[1]);
}

/* Whoever logs never waits; what found no room is counted by the next line that does. */
static void counts_what_found_no_room(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    int ends[2], said = 0, heard = 0, room = 4096;
    char bytes[LOG_LINE_MAX];
    struct trace_line l;
    ssize_t n;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    log_trace(ends[1]);
    for (; said < 1000; said++)
        LOG_DEBUG("queue.flood", F_INT("n", said));
    while ((n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        heard++;
    assert_in_range(heard, 1, said - 1);
    LOG_DEBUG("queue.after", F_C("the", "flood"));
    n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0 && trace_line_read(str_from(bytes, (size_t)n), &a, &l));
    uint64_t lost;
    assert_true(str_to_u64(trace_line_get(&l, STR(LOG_TRACE_LOST)), &lost));
    assert_int_equal(lost, said - heard);
    log_trace(-1);
    close(ends[0]);
    close(ends[1]);
}

static void refuses_other_lines(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct trace_line l;
    static const char *const BAD[] = {
        "",
        "x",
        "2026-11-26T13:33:20.007Z",
        "2026-13-26T13:33:20.007Z info a[1] e.f",
        "2026-11-26 13:33:20.007Z info a[1] e.f",
        "2026-11-26T13:33:20.007Z info a[1] ",
        "2026-11-26T25:33:20.007Z info a[1] e.f",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(trace_line_read(str_from_c(BAD[i]), &a, &l));
    /* Cut in the middle of a value, of an escape, of a key. */
    assert_true(trace_line_read(STR("2026-11-26T13:33:20.007Z info a[1] e.f k=\"v\\"), &a, &l));
    assert_int_equal(l.count, 1);
    assert_true(trace_line_read(STR("2026-11-26T13:33:20.007Z info a[1] e.f k=v ke"), &a, &l));
    assert_int_equal(l.count, 1);
}

/* --- tokens --- */

static bool is_found(const char *fields, const char *question)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_TOKENS struct trace_tokens wanted = {0};
    struct trace_line l;
    struct str text = arena_printf(&a, "2026-11-26T13:33:20.007Z info smtp[1] message.x %s", fields);
    assert_true(trace_line_read(text, &a, &l));
    assert_true(trace_tokens_of_question(str_from_c(question), &wanted));
    return trace_tokens_match(&wanted, &l);
}

static void finds_by_what_people_know(void **state)
{
    (void)state;
    assert_true(is_found("from=Ana@Example.org", "ana@example.ORG"));
    assert_true(is_found("to=x@a.test,ana@example.org,y@b.test", "ana@example.org"));
    assert_true(is_found("to=x@a.test,y@b.test", "@b.test"));
    assert_true(is_found("msgid=<1.2@host>", "<1.2@host>"));
    assert_true(is_found("msgid=<1.2@host>", "1.2@host"));
    assert_true(is_found("msgid=<odd>", "<odd>"));
    assert_true(is_found("id=" ID_A, ID_A));
    assert_true(is_found("delivery=" ID_A, ID_A));
    assert_true(is_found("id=42", "42"));
    assert_true(is_found("queue=42 id=" ID_A, "42"));
    assert_false(is_found("queue=42", "43"));
    assert_false(is_found("queue=0", "42"));
    assert_false(is_found("size=42", "42"));
    assert_false(is_found("from=ana@example.org", "na@example.org"));
    assert_false(is_found("from=ana@example.org", "@org"));
    assert_false(is_found("id=" ID_A, ID_B));
    assert_false(is_found("helo=ana@example.org", "ana@example.org"));
    CLEAN_TOKENS struct trace_tokens none = {0};
    assert_false(trace_tokens_of_question(STR(""), &none));
    assert_false(trace_tokens_of_question(STR("0"), &none));
    assert_false(trace_tokens_of_question(STR("@"), &none));
    assert_false(trace_tokens_of_question(STR("words"), &none));
}

/* --- blocks --- */

static struct str line_at(struct arena *a, int64_t at, const char *rest)
{
    time_t t = (time_t)(at / 1000);
    struct tm tm;
    char day[40];
    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    return arena_printf(a, "%s.%03dZ info smtp[1] %s", day, (int)(at % 1000), rest);
}

static struct str some_lines(struct arena *a, int n)
{
    struct buf all;
    buf_init(&all, TRACE_BLOCK_LINES_MAX);
    for (int i = 0; i < n; i++) {
        struct str l =
            line_at(a, START + i, arena_printf(a, "message.x from=u%d@example.org id=%d", i, i + 1).p);
        buf_add(&all, l);
        buf_add_byte(&all, '\n');
    }
    struct str copy = arena_copy(a, buf_str(&all));
    buf_free(&all);
    return copy;
}

static void blocks_come_back(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    struct str lines = some_lines(&a, 500), back;
    struct trace_block b;
    for (int packed = 0; packed < 2; packed++) {
        buf_init(&out, TRACE_BLOCK_MAX);
        trace_block_write(lines, packed, 7, &a, &out);
        assert_true(trace_block_read(buf_str(&out), &b));
        assert_int_equal(trace_block_size(&b), out.n);
        assert_int_equal(b.number, 7);
        assert_int_equal(b.first, START);
        assert_int_equal(b.last, START + 499);
        assert_true(trace_block_lines(&b, buf_str(&out), &a, &back));
        assert_true(str_eq(back, lines));
        if (packed)
            assert_true(out.n < lines.n / 3);
        for (size_t i = 0; i < out.n; i += 97) { /* any byte that is another is noticed */
            struct trace_block other;
            out.p[i] ^= 0x10;
            assert_false(
                trace_block_read(buf_str(&out), &other) &&
                trace_block_lines(&other, str_slice(buf_str(&out), 0, trace_block_size(&other)), &a, &back));
            out.p[i] ^= 0x10;
        }
        buf_free(&out);
    }
    buf_init(&out, 0);
}

static void the_filter_spares_blocks(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    struct trace_block b;
    size_t in_vain = 0;
    buf_init(&out, TRACE_BLOCK_MAX);
    trace_block_write(some_lines(&a, 500), true, 1, &a, &out);
    assert_true(trace_block_read(buf_str(&out), &b));
    struct str filter = str_slice(str_from_offset(buf_str(&out), TRACE_BLOCK_HEADER), 0, b.filter);
    for (int i = 0; i < 5000; i++) {
        CLEAN_TOKENS struct trace_tokens t = {0};
        trace_tokens_of_question(arena_printf(&a, "u%d@example.org", i), &t);
        t.n = 1; /* the address alone */
        CLEAN_TOKENS struct trace_tokens both = {0};
        trace_tokens_of_question(arena_printf(&a, "u%d@example.org", i), &both);
        if (i < 500)
            assert_true(trace_block_may_have(&b, filter, &both));
        else
            in_vain += trace_block_may_have(&b, filter, &both);
    }
    assert_in_range(in_vain, 0, 30); /* of 4,500, with two tokens each */
}

/* --- files --- */

struct room {
    struct folder folder;
    char *trace;
    struct arena arena;
    struct err e;
};

static void make_room(struct room *r)
{
    *r = (struct room){0};
    folder_make(&r->folder);
    r->trace = trace_folder(str_from_c(r->folder.path));
}

static void leave_room(struct room *r)
{
    free(r->trace);
    arena_free(&r->arena);
    folder_remove(&r->folder);
}

static struct trace_writer *open_writer(struct room *r, struct trace_limits limits, int64_t now)
{
    struct trace_writer *w = trace_writer_open(r->trace, limits, now, &r->e);
    if (!w)
        fail_msg("%s", r->e.text);
    return w;
}

static void say(struct room *r, struct trace_writer *w, int64_t at, const char *rest)
{
    if (!trace_writer_add(w, line_at(&r->arena, at, rest), at, &r->e))
        fail_msg("%s", r->e.text);
}

static void ask_between(struct room *r, const char *typed, int64_t since, int64_t until, size_t limit,
                        struct trace_answer *out)
{
    struct trace_question q = {.typed = str_from_c(typed), .since = since, .until = until, .limit = limit};
    if (!trace_ask(r->trace, &q, out, &r->e))
        fail_msg("%s", r->e.text);
}

static void ask(struct room *r, const char *typed, struct trace_answer *out)
{
    ask_between(r, typed, 0, INT64_MAX, 100000, out);
}

static size_t count_lines(struct room *r, const char *typed)
{
    CLEAN_TRACE_ANSWER struct trace_answer answer;
    size_t n = 0;
    ask(r, typed, &answer);
    for (size_t i = 0; i < answer.count; i++)
        n += answer.messages[i].count;
    return n;
}

/* What was saved is there, also while the writer goes on, and after it was killed; what was not is not. */
static void saved_is_kept(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    assert_int_equal(count_lines(&r, "a@x.test"), 0); /* no folder yet */
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    say(&r, w, START, "message.refused from=a@x.test");
    assert_int_equal(count_lines(&r, "a@x.test"), 0);
    assert_true(trace_writer_has_unsaved(w));
    assert_true(trace_writer_save(w, START, &r.e));
    assert_false(trace_writer_has_unsaved(w));
    assert_int_equal(count_lines(&r, "a@x.test"), 1);
    say(&r, w, START + 1, "message.refused from=a@x.test");
    assert_true(trace_writer_save(w, START, &r.e));
    say(&r, w, START + 2, "message.refused from=a@x.test");
    trace_writer_close(w);
    assert_int_equal(count_lines(&r, "a@x.test"), 2);
    w = open_writer(&r, LIMITS, START + 3);
    say(&r, w, START + 3, "message.refused from=a@x.test");
    assert_true(trace_writer_save(w, START, &r.e));
    assert_int_equal(count_lines(&r, "a@x.test"), 3);
    trace_writer_close(w);
    leave_room(&r);
}

/* Many blocks, most of them packed, and a reader after every few lines, which sees all that was saved. */
static void readers_see_every_saved_line(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    for (int i = 0; i < 4000; i++) {
        say(&r, w, START + i,
            "message.refused from=a@x.test to=somebody.with.a.long.name@y.test peer=192.0.2.1");
        if (i % 250 == 0) {
            assert_true(trace_writer_save(w, START + i, &r.e));
            assert_int_equal(count_lines(&r, "a@x.test"), i + 1);
        }
        arena_reset(&r.arena);
    }
    trace_writer_close(w);
    leave_room(&r);
}

static uint64_t size_of(struct room *r, const char *path)
{
    struct stat st;
    (void)r;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

/* A file that ends anywhere: all whole blocks are read, and the next writer goes on behind them. */
static void torn_tails_are_skipped(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    for (int i = 0; i < 3; i++) {
        say(&r, w, START + i, "message.refused from=a@x.test");
        assert_true(trace_writer_save(w, START, &r.e));
    }
    trace_writer_close(w);
    const char *path = arena_copy_c(&r.arena, str_from_c(trace_file_path(r.trace, START, &r.arena)));
    uint64_t whole = size_of(&r, path);
    for (uint64_t cut = 1; cut < whole; cut += 5) {
        assert_int_equal(truncate(path, (off_t)(whole - cut)), 0);
        size_t left = (whole - cut) / (whole / 3);
        assert_int_equal(count_lines(&r, "a@x.test"), left);
        assert_int_equal(truncate(path, (off_t)whole), 0); /* zeros, as a crash may leave them */
        assert_int_equal(count_lines(&r, "a@x.test"), left);
        w = open_writer(&r, LIMITS, START);
        for (size_t i = left; i < 3; i++) {
            say(&r, w, START + (int64_t)i, "message.refused from=a@x.test");
            assert_true(trace_writer_save(w, START, &r.e));
        }
        trace_writer_close(w);
        assert_int_equal(count_lines(&r, "a@x.test"), 3);
        assert_int_equal(size_of(&r, path), whole);
    }
    leave_room(&r);
}

static size_t count_files(struct room *r)
{
    CLEAN_TRACE_FILES struct trace_files files;
    assert_true(trace_files_list(r->trace, &files, &r->e));
    return files.n;
}

static void old_files_go(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    for (int day = 0; day < 40; day++) {
        say(&r, w, START + day * DAY, "message.refused from=a@x.test");
        assert_true(trace_writer_save(w, START + day * DAY, &r.e));
        trace_writer_expire(w, START + day * DAY);
    }
    CLEAN_TRACE_ANSWER struct trace_answer answer;
    ask(&r, "a@x.test", &answer);
    assert_in_range(answer.count, 30, 33);
    assert_true(answer.messages[0].lines[0].at >= START + 7 * DAY);
    trace_writer_expire(w, START + 200 * DAY);
    assert_in_range(count_files(&r), 0, 1);
    trace_writer_close(w);
    w = open_writer(&r, LIMITS, START + 300 * DAY); /* a server that was down for long */
    assert_int_equal(count_lines(&r, "a@x.test"), 0);
    trace_writer_close(w);
    leave_room(&r);
}

static void too_much_goes(void **state)
{
    (void)state;
    struct room r;
    struct trace_limits small = {.days = 30, .bytes = 64 * 1024};
    make_room(&r);
    struct trace_writer *w = open_writer(&r, small, START);
    unsigned random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1103515245 + 12345;
        say(&r, w, START + i,
            arena_printf(&r.arena, "message.refused from=u%u@x%d.test n=%d", random, i, i).p);
        arena_reset(&r.arena);
    }
    assert_true(trace_writer_save(w, START + 20000, &r.e));
    CLEAN_TRACE_FILES struct trace_files files;
    uint64_t bytes = 0;
    assert_true(trace_files_list(r.trace, &files, &r.e));
    for (size_t i = 0; i < files.n; i++)
        bytes += files.v[i].size;
    assert_in_range(bytes, 1, small.bytes + TRACE_BLOCK_MAX);
    assert_true(files.n > 1);
    assert_int_equal(count_lines(&r, "@x0.test"), 0);
    assert_int_equal(count_lines(&r, "@x19999.test"), 1);
    trace_writer_close(w);
    leave_room(&r);
}

/* A line that could pass for two, or is none, does not get in. */
static void takes_no_forged_lines(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    say(&r, w, START,
        "message.refused from=a@x.test\n2026-11-26T13:33:20.007Z info smtp[1] message.x from=a@x.test");
    assert_false(trace_writer_has_unsaved(w));
    char line[] = "message.x from=\xc4\x8d@x.test to=y";
    for (size_t at = 0; at < sizeof line - 1; at++) {
        char was = line[at];
        line[at] = at % 2 ? '\x1f' : '\x7f';
        assert_true(trace_writer_save(w, START, &r.e) && trace_writer_add(w, str_from_c(line), START, &r.e));
        assert_false(trace_writer_has_unsaved(w));
        line[at] = was;
    }
    assert_true(trace_writer_add(w, str_from_c(line), START, &r.e) && trace_writer_has_unsaved(w));
    trace_writer_close(w);
    leave_room(&r);
}

/* --- questions --- */

/* An address leads to relay's line, its number to the queue's, the id there to the accounts' and smtp's. */
static void a_life_is_put_together(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    say(&r, w, START + 5,
        "message.accepted id=" ID_A " msgid=<1@x> from=ana@x.test to=bob@y.test,ana@x.test queue=7");
    say(&r, w, START + 1, "message.stored delivery=" ID_A " address=ana@x.test");
    say(&r, w, START + 2, "queue.accepted id=" ID_A " queue=7 from=ana@x.test");
    say(&r, w, START + 9, "relay.deferred queue=7 to=carl@z.test");
    say(&r, w, START + 10, "relay.sent id=7 to=carl@z.test");
    say(&r, w, START + 6, "message.stored delivery=" ID_B " address=other@x.test");
    say(&r, w, START + 7, "queue.accepted id=" ID_B " queue=8 from=other@x.test");
    assert_true(trace_writer_save(w, START, &r.e));
    static const char *const QUESTIONS[] = {"carl@z.test", "7", ID_A, "<1@x>", "bob@y.test", "@z.test"};
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof *QUESTIONS; i++) {
        CLEAN_TRACE_ANSWER struct trace_answer answer;
        ask(&r, QUESTIONS[i], &answer);
        assert_int_equal(answer.count, 1);
        assert_str(answer.messages[0].delivery, ID_A);
        assert_int_equal(answer.messages[0].queue, 7);
        assert_int_equal(answer.messages[0].count, 5);
        for (size_t k = 1; k < 5; k++)
            assert_true(answer.messages[0].lines[k - 1].at <= answer.messages[0].lines[k].at);
    }
    /* The report about it is a message of its own, and shown beside it. */
    say(&r, w, START + 20, "queue.report id=" ID_C " queue=9 about=7 to=ana@x.test");
    say(&r, w, START + 21, "message.stored delivery=" ID_C " address=ana@x.test");
    assert_true(trace_writer_save(w, START, &r.e));
    CLEAN_TRACE_ANSWER struct trace_answer reported;
    ask(&r, "7", &reported);
    assert_int_equal(reported.count, 2);
    assert_str(reported.messages[1].delivery, ID_C);
    assert_int_equal(reported.messages[1].count, 2);
    CLEAN_TRACE_ANSWER struct trace_answer both;
    ask(&r, "@x.test", &both);
    assert_int_equal(both.count, 3);
    trace_writer_close(w);
    leave_room(&r);
}

static void the_newest_are_shown(void **state)
{
    (void)state;
    struct room r;
    make_room(&r);
    struct trace_writer *w = open_writer(&r, LIMITS, START);
    for (int i = 0; i < 50; i++)
        say(&r, w, START + i, arena_printf(&r.arena, "message.accepted id=%032d from=ana@x.test", i).p);
    say(&r, w, START + 50, "message.refused from=ana@x.test");
    assert_true(trace_writer_save(w, START, &r.e));
    CLEAN_TRACE_ANSWER struct trace_answer some, early;
    ask_between(&r, "ana@x.test", 0, INT64_MAX, 10, &some);
    assert_int_equal(some.count, 10);
    assert_int_equal(some.left_out, 41);
    assert_int_equal(some.messages[0].lines[0].at, START + 41);
    assert_int_equal(some.messages[9].lines[0].at, START + 50);
    ask_between(&r, "ana@x.test", START + 3, START + 5, 10, &early);
    assert_int_equal(early.count, 3);
    assert_int_equal(early.left_out, 0);
    trace_writer_close(w);
    leave_room(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_line),           cmocka_unit_test(reads_what_log_writes),
        cmocka_unit_test(long_values_are_cut),    cmocka_unit_test(counts_what_found_no_room),
        cmocka_unit_test(refuses_other_lines),    cmocka_unit_test(finds_by_what_people_know),
        cmocka_unit_test(blocks_come_back),       cmocka_unit_test(the_filter_spares_blocks),
        cmocka_unit_test(saved_is_kept),          cmocka_unit_test(readers_see_every_saved_line),
        cmocka_unit_test(torn_tails_are_skipped), cmocka_unit_test(old_files_go),
        cmocka_unit_test(too_much_goes),          cmocka_unit_test(takes_no_forged_lines),
        cmocka_unit_test(a_life_is_put_together), cmocka_unit_test(the_newest_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
