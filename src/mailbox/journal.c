#include "mailbox/journal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* What the disk writes as a whole, and where O_DIRECT wants memory and places in the file to be a multiple
 * of. */
#define BLOCK     ((size_t)4096)
#define FILE_MODE 0600
/* The file grows by so much, in the write that needs it: a file that does not grow needs nothing written but
 * its bytes. */
#define GROW_STEP ((size_t)128 * 1024)
#define NAME_SIZE 64

static const char FORMAT[16] = "golub journal 1";

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
    unsigned char key[crypto_shorthash_KEYBYTES];
    uint32_t generation, number; /* of the next frame */
    size_t at;                   /* where it goes */
    size_t size;                 /* of the file */
    bool is_broken;              /* a write failed: nothing more in this generation */
};

static size_t whole_blocks(size_t n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static char *blocks_new(size_t n)
{
    return mem_new_aligned(BLOCK, n);
}

struct journal_frame *journal_frame_new(size_t n)
{
    struct journal_frame *f = MEM_NEW(struct journal_frame);
    f->bytes = whole_blocks(sizeof(struct head) + n);
    f->block = blocks_new(f->bytes);
    f->payload = f->block + sizeof(struct head);
    f->capacity = n;
    return f;
}

void journal_frame_free(struct journal_frame *f)
{
    free(f->block);
    free(f);
}

static void hash_frame(const struct journal *j, const char *block, size_t payload,
                       unsigned char hash[crypto_shorthash_BYTES])
{
    const unsigned char *from = (const unsigned char *)block + crypto_shorthash_BYTES;
    crypto_shorthash(hash, from, sizeof(struct head) - crypto_shorthash_BYTES + payload, j->key);
}

/* --- the file --- */

static bool fail(const struct journal *j, const char *doing, struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "%s the journal %s: %s", doing, j->name, strerror(errno));
}

