#include "trace/note.h"

#include "base/ipc.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define NAMES_TRIED 1000 /* another command may write at the same moment */

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void trace_notes_begin(struct trace_notes *n, struct str data)
{
    int ends[2];
    *n = (struct trace_notes){.folder = trace_folder(data), .heard = -1};
    buf_init(&n->lines, TRACE_BLOCK_LINES_MAX);
    if (!ipc_pair(ends))
        return;
    n->heard = ends[0];
    log_identify("golub");
    log_trace(ends[1]);
}

/* Under a name that is not there yet, first as one that nobody reads. */
static bool write_file(struct trace_notes *n, struct str block, struct arena *a)
{
    int64_t start = now_ms();
    const char *draft = arena_printf(a, "%s/draft-%d", n->folder, (int)getpid()).p;
    CLEAN_CLOSE int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, block.p, block.n) != (ssize_t)block.n)
        return err_set(&n->error, ERR_TEMPORARY, "writing %s: %s", draft, strerror(errno));
    for (int64_t i = 0; i < NAMES_TRIED; i++) {
        if (link(draft, trace_note_path(n->folder, start + i, a)) == 0)
            return unlink(draft) == 0;
        if (errno != EEXIST)
            break;
    }
    return err_set(&n->error, ERR_TEMPORARY, "naming a file in %s: %s", n->folder, strerror(errno));
}

static void flush(struct trace_notes *n)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf block;
    buf_init(&block, TRACE_BLOCK_MAX);
    if (n->lines.n == 0)
        return;
    trace_block_write(buf_str(&n->lines), false, 1, &a, &block);
    if (mkdir(n->folder, 0700) != 0 && errno != EEXIST)
        err_set(&n->error, ERR_TEMPORARY, "making the folder %s: %s", n->folder, strerror(errno));
    else
        write_file(n, buf_str(&block), &a);
    buf_reset(&n->lines);
}

void trace_notes_take(struct trace_notes *n)
{
    char line[LOG_LINE_MAX];
    ssize_t got;
    while (n->heard >= 0 && (got = recv(n->heard, line, sizeof line, MSG_DONTWAIT)) > 0) {
        buf_add(&n->lines, str_from(line, (size_t)got));
        buf_add_byte(&n->lines, '\n');
        if (n->lines.n >= TRACE_BLOCK_LINES)
            flush(n);
    }
}

bool trace_notes_end(struct trace_notes *n)
{
    trace_notes_take(n);
    flush(n);
    if (n->heard >= 0) {
        close(log_trace_fd());
        close(n->heard);
        log_trace(-1);
    }
    buf_free(&n->lines);
    free(n->folder);
    return n->error.kind == ERR_NONE;
}
