/* What the index behind delivery costs, and what it gives: bytes on disk beside those of a Maildir, the time
 * to make it, and the time of searches, sorting and threading.
 *
 *   bench_search FOLDER MESSAGES            letters of 4 KiB like those of the bench against other servers
 *   bench_search FOLDER FILE...             these messages (find ../shared/suites -name '*.eml' ...)
 *
 * A Maildir is counted by the bytes of its files, and by the blocks of 4 KiB that they take. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mailbox/search.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LETTER_BYTES 4096
#define BLOCK_BYTES  4096
#define BATCH        16 /* messages that come together */
#define REPEATS      5
#define ROUNDS \
    10 /* in which messages come, each with the work behind it: what that frees the next one uses */

static void check(bool good, const char *what, const struct err *e)
{
    if (!good)
        log_die("bench.failed", "%s: %s", what, e->text);
}

static double now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A letter as mailbench makes it, as it is after delivery. */
static struct str make_letter(unsigned number, struct arena *a)
{
    static const char *const SYLLABLES[] = {"ba",  "ko",  "ri",  "mu",  "te", "lo",  "sha", "ven",
                                            "dir", "gol", "pin", "ast", "ur", "nek", "fi",  "zo"};
    uint32_t state = 2463534242u ^ (number * 2654435761u);
    CLEAN_BUF struct buf out;
    buf_init(&out, LETTER_BYTES * 2);
    state = state ? state : 1;
    buf_addf(&out,
             "From: Bench Sender <sender@remote.test>\r\nTo: Bench Reader <reader@example.test>\r\n"
             "Date: Thu, 26 Nov 2026 11:%02u:%02u +0000\r\nMessage-ID: <%u.%08x@bench.test>\r\n"
             "Subject: Bench message number %u\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
             number / 60 % 60, number % 60, number, next_random(&state), number);
    if (number % 100 == 0)
        buf_add(&out, STR("zyxneedle\r\n"));
    for (size_t column = 0; out.n + 12 < LETTER_BYTES;) {
        size_t before = out.n;
        for (uint32_t k = 1 + next_random(&state) % 3; k > 0; k--)
            buf_add_c(&out, SYLLABLES[next_random(&state) >> 9 & 15]);
        column += out.n - before + 1;
        buf_add_c(&out, column > 64 ? "\r\n" : " ");
        column = column > 64 ? 0 : column;
    }
    buf_add(&out, STR("\r\n"));
    return arena_copy(a, buf_str(&out));
}

static struct str read_file(const char *path, struct arena *a)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        log_die("bench.failed", "cannot read %s", path);
    char *bytes = arena_new(a, (size_t)st.st_size + 1, 1);
    if (read(fd, bytes, (size_t)st.st_size) != st.st_size)
        log_die("bench.failed", "cannot read %s", path);
    close(fd);
    return str_from(bytes, (size_t)st.st_size);
}

struct totals {
    size_t messages;
    uint64_t bytes, blocks;
};

static const char PREFIX[] = "Return-Path: <sender@remote.test>\r\nDelivered-To: reader@example.test\r\n"
                             "Received: from client.remote.test (client.remote.test [127.0.0.1])\r\n"
                             "\tby mail.example.test with ESMTP id 5f0c3a91;\r\n"
                             "\tThu, 26 Nov 2026 11:00:00 +0000\r\n";

/* Messages number `at` up to `end`. */
static void append_some(struct store *s, char **files, size_t at, size_t end, struct totals *t)
{
    struct err e = ERR_INIT;
    struct store_append items[BATCH];
    while (at < end) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        size_t count = 0;
        for (; count < BATCH && at < end; at++, count++) {
            struct str bytes = files ? read_file(files[at], &a) : make_letter((unsigned)at, &a);
            items[count] = (struct store_append){.mailbox = 1,
                                                 .prefix = str_from_c(PREFIX),
                                                 .bytes = bytes,
                                                 .received = clock_wall(),
                                                 .delivery = STR("0123456789abcdef")};
            uint64_t size = bytes.n + sizeof PREFIX - 1;
            t->bytes += size;
            t->blocks += (size + BLOCK_BYTES - 1) / BLOCK_BYTES;
        }
        check(store_append(s, items, count, &e) == STORE_OK, "append", &e);
    }
    t->messages = end;
}

static void report(const char *what, double ms, size_t found)
{
    printf("%-44s %10.2f ms   %zu\n", what, ms, found);
}

static void search(struct store *s, const char *what, const struct search_node *tree)
{
    double best = 1e9;
    size_t n = 0;
    for (int i = 0; i < REPEATS; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct err e = ERR_INIT;
        uint32_t *uids;
        double start = now_ms(CLOCK_MONOTONIC);
        check(store_search(s, 1, tree, &a, &uids, &n, NULL, NULL, &e) == STORE_OK, what, &e);
        double ms = now_ms(CLOCK_MONOTONIC) - start;
        best = ms < best ? ms : best;
    }
    report(what, best, n);
}