static bool write_all(int fd, const char *p, size_t n, size_t at)
{
    while (n > 0) {
        ssize_t written = pwrite(fd, p, n, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        p += written;
        n -= (size_t)written;
        at += (size_t)written;
    }
    return true;
}

/* Past the page cache, where the file system can: a copy and the kernel's bookkeeping less, for what is read
 * only after a crash. */
static int open_file(int dir, const char *name, int flags)
{
    flags |= O_RDWR | O_DSYNC | O_CLOEXEC;
    int fd = openat(dir, name, flags | O_DIRECT, FILE_MODE);
    return fd < 0 && errno == EINVAL ? openat(dir, name, flags, FILE_MODE) : fd;
}

/* A new file: its label, and its name in the folder, are on the disk before anything stands in it. */
static bool make_file(struct journal *j, struct err *e)
{
    struct label label;
    memcpy(label.format, FORMAT, sizeof FORMAT);
    if (getrandom(label.key, sizeof label.key, 0) != (ssize_t)sizeof label.key)
        return fail(j, "making", e);
    memcpy(j->key, label.key, sizeof j->key);
    char *block = blocks_new(BLOCK);
    memcpy(block, &label, sizeof label);
    j->fd = open_file(j->dir, j->name, O_CREAT | O_TRUNC);
    bool good = j->fd >= 0 && write_all(j->fd, block, BLOCK, 0) && fsync(j->dir) == 0;
    free(block);
    j->size = BLOCK;
    return good || fail(j, "making", e);
}

/* What there is of the first `n` bytes; zeros stand for the rest. */
static bool read_all(struct journal *j, char *to, size_t n)
{
    size_t at = 0;
    while (at < n) {
        ssize_t got = pread(j->fd, to + at, n - at, (off_t)at);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        at += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* False: it is none of ours, or was not finished, and holds nothing; or with *e, it cannot be read. */
static bool read_label(struct journal *j, struct err *e)
{
    struct stat st;
    struct label label;
    if (fstat(j->fd, &st) != 0)
        return fail(j, "reading", e);
    j->size = (size_t)st.st_size / BLOCK * BLOCK;
    if (j->size > BLOCK + JOURNAL_BYTES_MAX)
        j->size = BLOCK + JOURNAL_BYTES_MAX;
    if (j->size < BLOCK)
        return false;
    char *block = blocks_new(BLOCK);
    bool good = read_all(j, block, BLOCK) || fail(j, "reading", e);
    memcpy(&label, block, sizeof label);
    free(block);
    memcpy(j->key, label.key, sizeof j->key);
    return good && memcmp(label.format, FORMAT, sizeof FORMAT) == 0;
}

struct journal *journal_open(int dir, const char *name, bool makes, struct err *e)
{
    struct journal *j = MEM_NEW(struct journal);
    struct err failure = ERR_INIT;
    j->dir = dir;
    snprintf(j->name, sizeof j->name, "%s", name);
    j->fd = open_file(dir, name, 0);
    bool good = j->fd >= 0 ? read_label(j, &failure) : errno == ENOENT || fail(j, "opening", &failure);
    bool is_there = good && j->fd >= 0;
    if (!is_there && failure.kind == ERR_NONE && makes) {
        if (j->fd >= 0)
            close(j->fd);
        is_there = make_file(j, &failure);
    }
    if (is_there) {
        journal_restart(j, 1);
        return j;
    }
    if (failure.kind != ERR_NONE)
        err_set(e, failure.kind, "%s", failure.text);
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    free(j);
}

void journal_remove(struct journal *j)
{
    unlinkat(j->dir, j->name, 0); /* left behind it does no harm: what it holds is known to be elsewhere */
    journal_close(j);
}

/* --- reading --- */

/* The frame at the front of `rest` as one of its own; NULL: none that fits. *generation 0: any later than
 * `after`. */
static struct journal_frame *take_frame(const struct journal *j, struct str rest, uint32_t after,
                                        uint32_t number, uint32_t *generation)
{
    struct head h;
    unsigned char hash[crypto_shorthash_BYTES];
    if (rest.n < sizeof h)
        return NULL;
    memcpy(&h, rest.p, sizeof h);
    if (h.number != number || h.generation <= after || (*generation && h.generation != *generation) ||
        h.payload > rest.n - sizeof h)
        return NULL;
    hash_frame(j, rest.p, h.payload, hash);
    if (memcmp(hash, h.hash, sizeof hash) != 0)
        return NULL;
    struct journal_frame *f = journal_frame_new(h.payload);
    memcpy(f->block, rest.p, sizeof h + h.payload);
    *generation = h.generation;
    return f;
}

bool journal_read(struct journal *j, uint32_t after, struct journal_frame **frames, uint32_t *generation,
                  struct err *e)
{
    struct journal_frame **end = frames;
    *frames = NULL;
    *generation = 0;
    size_t size = j->size + BLOCK; /* the last block need not be whole */
    char *all = blocks_new(size);
    bool good = read_all(j, all, size) || fail(j, "reading", e);
    struct str rest = good ? str_from(all + BLOCK, size - BLOCK) : STR("");
    for (uint32_t number = 0; (*end = take_frame(j, rest, after, number, generation)); number++) {
        rest = str_from_offset(rest, (*end)->bytes);
        end = &(*end)->next;
    }
    free(all);
    if (*generation == 0)
        *generation = after;
    return good;
}

/* --- writing --- */

void journal_restart(struct journal *j, uint32_t generation)
{
    j->generation = generation;
    j->number = 0;
    j->at = BLOCK;
    j->is_broken = false;
}

bool journal_has_room(const struct journal *j, size_t n)
{
    return !j->is_broken && whole_blocks(sizeof(struct head) + n) <= BLOCK + JOURNAL_BYTES_MAX - j->at;
}

/* Zeros up to where the file is to end. Their write need not be apart from the frame's in time: a frame is
 * there when it is whole. */
static bool grow(struct journal *j, size_t end)
{
    if (end <= j->size)
        return true;
    size_t target = (end - BLOCK + GROW_STEP - 1) / GROW_STEP * GROW_STEP + BLOCK;
    char *zeros = blocks_new(target - j->size);
    bool good = write_all(j->fd, zeros, target - j->size, j->size);
    free(zeros);
    if (good)
        j->size = target;
    return good;
}

/* Of what failed nothing shall be found after a crash: its message may be stored in another way by then. */
static void take_back(struct journal *j)
{
    j->is_broken = true;
    if (ftruncate(j->fd, (off_t)j->at) == 0 && fsync(j->fd) == 0)
        j->size = j->at;
}

bool journal_write(struct journal *j, struct journal_frame *f, struct err *e)
{
    struct head h = {.generation = j->generation, .number = j->number, .payload = f->capacity};
    memcpy(f->block, &h, sizeof h);
    hash_frame(j, f->block, f->capacity, h.hash);
    memcpy(f->block, h.hash, sizeof h.hash);
    if (!grow(j, j->at + f->bytes) || !write_all(j->fd, f->block, f->bytes, j->at)) {
        fail(j, "writing", e);
        take_back(j);
        return false;
    }
    j->at += f->bytes;
    j->number++;
    return true;
}
