/* What the mailbox store does in a second, on the disk under a folder given:
 *
 *   bench_store FOLDER [accounts] [messages an account] [messages in the large mailbox]
 *
 * Figures are for one machine on one day: compare two builds in one sitting. CPU is of this process, user and
 * system. */
#include "base/log.h"
#include "base/mem.h"
#include "mailbox/search.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MESSAGE_BYTES 4096
#define THREADS       8 /* as many sessions as the bench against other servers has */

static void check(bool good, const char *what, const struct err *e)
{
    if (!good)
        log_die("bench.failed", "%s: %s", what, e->text);
}

struct moment {
    double wall, cpu; /* microseconds */
};

static struct moment now(void)
{
    struct timespec t, c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    return (struct moment){(double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3,
                           (double)c.tv_sec * 1e6 + (double)c.tv_nsec / 1e3};
}

static void report(const char *what, struct moment since, double times)
{
    struct moment n = now();
    printf("%-44s %10.1f us wall %10.1f us cpu each %12.0f/s\n", what, (n.wall - since.wall) / times,
           (n.cpu - since.cpu) / times, times / ((n.wall - since.wall) / 1e6));
}

/* --- a letter: a header as servers write them, then words --- */

static size_t make_letter(char *out, size_t size, unsigned number)
{
    static const char *const WORDS[] = {"pigeon",  "letter",  "carries", "over",    "the",
                                        "hills",   "and",     "back",    "again",   "before",
                                        "evening", "without", "rest",    "message", "arrived"};
    unsigned state = number * 2654435761u + 1;
    int n = snprintf(out, size,
                     "Received: from client.example.org (client.example.org [192.0.2.7])\r\n"
                     "\tby mx.example.org with ESMTPS id %08x; Tue, 24 Nov 2026 12:00:00 +0100\r\n"
                     "Date: Tue, 24 Nov 2026 12:00:00 +0100\r\nFrom: Ana Anić <ana%u@example.org>\r\n"
                     "To: Bo <bo%u@example.net>, Ceca <ceca@example.net>\r\nSubject: letter number %u\r\n"
                     "Message-ID: <%08x.%u@example.org>\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
                     state, number % 97, number % 31, number, state ^ 0x5bd1e995u, number);
    size_t at = (size_t)n, line = 0;
    while (at + 24 < size) {
        state = state * 1664525u + 1013904223u;
        int word = snprintf(out + at, size - at, "%s%x ", WORDS[(state >> 16) % 15], state >> 24);
        at += (size_t)word;
        line += (size_t)word;
        if (line > 70) {
            memcpy(out + at - 1, "\r\n", 2);
            at++;
            line = 0;
        }
    }
    memcpy(out + at, "\r\n", 2);
    return at + 2;
}

/* --- deliveries --- */

struct lane {
    struct store **stores;
    size_t first, accounts; /* every THREADS-th store from `first` */
    size_t messages, batch;
};

static void *deliver(void *context)
{
    struct lane *l = context;
    char *letters = mem_new(l->batch, MESSAGE_BYTES);
    struct store_append *items = mem_new(l->batch, sizeof *items);
    for (size_t m = 0; m < l->messages; m += l->batch)
        for (size_t a = l->first; a < l->accounts; a += THREADS) {
            for (size_t i = 0; i < l->batch; i++) {
                char *letter = letters + i * MESSAGE_BYTES;
                size_t n = make_letter(letter, MESSAGE_BYTES, (unsigned)(m + i));
                items[i] = (struct store_append){.mailbox = 1,
                                                 .prefix = STR("Return-Path: <ana@example.org>\r\n"
                                                               "Delivered-To: bo@example.net\r\n"),
                                                 .bytes = str_from(letter, n),
                                                 .received = 1790000000,
                                                 .delivery = STR("0123456789abcdef")};
            }
            struct err e;
            check(store_append(l->stores[a], items, l->batch, &e) == STORE_OK, "append", &e);
        }
    free(items);
    free(letters);
    return NULL;
}

static void deliver_all(struct store **stores, size_t accounts, size_t messages, size_t batch)
{
    struct lane lanes[THREADS];
    pthread_t threads[THREADS];
    struct moment start = now();
    for (size_t i = 0; i < THREADS; i++) {
        lanes[i] = (struct lane){stores, i, accounts, messages, batch};
        pthread_create(&threads[i], NULL, deliver, &lanes[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char what[64];
    snprintf(what, sizeof what, "deliver 4 KiB, %zu accounts, %zu a commit", accounts, batch);
    report(what, start, (double)(accounts * (messages / batch * batch)));
}

static long private_kib(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    long kib = 0;
    while (f && fgets(line, sizeof line, f)) {
        long v;
        if (sscanf(line, "Private_Clean: %ld", &v) == 1 || sscanf(line, "Private_Dirty: %ld", &v) == 1)
            kib += v;
    }
    if (f)
        fclose(f);
    return kib;
}

static void report_memory(const char *what, long before, size_t accounts)
{
    printf("%-44s %10.1f KiB each\n", what, (double)(private_kib() - before) / (double)accounts);
}

static void bench_deliveries(const char *folder, size_t accounts, size_t messages)
{
    struct store **stores = mem_new(accounts, sizeof *stores);
    char path[4096];
    struct err e;
    static const char *const OPENING[] = {"open a new account", "open an account"};
    for (int again = 0; again < 2; again++) {
        long empty = private_kib();
        struct moment start = now();
        for (size_t i = 0; i < accounts; i++) {
            snprintf(path, sizeof path, "%s/%zu", folder, i);
            stores[i] = store_open(path, &e);
            check(stores[i], "open", &e);
        }
        report(OPENING[again], start, (double)accounts);
        report_memory("  private memory", empty, accounts);
        if (again == 1)
            break;
        for (size_t i = 0; i < accounts; i++)
            store_close(stores[i]);
    }
    long kib = private_kib();
    deliver_all(stores, accounts, messages, 1);
    report_memory("  private memory that it took", kib, accounts);
    deliver_all(stores, accounts, messages, 1);
    deliver_all(stores, accounts, messages, 4);
    deliver_all(stores, accounts, messages, 16);
    report_memory("  private memory that it took", kib, accounts);
    deliver_all(stores, 1, messages * 10, 1);
    struct moment start = now();
    for (size_t i = 0; i < accounts; i++)
        store_close(stores[i]);
    report("close an account", start, (double)accounts);
    free(stores);
}

/* --- one large mailbox --- */

static void fetch(struct store *s, const char *what, unsigned want, uint64_t bytes, size_t messages)
{
    struct store_fetch *f;
    const struct fetch_row *row;
    struct err e;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct moment start = now();
    size_t n = 0, texts = 0;
    check(store_fetch_open(s, 1, NULL, 0, want, &f, &e) == STORE_OK, "fetch", &e);
    for (; store_fetch_next(f, &row); n++) {
        texts += row->envelope.n + row->structure.n + row->parts.n;
        buf_reset(&out);
        if (bytes > 0)
            check(store_fetch_body(f, 0, bytes, &out, &e) == STORE_OK, "body", &e);
    }
    check(store_fetch_close(f, &e) == STORE_OK && n >= messages, "fetch", &e);
    report(what, start, 1);
}

static void search(struct store *s, const char *what, const struct search_node *tree)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e;
    uint32_t *uids;
    size_t n;
    struct moment start = now();
    check(store_search(s, 1, tree, &a, &uids, &n, NULL, NULL, &e) == STORE_OK, "search", &e);
    report(what, start, 1);
}

static void flag(struct store *s, const char *what, const uint32_t *uids, size_t n, enum flag_change how,
                 const char *keyword)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e;
    struct view_changes changed;
    struct flag_store f = {how, FLAG_SEEN, str_from_c(keyword), UINT64_MAX};
    struct moment start = now();
    check(store_flags(s, 1, uids, n, &f, &a, &changed, NULL, NULL, &e) == STORE_OK, "flags", &e);
    report(what, start, 1);
}

static void bench_reading(struct store *s, size_t messages)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct view v = {0};
    struct view_changes changes;
    struct err e;
    struct moment start = now();
    check(store_view_load(s, 1, false, &v, &e) == STORE_OK && v.n >= messages, "view", &e);
    report("view load", start, 1);
    start = now();
    check(store_view_load(s, 1, false, &v, &e) == STORE_OK, "view", &e);
    report("view load again", start, 1);
    start = now();
    for (int i = 0; i < 1000; i++)
        check(store_view_changes(s, 1, v.modseq - 1, &a, &changes, &e) == STORE_OK, "changes", &e);
    report("view changes, a few messages", start, 1000);
    struct mailbox m;
    start = now();
    for (int i = 0; i < 1000; i++)
        check(store_mailbox_find(s, STR("INBOX"), &a, &m, &e) == STORE_OK, "find", &e);
    report("mailbox status", start, 1000);
    view_free(&v);
    fetch(s, "fetch rows", 0, 0, messages);
    fetch(s, "fetch envelopes", WANT_ENVELOPE, 0, messages);
    fetch(s, "fetch envelopes and structures", WANT_ENVELOPE | WANT_STRUCTURE, 0, messages);
    fetch(s, "fetch bodies", WANT_PARTS, UINT64_MAX, messages);
    search(s, "search unseen", &(struct search_node){SEARCH_FLAGS_UNSET, .flags = FLAG_SEEN});
    search(s, "search subject",
           &(struct search_node){SEARCH_HEADER, .name = STR("Subject"), .text = STR("number 77")});
    search(s, "search text", &(struct search_node){SEARCH_TEXT, .text = STR("no such words")});
}

static void bench_changing(struct store *s, size_t messages)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e;
    uint32_t *uids = mem_new(messages, sizeof *uids), *from, *to, validity;
    size_t n;
    for (size_t i = 0; i < messages; i++)
        uids[i] = (uint32_t)i + 1;
    flag(s, "store +seen on all", uids, messages, FLAGS_ADD, "");
    flag(s, "store +seen on all, nothing to change", uids, messages, FLAGS_ADD, "");
    flag(s, "store a keyword on all", uids, messages, FLAGS_ADD, "$work");
    struct moment start = now();
    for (uint32_t i = 1; i <= 200; i++) {
        struct flag_store f = {FLAGS_REPLACE, i & FLAG_ALL, STR(""), UINT64_MAX};
        check(store_flags(s, 1, &i, 1, &f, &a, NULL, NULL, NULL, &e) == STORE_OK, "flags", &e);
    }
    report("store on one", start, 200);
    start = now();
    check(store_copy(s, 1, uids, messages, 2, false, NULL, &a, &from, &to, &n, &validity, &e) == STORE_OK,
          "copy", &e);
    report("copy all", start, 1);
    start = now();
    check(store_expunge(s, 2, NULL, 0, true, &a, &from, &n, &e) == STORE_OK, "expunge", &e);
    report("expunge all", start, 1);
    free(uids);
}

