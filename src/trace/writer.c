#include "trace/writer.h"

#include "base/mem.h"
#include "message/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct trace_writer {
    char *folder;
    struct trace_limits limits;
    struct trace_files files; /* the last is open, if `fd` is */
    int fd;
    uint64_t begun;     /* where the lines of the block that is not full begin in the file */
    uint64_t end;       /* of what is in the file */
    uint32_t number;    /* of the next block */
    struct buf lines;   /* of the block that is not full */
    size_t saved;       /* bytes of them that are in the file */
    struct arena arena; /* of one call */
    bool takes_notes;   /* at this moment */
};

static struct trace_file *newest(struct trace_writer *w)
{
    return &w->files.v[w->files.n - 1];
}

static bool failed(struct trace_writer *w, const char *what, struct err *e)
{
    return err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_TEMPORARY : ERR_INTERNAL, "%s in %s: %s", what,
                   w->folder, strerror(errno));
}

/* --- what an earlier writer left --- */

/* Bytes of the block at `at`, which is read into `whole`; 0: there is none that is intact, or not one that
 * follows the last. */
static size_t read_block(struct trace_writer *w, uint64_t at, struct trace_block *b, struct buf *whole,
                         struct str *lines)
{
    buf_reset(whole);
    ssize_t n = pread(w->fd, buf_room(whole, TRACE_BLOCK_MAX), TRACE_BLOCK_MAX, (off_t)at);
    buf_grew(whole, n > 0 ? (size_t)n : 0);
    if (!trace_block_read(buf_str(whole), b) || b->number < w->number ||
        !trace_block_lines(b, str_slice(buf_str(whole), 0, trace_block_size(b)), &w->arena, lines))
        return 0;
    return trace_block_size(b);
}

/* Lines whose block was not full go on where they were. */
static bool take_over(struct trace_writer *w, struct err *e)
{
    CLEAN_BUF struct buf whole;
    struct trace_block b;
    struct str lines;
    size_t n;
    buf_init(&whole, TRACE_BLOCK_MAX);
    while ((n = read_block(w, w->end, &b, &whole, &lines)) > 0) {
        if (b.is_packed || w->lines.n + lines.n > TRACE_BLOCK_LINES_MAX) {
            buf_reset(&w->lines);
            w->begun = w->end + n;
        } else {
            buf_add(&w->lines, lines);
        }
        w->end += n;
        w->number = b.number + 1;
        arena_reset(&w->arena);
    }
    w->saved = w->lines.n;
    return ftruncate(w->fd, (off_t)w->end) == 0 || failed(w, "cutting off what a crash left", e);
}

static void close_file(struct trace_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->begun = w->end = 0;
    w->number = 1;
}

static bool open_file(struct trace_writer *w, int64_t start, bool is_new, struct err *e)
{
    const char *path = trace_file_path(w->folder, start, &w->arena);
    close_file(w);
    w->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_CREAT | O_EXCL : 0), 0600);
    if (w->fd < 0)
        return failed(w, is_new ? "making a file" : "opening a file", e);
    if (is_new)
        trace_files_add(&w->files, (struct trace_file){.start = start});
    return is_new || take_over(w, e);
}

struct trace_writer *trace_writer_open(const char *folder, struct trace_limits limits, int64_t now,
                                       struct err *e)
{
    struct trace_writer *w = MEM_NEW(struct trace_writer);
    *w = (struct trace_writer){.folder = mem_copy_c(folder, strlen(folder)), .limits = limits, .fd = -1};
    close_file(w);
    buf_init(&w->lines, TRACE_BLOCK_LINES_MAX);
    bool good = mkdir(folder, 0700) == 0 || errno == EEXIST || failed(w, "making the folder", e);
    good = good && trace_files_list(folder, &w->files, e);
    if (good && w->files.n > 0)
        good = open_file(w, newest(w)->start, false, e);
    if (good) {
        if (w->fd >= 0)
            newest(w)->size = w->end;
        trace_writer_expire(w, now);
        return w;
    }
    trace_writer_close(w);
    return NULL;
}

void trace_writer_close(struct trace_writer *w)
{
    close_file(w);
    buf_free(&w->lines);
    trace_files_free(&w->files);
    arena_free(&w->arena);
    free(w->folder);
    free(w);
}

void trace_writer_limit(struct trace_writer *w, struct trace_limits limits)
{
    w->limits = limits;
}

/* --- writing --- */

/* The name must be new, and later than all others: a clock may have been set back. */
static int64_t new_name(struct trace_writer *w, int64_t now)
{
    return w->files.n > 0 && now <= newest(w)->start ? newest(w)->start + 1 : now;
}

static bool has_file(struct trace_writer *w, int64_t now, struct err *e)
{
    return w->fd >= 0 || open_file(w, new_name(w, now), true, e);
}