static void sort(struct store *s, const char *what, enum sort_key key)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct search_node all = {SEARCH_ALL};
    struct sort_criterion by = {key, false};
    uint32_t *uids;
    size_t n;
    double start = now_ms(CLOCK_MONOTONIC);
    check(store_sort(s, 1, &all, &by, 1, &a, &uids, &n, NULL, &e) == STORE_OK, what, &e);
    report(what, now_ms(CLOCK_MONOTONIC) - start, n);
}

static void thread(struct store *s, const char *what, enum thread_algorithm algorithm)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct search_node all = {SEARCH_ALL};
    struct thread_node *root;
    double start = now_ms(CLOCK_MONOTONIC);
    check(store_thread(s, 1, &all, algorithm, &a, &root, NULL, &e) == STORE_OK, what, &e);
    size_t n = 0;
    for (; root; root = root->next)
        n++;
    report(what, now_ms(CLOCK_MONOTONIC) - start, n);
}

static uint64_t file_bytes(const char *folder)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/mail.db", folder);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static struct store *reopen(struct store *s, const char *folder, const char *what, const struct totals *t)
{
    struct err e = ERR_INIT;
    store_close(s);
    double size = (double)file_bytes(folder);
    printf("%-44s %10.0f bytes each, %.3f of the messages, %.3f of their blocks\n", what,
           size / (double)t->messages, size / (double)t->bytes, size / (double)(t->blocks * BLOCK_BYTES));
    s = store_open(folder, &e);
    check(s != NULL, "open", &e);
    return s;
}

struct behind {
    double wall, cpu, longest; /* ms */
};

static void catch_up(struct store *s, struct behind *b)
{
    struct err e = ERR_INIT;
    for (bool more = true; more;) {
        double wall = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        check(store_catch_up(s, &more, &e) == STORE_OK, "catching up", &e);
        wall = now_ms(CLOCK_MONOTONIC) - wall;
        b->wall += wall;
        b->cpu += now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        b->longest = wall > b->longest ? wall : b->longest;
    }
}

static void measure(struct store *s)
{
    struct search_node word = {SEARCH_TEXT, .text = STR("zyxneedle")},
                       part = {SEARCH_TEXT, .text = STR("needl")};
    struct search_node common = {SEARCH_BODY, .text = STR("bako")};
    struct search_node phrase = {SEARCH_TEXT, .text = STR("zyxneedle ba")};
    struct search_node subject = {SEARCH_HEADER, .name = STR("Subject"), .text = STR("number")};
    struct search_node from = {SEARCH_HEADER, .name = STR("From"), .text = STR("sender@remote")};
    struct search_node near = {SEARCH_FUZZY, .first = &word};
    search(s, "TEXT word", &word);
    search(s, "TEXT part of a word", &part);
    search(s, "BODY part of many words", &common);
    search(s, "TEXT words in a row", &phrase);
    search(s, "SUBJECT word", &subject);
    search(s, "FROM address", &from);
    search(s, "FUZZY TEXT word", &near);
    sort(s, "SORT (ARRIVAL)", SORT_ARRIVAL);
    sort(s, "SORT (SUBJECT)", SORT_SUBJECT);
    sort(s, "SORT (DATE)", SORT_DATE);
    thread(s, "THREAD REFERENCES", THREAD_REFERENCES);
    thread(s, "THREAD ORDEREDSUBJECT", THREAD_ORDEREDSUBJECT);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        log_die("bench.usage", "bench_search FOLDER MESSAGES | FOLDER FILE...");
    uint32_t n = 0;
    bool is_made = str_to_u32(str_from_c(argv[2]), &n);
    struct err e = ERR_INIT;
    struct store *s = store_open(argv[1], &e);
    struct totals t = {0};
    check(s != NULL, "open", &e);
    size_t count = is_made ? n : (size_t)argc - 2;
    struct behind b = {0};
    for (size_t round = 0; round < ROUNDS; round++) {
        append_some(s, is_made ? NULL : argv + 2, count * round / ROUNDS, count * (round + 1) / ROUNDS, &t);
        catch_up(s, &b);
    }
    printf("%-44s %10.1f us wall, %.1f us cpu each; the longest step %.1f ms\n", "behind delivery",
           b.wall * 1e3 / (double)count, b.cpu * 1e3 / (double)count, b.longest);
    s = reopen(s, argv[1], "on disk, with keys and index", &t);
    measure(s);
    store_close(s);
    return 0;
}