static void bench_large(const char *folder, size_t messages)
{
    char path[4096];
    struct err e;
    snprintf(path, sizeof path, "%s/large", folder);
    struct store *s = store_open(path, &e);
    check(s, "open", &e);
    struct lane lane = {&s, 0, 1, messages, 50};
    struct moment start = now();
    deliver(&lane);
    report("fill the large mailbox, 50 a commit", start, (double)messages);
    bench_reading(s, messages);
    bench_changing(s, messages);
    start = now();
    store_close(s);
    report("close it", start, 1);
    start = now();
    s = store_open(path, &e);
    check(s, "open", &e);
    report("open it", start, 1);
    store_close(s);
}

int main(int argc, char **argv)
{
    uint32_t accounts = 100, messages = 32, large = 10000;
    if (argc < 2 || (argc > 2 && !str_to_u32(str_from_c(argv[2]), &accounts)) ||
        (argc > 3 && !str_to_u32(str_from_c(argv[3]), &messages)) ||
        (argc > 4 && !str_to_u32(str_from_c(argv[4]), &large))) {
        fprintf(stderr,
                "usage: bench_store FOLDER [accounts] [messages an account] [messages in a large mailbox]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_deliveries(argv[1], accounts, messages);
    bench_large(argv[1], large);
    return 0;
}
