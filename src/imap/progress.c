#include "imap/progress.h"

#include <poll.h>

/* A socket that takes bytes at all takes this many. */
#define FITS_SURELY ((size_t)4096)
/* For what fits surely. */
#define SEND_MS     1000

struct store_progress imap_progress_start(struct imap_progress *p, struct imap_session *s)
{
    *p = (struct imap_progress){.session = s, .next_ms = clock_ms() + IMAP_PROGRESS_MS};
    return (struct store_progress){.tell = imap_progress_tell, .context = p};
}

static bool is_writable(const struct stream *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    return s->out.n < FITS_SURELY && poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

void imap_progress_tell(void *progress, size_t done, size_t total)
{
    struct imap_progress *p = progress;
    struct imap_session *s = p->session;
    if (clock_ms() < p->next_ms || done >= total || !is_writable(s->stream))
        return;
    stream_writef(s->stream, "* OK [INPROGRESS (\"%.*s\" %zu %zu)] %zu%% done\r\n", (int)s->tag_size, s->tag,
                  done, total, done * 100 / total);
    stream_flush(s->stream, deadline_in(SEND_MS));
    p->next_ms = clock_ms() + IMAP_PROGRESS_MS;
}
