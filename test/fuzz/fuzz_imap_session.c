/* A whole session over a real store: whatever a client sends, the session ends when the client does, and what
 * it has answered are lines and literals as the grammar has them (RFC 9051 section 9), without a byte of
 * another's. */
#include "account/session.h"
#include "base/log.h"
#include "config/config.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one input leaves in the store the next one finds, up to this many. */
#define RUNS_A_STORE 200
/* Commands in it; the socket takes them all before the session starts. */
#define INPUT_MAX    ((size_t)16 * 1024)
#define MESSAGE_MAX  20000
#define ANSWERS_MAX  ((size_t)64 << 20)

static const char MESSAGE[] =
    "From: Ana <ana@example.test>\r\nSubject: one\r\nMessage-Id: <1@example.test>\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
    "Content-Transfer-Encoding: base64\r\nContent-Type: image/png\r\n\r\nAAEC\r\n--b--\r\n";

static struct {
    char dir[64];
    struct store *store;
    unsigned runs;
} account;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void close_account(void)
{
    store_close(account.store);
    account.store = NULL;
    if (account.dir[0])
        nftw(account.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void open_account(void)
{
    struct err e = ERR_INIT;
    if (account.dir[0] == '\0') {
        log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        atexit(close_account);
    }
    close_account();
    /* In memory where there is such a folder: commits are many. */
    snprintf(account.dir, sizeof account.dir, "%s/golub-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(account.dir) != NULL);
    account.store = store_open(account.dir, &e);
    check(account.store != NULL);
    for (int i = 0; i < 3; i++) {
        struct store_append item = {.mailbox = 1,
                                    .bytes = str_from_c(MESSAGE),
                                    .keywords = STR(""),
                                    .received = 1700000000}; /* 1: INBOX */
        check(store_append(account.store, &item, 1, &e) == STORE_OK && item.result == STORE_OK);
    }
    account.runs = 0;
}

/* --- the client --- */

struct answers {
    int fd;
    struct buf text;
};

static void *read_answers(void *context)
{
    struct answers *a = context;
    char piece[16384];
    ssize_t n;
    while ((n = read(a->fd, piece, sizeof piece)) > 0)
        buf_add(&a->text, str_from(piece, (size_t)n));
    return NULL;
}

/* The number of a literal at a line's end; false: there is none. */
static bool ends_in_literal(struct str line, uint32_t *n)
{
    size_t open = str_rfind_byte(line, '{');
    return str_ends(line, STR("}")) && open != STR_NONE &&
           str_to_u32(str_slice(line, open + 1, line.n - open - 2), n);
}

static void check_answers(struct str text)
{
    while (text.n > 0) {
        size_t end = str_find(text, STR("\r\n"));
        check(end != STR_NONE);
        struct str line = str_slice(text, 0, end);
        for (size_t i = 0; i < line.n; i++)
            check((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
        text = str_from_offset(text, end + 2);
        uint32_t n;
        if (!ends_in_literal(line, &n)) {
            if (str_ends(line, STR(" OK DEFLATE active"))) /* the rest is for zlib */
                return;
            continue;
        }
        check(n <= text.n);
        text = str_from_offset(text, n);
    }
}

static void talk(struct str input)
{
    struct config config = {.hostname = STR("mail.example"), .message_size_max = MESSAGE_MAX};
    atomic_bool stopping = false;
    int fds[2];
    pthread_t reader;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    struct answers answers = {.fd = fds[0]};
    buf_init(&answers.text, ANSWERS_MAX);
    check(write(fds[0], input.p, input.n) == (ssize_t)input.n && shutdown(fds[0], SHUT_WR) == 0);
    check(pthread_create(&reader, NULL, read_answers, &answers) == 0);
    struct account_session host = {
        .config = &config,
        .store = account.store,
        .address = STR("ana@example.test"),
        .user = STR("ana@example.test"),
        .account = 1,
        .tag = STR("L"),
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .stopping = &stopping,
    };
    stream_open(&host.stream, fds[1], STR(""));
    imap_session_run(&host);
    stream_close(&host.stream);
    free(host.unauthenticated);
    pthread_join(reader, NULL);
    close(fds[0]);
    close(host.wake_fd);
    check_answers(buf_str(&answers.text));
    buf_free(&answers.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (!account.store || ++account.runs > RUNS_A_STORE)
        open_account();
    talk(str_from(data, size));
    return 0;
}
