#include "trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 5 /* at the newest file, which changes under us */
#define HEAD_BYTES                                                                          \
    ((size_t)4 * 1024) /* of a block, read at once: its header and nearly always its filter \
                        */

struct reading {
    const struct trace_wish *wish;
    const struct trace_taker *to;
    struct trace_result result; /* of this file */
    int fd;
    struct buf whole;
    struct arena arena; /* of a block */
};

static bool read_bytes(struct reading *r, uint64_t at, size_t n)
{
    while (r->whole.n < n) {
        ssize_t got =
            pread(r->fd, buf_room(&r->whole, n - r->whole.n), n - r->whole.n, (off_t)(at + r->whole.n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        buf_grew(&r->whole, (size_t)got);
    }
    return true;
}

static void take_lines(struct reading *r, struct str lines)
{
    struct trace_line *l = ARENA_NEW(&r->arena, struct trace_line);
    struct str text;
    while (str_cut(&lines, '\n', &text))
        if (trace_line_read(text, &r->arena, l) && l->at >= r->wish->since && l->at <= r->wish->until &&
            trace_tokens_match(r->wish->tokens, l))
            r->to->each(r->to->context, l);
}

enum step { STEP_NEXT, STEP_END, STEP_BAD };

/* The block at *at, which follows one of *number. */
static enum step read_block(struct reading *r, uint64_t *at, uint32_t *number)
{
    struct trace_block b;
    struct str lines;
    buf_reset(&r->whole);
    arena_reset(&r->arena);
    read_bytes(r, *at, HEAD_BYTES); /* the file may end sooner */
    if (r->whole.n == 0)
        return STEP_END;
    if (!trace_block_read(buf_str(&r->whole), &b) || b.number <= *number)
        return STEP_BAD;
    size_t behind = TRACE_BLOCK_HEADER + b.filter;
    if (!read_bytes(r, *at, behind))
        return STEP_BAD;
    *number = b.number;
    r->result.blocks++;
    bool in_time = b.last >= r->wish->since && b.first <= r->wish->until;
    if (in_time)
        r->result.lost += b.lost;
    if (in_time &&
        trace_block_may_have(&b, str_from_offset(buf_str(&r->whole), TRACE_BLOCK_HEADER), r->wish->tokens)) {
        size_t size = trace_block_size(&b);
        r->result.read++;
        if (!read_bytes(r, *at, size) ||
            !trace_block_lines(&b, str_slice(buf_str(&r->whole), 0, size), &r->arena, &lines))
            return STEP_BAD;
        take_lines(r, lines);
    }
    *at += trace_block_size(&b);
    return STEP_NEXT;
}

/* False: it ended where no block ends. */
static bool read_file(struct reading *r)
{
    uint64_t at = 0;
    uint32_t number = 0;
    enum step step;
    r->result = (struct trace_result){0};
    while ((step = read_block(r, &at, &number)) == STEP_NEXT)
        ;
    return step == STEP_END;
}

/* Where the writer has put a block in place of its lines meanwhile, all of the file is read again; what a
 * crash left at the end of one is the same every time, and left out. */
static void read_until_good(struct reading *r, int attempts, struct trace_result *out)
{
    size_t mark = r->to->mark(r->to->context);
    while (!read_file(r) && --attempts > 0)
        r->to->restart(r->to->context, mark);
    out->blocks += r->result.blocks;
    out->read += r->result.read;
    out->lost += r->result.lost;
}

/* False: *e. A file that has gone meanwhile has expired, or is a note that the role has taken in. */
static bool read_path(struct reading *r, const char *path, int attempts, struct trace_result *out,
                      struct err *e)
{
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd < 0)
        return errno == ENOENT || err_set(e, ERR_TEMPORARY, "%s: %s", path, strerror(errno));
    read_until_good(r, attempts, out);
    close(r->fd);
    return true;
}

bool trace_read(const char *folder, const struct trace_wish *wish, const struct trace_taker *to,
                struct trace_result *out, struct err *e)
{
    CLEAN_TRACE_FILES struct trace_files files = {0}, notes = {0};
    CLEAN_ARENA struct arena names = ARENA_INIT;
    struct reading r = {.wish = wish, .to = to};
    *out = (struct trace_result){0};
    if (!trace_notes_list(folder, &notes, e) || !trace_files_list(folder, &files, e))
        return false;
    buf_init(&r.whole, TRACE_BLOCK_MAX + HEAD_BYTES);
    bool good = true;
    for (size_t i = 0; good && i < notes.n; i++)
        good = read_path(&r, trace_note_path(folder, notes.v[i].start, &names), 1, out, e);
    for (size_t i = 0; good && i < files.n; i++) {
        bool is_later = files.v[i].start - TRACE_FILE_MS_SLACK > wish->until;
        bool is_earlier = i + 1 < files.n && files.v[i + 1].start + TRACE_FILE_MS_SLACK < wish->since;
        if (is_later || is_earlier)
            continue;
        good = read_path(&r, trace_file_path(folder, files.v[i].start, &names),
                         i + 1 == files.n ? ATTEMPTS : 1, out, e);
    }
    buf_free(&r.whole);
    arena_free(&r.arena);
    return good;
}
