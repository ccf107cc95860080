#include "base/journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_MODE  0600
/* The file grows by so much, in the write that needs it: a file that does not grow needs nothing written but
 * its bytes. */
#define GROW_STEP  ((size_t)128 * 1024)
#define NAME_SIZE  64
/* Memory is asked for in one call for so much: a page by itself takes the kernel twice as long. */
#define TOUCH_STEP ((size_t)64 * 1024)

static const char FORMAT[16] = "golub journal 2";
#define FORMAT_NAME 14 /* bytes of it before the number */
/* The same, of a golub that may look no further than the first 512 KiB: nothing is put behind them. */
static const char FORMER_FORMAT[16] = "golub journal 1";
#define FORMER_BYTES_MAX ((size_t)512 * 1024)

/* Block 0. */
struct label {
    char format[sizeof FORMAT];
    unsigned char key[crypto_shorthash_KEYBYTES];
};

/* In the byte order of the machine that wrote it and reads it again. */
struct head {
    unsigned char hash[crypto_shorthash_BYTES]; /* of all that follows, the payload included */
    uint32_t generation, number;
    uint64_t payload;
};

struct journal {
    int dir, fd;
    char name[NAME_SIZE];
    size_t bytes_max;
    size_t room; /* of that, for new frames */
    unsigned char key[crypto_shorthash_KEYBYTES];
    uint32_t generation, number; /* of the next frame */
    size_t at;                   /* where it goes */
    char *memory;                /* the file as it is from block 1 on, as far as this generation goes */
    size_t touched;              /* of it */
    size_t size;                 /* of the file */
    bool is_closed;              /* nothing more in this generation: a write failed, or it was read */
};