static bool write_at(struct trace_writer *w, struct str bytes, uint64_t at, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(w->fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(w, "writing", e);
        bytes = str_from_offset(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return true;
}

static void forget_lines(struct trace_writer *w)
{
    buf_reset(&w->lines);
    w->saved = 0;
    w->begun = w->end;
}

/* The full block takes the place of its lines; then, in time, a new file. */
static bool write_block(struct trace_writer *w, int64_t now, struct err *e)
{
    CLEAN_BUF struct buf block;
    buf_init(&block, TRACE_BLOCK_MAX);
    trace_block_write(buf_str(&w->lines), true, w->number, &w->arena, &block);
    arena_reset(&w->arena);
    bool good = has_file(w, now, e) && write_at(w, buf_str(&block), w->begun, e);
    if (good) {
        w->number++;
        w->end = w->begun + block.n;
        newest(w)->size = w->end;
        good = ftruncate(w->fd, (off_t)w->end) == 0 || failed(w, "shortening a file", e);
    }
    forget_lines(w);
    uint64_t most = w->limits.bytes / 8 < TRACE_FILE_MAX ? w->limits.bytes / 8 : TRACE_FILE_MAX;
    if (good && (w->end >= most || now - newest(w)->start >= TRACE_FILE_MS)) {
        close_file(w);
        trace_writer_expire(w, now);
    }
    return good;
}

bool trace_writer_add(struct trace_writer *w, struct str line, int64_t now, struct err *e)
{
    if (line.n == 0 || line.n >= TRACE_LINE_MAX || control_is_in(line))
        return true;
    buf_add(&w->lines, line);
    buf_add_byte(&w->lines, '\n');
    return w->lines.n < TRACE_BLOCK_LINES || write_block(w, now, e);
}

bool trace_writer_has_unsaved(const struct trace_writer *w)
{
    return w->saved < w->lines.n;
}

bool trace_writer_save(struct trace_writer *w, int64_t now, struct err *e)
{
    if (!trace_writer_has_unsaved(w))
        return true;
    CLEAN_BUF struct buf block;
    buf_init(&block, TRACE_BLOCK_MAX);
    trace_block_write(str_from_offset(buf_str(&w->lines), w->saved), false, w->number, &w->arena, &block);
    arena_reset(&w->arena);
    if (!has_file(w, now, e) || !write_at(w, buf_str(&block), w->end, e))
        return false;
    w->number++;
    w->end += block.n;
    newest(w)->size = w->end;
    w->saved = w->lines.n;
    return now - newest(w)->start < TRACE_FILE_MS || write_block(w, now, e);
}

/* --- expiry --- */

/* When the last line of a file was written: before the next file began. The open one's is yet to come. */
static bool is_over(const struct trace_writer *w, int64_t now)
{
    bool is_open = w->files.n == 1 && w->fd >= 0;
    int64_t end = w->files.n > 1 ? w->files.v[1].start : w->files.v[0].start + TRACE_FILE_MS;
    return !is_open && end < now - (int64_t)w->limits.days * 24 * 3600 * 1000;
}

static bool is_too_much(const struct trace_writer *w)
{
    uint64_t all = 0;
    for (size_t i = 0; i < w->files.n; i++)
        all += w->files.v[i].size;
    return all > w->limits.bytes && (w->files.n > 1 || w->fd < 0);
}

static void add_note(struct trace_writer *w, int fd, int64_t now)
{
    CLEAN_BUF struct buf whole;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct trace_block b;
    struct str lines, line;
    buf_init(&whole, TRACE_BLOCK_MAX);
    ssize_t n = pread(fd, buf_room(&whole, TRACE_BLOCK_MAX), TRACE_BLOCK_MAX, 0);
    buf_grew(&whole, n > 0 ? (size_t)n : 0);
    if (!trace_block_read(buf_str(&whole), &b) || !trace_block_lines(&b, buf_str(&whole), &a, &lines))
        return; /* nothing that a command left */
    while (str_cut(&lines, '\n', &line))
        trace_writer_add(w, line, now, NULL);
}

static void take_notes(struct trace_writer *w, int64_t now)
{
    CLEAN_TRACE_FILES struct trace_files notes = {0};
    CLEAN_ARENA struct arena names = ARENA_INIT;
    if (!trace_notes_list(w->folder, &notes, NULL))
        return;
    for (size_t i = 0; i < notes.n; i++) {
        const char *path = trace_note_path(w->folder, notes.v[i].start, &names);
        CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        add_note(w, fd, now);
        if (trace_writer_save(w, now, NULL))
            unlink(path);
    }
}

void trace_writer_expire(struct trace_writer *w, int64_t now)
{
    if (!w->takes_notes) { /* a block that is full comes here too */
        w->takes_notes = true;
        take_notes(w, now);
        w->takes_notes = false;
    }
    while (w->files.n > 0 && (is_over(w, now) || is_too_much(w))) {
        if (unlink(trace_file_path(w->folder, w->files.v[0].start, &w->arena)) != 0 && errno != ENOENT)
            break; /* again next time */
        w->files.n--;
        memmove(w->files.v, w->files.v + 1, w->files.n * sizeof *w->files.v);
    }
    arena_reset(&w->arena);
}