static size_t whole_blocks(size_t n)
{
    return (n + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* Of one with a payload of `n` bytes. */
static size_t frame_bytes(size_t n)
{
    return whole_blocks(sizeof(struct head) + n);
}

static char *blocks_new(size_t n)
{
    return mem_new_aligned(JOURNAL_BLOCK, n);
}

static void hash_frame(const struct journal *j, const char *block, size_t payload,
                       unsigned char hash[crypto_shorthash_BYTES])
{
    const unsigned char *from = (const unsigned char *)block + crypto_shorthash_BYTES;
    crypto_shorthash(hash, from, sizeof(struct head) - crypto_shorthash_BYTES + payload, j->key);
}

/* --- its memory --- */

static void give_back(struct journal *j)
{
    if (j->touched > 0)
        madvise(j->memory, j->touched, MADV_DONTNEED);
    j->touched = 0;
}

/* From where the next frame goes on. A kernel that does not know the call (before 5.14) does it page by page.
 */
static void touch(struct journal *j)
{
    size_t at = j->at - JOURNAL_BLOCK;
    if (at < j->touched)
        return;
    size_t target = (at / TOUCH_STEP + 1) * TOUCH_STEP;
    target = target < j->bytes_max ? target : j->bytes_max;
    madvise(j->memory + j->touched, target - j->touched, MADV_POPULATE_WRITE);
    j->touched = target;
}

/* --- the file --- */

static bool fail(const struct journal *j, const char *doing, struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "%s the journal %s: %s", doing, j->name, strerror(errno));
}

/* Past the page cache, where the file system can: a copy and the kernel's bookkeeping less, for what is read
 * only after a crash. */
static int open_file(int dir, const char *name, int flags)
{
    flags |= O_RDWR | O_DSYNC | O_CLOEXEC;
    int fd = openat(dir, name, flags | O_DIRECT, FILE_MODE);
    return fd < 0 && errno == EINVAL ? openat(dir, name, flags, FILE_MODE) : fd;
}

/* Some file systems open a file so and refuse the write. True: it is to be tried again without. */
static bool give_up_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_DIRECT && fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

static bool write_all(int fd, const char *p, size_t n, size_t at)
{
    while (n > 0) {
        ssize_t written = pwrite(fd, p, n, (off_t)at);
        if (written < 0 && (errno == EINTR || (errno == EINVAL && give_up_direct(fd))))
            continue;
        if (written <= 0)
            return false;
        p += written;
        n -= (size_t)written;
        at += (size_t)written;
    }
    return true;
}

/* A new file: its label, and its name in the folder, are on the disk before anything stands in it. */
static bool make_file(struct journal *j, struct err *e)
{
    struct label label;
    memcpy(label.format, FORMAT, sizeof FORMAT);
    if (getrandom(label.key, sizeof label.key, 0) != (ssize_t)sizeof label.key)
        return fail(j, "making", e);
    memcpy(j->key, label.key, sizeof j->key);
    char *block = blocks_new(JOURNAL_BLOCK);
    memcpy(block, &label, sizeof label);
    j->fd = open_file(j->dir, j->name, O_CREAT | O_TRUNC);
    bool good = j->fd >= 0 && write_all(j->fd, block, JOURNAL_BLOCK, 0) && fsync(j->dir) == 0;
    free(block);
    j->size = JOURNAL_BLOCK;
    return good || fail(j, "making", e);
}

/* What there is of the `n` bytes from `from` on, *there of them; the rest of `to` is left as it is. */
static bool read_all(const struct journal *j, char *to, size_t from, size_t n, size_t *there)
{
    for (*there = 0; *there < n;) {
        ssize_t got = pread(j->fd, to + *there, n - *there, (off_t)(from + *there));
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        *there += got > 0 ? (size_t)got : 0;
    }
    return true;
}

enum label_result {
    LABEL_OURS,
    LABEL_NONE,  /* no file, or one whose making was cut short: nothing was ever written behind the label */
    LABEL_NEWER, /* of a golub that knows more */
    LABEL_STRANGE,
    LABEL_FAILED, /* with the words */
};

static enum label_result judge(struct journal *j, const struct label *l)
{
    static const struct label EMPTY = {0};
    bool is_former = memcmp(l->format, FORMER_FORMAT, sizeof FORMER_FORMAT) == 0;
    if (is_former && j->room > FORMER_BYTES_MAX)
        j->room = FORMER_BYTES_MAX;
    if (is_former || memcmp(l->format, FORMAT, sizeof FORMAT) == 0)
        return LABEL_OURS;
    if (memcmp(l->format, FORMAT, FORMAT_NAME) == 0)
        return LABEL_NEWER;
    return memcmp(l, &EMPTY, sizeof EMPTY) == 0 && j->size == JOURNAL_BLOCK ? LABEL_NONE : LABEL_STRANGE;
}

static enum label_result read_label(struct journal *j, struct err *e)
{
    struct stat st;
    struct label label;
    if (fstat(j->fd, &st) != 0) {
        fail(j, "reading", e);
        return LABEL_FAILED;
    }
    j->size = (size_t)st.st_size / JOURNAL_BLOCK * JOURNAL_BLOCK;
    if (j->size > JOURNAL_BLOCK + j->bytes_max)
        j->size = JOURNAL_BLOCK + j->bytes_max;
    if (j->size < JOURNAL_BLOCK)
        return LABEL_NONE;
    size_t there;
    char *block = blocks_new(JOURNAL_BLOCK);
    bool good = read_all(j, block, 0, JOURNAL_BLOCK, &there) || fail(j, "reading", e);
    memcpy(&label, block, sizeof label);
    free(block);
    memcpy(j->key, label.key, sizeof j->key);
    return good ? judge(j, &label) : LABEL_FAILED;
}

static enum label_result open_there(struct journal *j, struct err *e)
{
    j->fd = open_file(j->dir, j->name, 0);
    if (j->fd >= 0)
        return read_label(j, e);
    if (errno == ENOENT)
        return LABEL_NONE;
    fail(j, "opening", e);
    return LABEL_FAILED;
}

static void close_file(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

/* Whatever is in it, nobody but a person can say that it is of no use. */
static bool move_aside(struct journal *j)
{
    char aside[NAME_SIZE + 32];
    snprintf(aside, sizeof aside, "%s.damaged-%lld", j->name, (long long)clock_wall());
    bool good = renameat(j->dir, j->name, j->dir, aside) == 0 && fsync(j->dir) == 0;
    LOG_ERROR("journal.file", F_C("file", j->name), F_C("set-aside-as", aside),
              F_C("error", good ? "not all of it can be read" : strerror(errno)));
    close_file(j);
    return good;
}

/* False, without an error in *e: there is none. */
static bool open_or_make(struct journal *j, bool makes, struct err *e)
{
    switch (open_there(j, e)) {
    case LABEL_OURS: return true;
    case LABEL_NEWER:
        return err_set(e, ERR_PERMANENT, "%s: this journal is a newer golub's; start that one", j->name);
    case LABEL_FAILED: return false;
    case LABEL_STRANGE:
        if (!move_aside(j))
            return fail(j, "setting aside", e);
        break;
    case LABEL_NONE: break;
    }
    close_file(j);
    return makes && make_file(j, e);
}

struct journal *journal_open(int dir, const char *name, size_t bytes_max, bool makes, struct err *e)
{
    struct journal *j = MEM_NEW(struct journal);
    j->dir = dir;
    j->bytes_max = j->room = bytes_max;
    j->fd = -1;
    snprintf(j->name, sizeof j->name, "%s", name);
    j->memory = mmap(NULL, j->bytes_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (j->memory == MAP_FAILED)
        log_die("memory", "no %zu bytes for a journal", j->bytes_max);
    if (open_or_make(j, makes, e)) {
        journal_restart(j, 1);
        return j;
    }
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    close_file(j);
    munmap(j->memory, j->bytes_max);
    free(j);
}

void journal_remove(struct journal *j)
{
    unlinkat(j->dir, j->name, 0); /* left behind it does no harm: what it holds is known to be elsewhere */
    journal_close(j);
}

void journal_set_aside(struct journal *j)
{
    move_aside(j);
    journal_close(j);
}

bool journal_is_gone(const struct journal *j)
{
    struct stat st;
    return fstat(j->fd, &st) != 0 || st.st_nlink == 0;
}

bool journal_is_waited_for(const struct journal *j)
{
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(j->fd, LOCK_UN);
    return false;
}

/* --- reading --- */

/* The payload of the frame at the front of `rest`. False: none that fits. *generation 0: any later than
 * `after`. *number: the least that it may have; then the least of the next. */
static bool find_frame(const struct journal *j, struct str rest, uint32_t after, uint32_t *number,
                       uint32_t *generation, struct str *payload)
{
    struct head h;
    unsigned char hash[crypto_shorthash_BYTES];
    if (rest.n < sizeof h)
        return false;
    memcpy(&h, rest.p, sizeof h);
    if (h.number < *number || h.generation <= after || (*generation && h.generation != *generation) ||
        h.payload > rest.n - sizeof h)
        return false;
    hash_frame(j, rest.p, h.payload, hash);
    if (memcmp(hash, h.hash, sizeof hash) != 0)
        return false;
    *payload = str_slice(rest, sizeof h, h.payload);
    *generation = h.generation;
    *number = h.number + 1;
    return true;
}

bool journal_read(struct journal *j, uint32_t after, struct journal_found *found, struct err *e)
{
    size_t there;
    *found = (struct journal_found){0};
    give_back(j); /* zeros stand for what a last block does not have */
    bool good = read_all(j, j->memory, JOURNAL_BLOCK, j->bytes_max, &there) || fail(j, "reading", e);
    j->touched = whole_blocks(there);
    struct str rest = str_from(j->memory, good ? j->touched : 0);
    for (uint32_t number = 0; rest.n > 0;) {
        struct str *payload = &found->payloads[found->n];
        bool fits = find_frame(j, rest, after, &number, &found->generation, payload);
        rest = str_from_offset(rest, fits ? frame_bytes(payload->n) : JOURNAL_BLOCK);
        if (fits)
            found->missing = number - (uint32_t)++found->n;
    }
    if (found->n == 0)
        found->generation = after;
    j->is_closed = true;
    return good;
}

/* --- writing --- */

void journal_restart(struct journal *j, uint32_t generation)
{
    j->generation = generation;
    j->number = 0;
    j->at = JOURNAL_BLOCK;
    j->is_closed = false;
}

bool journal_has_room(const struct journal *j, size_t n)
{
    return !j->is_closed && frame_bytes(n) <= JOURNAL_BLOCK + j->room - j->at;
}

static char *frame_here(const struct journal *j)
{
    return j->memory + j->at - JOURNAL_BLOCK;
}

char *journal_place(struct journal *j)
{
    touch(j);
    return frame_here(j) + sizeof(struct head);
}

/* Zeros: one block of them, which is written as often as it takes. */
static bool write_zeros(int fd, size_t n, size_t at)
{
    static _Alignas(JOURNAL_BLOCK) const char ZEROS[JOURNAL_BLOCK];
    struct iovec blocks[GROW_STEP / JOURNAL_BLOCK];
    while (n > 0) {
        int count = 0;
        for (size_t left = n; left > 0 && count < (int)(GROW_STEP / JOURNAL_BLOCK); count++) {
            size_t part = left < JOURNAL_BLOCK ? left : JOURNAL_BLOCK;
            blocks[count] = (struct iovec){(void *)(uintptr_t)ZEROS, part};
            left -= part;
        }
        ssize_t written = pwritev(fd, blocks, count, (off_t)at);
        if (written < 0 && (errno == EINTR || (errno == EINVAL && give_up_direct(fd))))
            continue;
        if (written <= 0)
            return false;
        n -= (size_t)written;
        at += (size_t)written;
    }
    return true;
}

/* Zeros up to where the file is to end. Their write need not be apart from the frame's in time: a frame is
 * there when it is whole. */
static bool grow(struct journal *j, size_t end)
{
    if (end <= j->size)
        return true;
    size_t target = (end - JOURNAL_BLOCK + GROW_STEP - 1) / GROW_STEP * GROW_STEP + JOURNAL_BLOCK;
    if (!write_zeros(j->fd, target - j->size, j->size))
        return false;
    j->size = target;
    return true;
}

/* Of what failed nothing shall be found after a crash: its message may be stored in another way by then. */
static void take_back(struct journal *j)
{
    j->is_closed = true;
    if (ftruncate(j->fd, (off_t)j->at) == 0 && fsync(j->fd) == 0)
        j->size = j->at;
    else
        LOG_ERROR("journal.file", F_C("file", j->name), F_C("error", strerror(errno)));
}

bool journal_write(struct journal *j, size_t n, struct err *e)
{
    struct head h = {.generation = j->generation, .number = j->number, .payload = n};
    char *frame = frame_here(j);
    size_t bytes = frame_bytes(n);
    memcpy(frame, &h, sizeof h);
    hash_frame(j, frame, n, h.hash);
    memcpy(frame, h.hash, sizeof h.hash);
    memset(frame + sizeof h + n, 0, bytes - sizeof h - n);
    if (!grow(j, j->at + bytes) || !write_all(j->fd, frame, bytes, j->at)) {
        fail(j, "writing", e);
        take_back(j);
        return false;
    }
    j->at += bytes;
    j->number++;
    if (j->touched < j->at - JOURNAL_BLOCK)
        j->touched = j->at - JOURNAL_BLOCK;
    return true;
}
