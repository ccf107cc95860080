/* Commands change the database beside us, each through files of its own, which it closes when it is done:
 * then smtp, which keeps answers for a moment (smtp/recent.h), is told to ask again. What we write ourselves
 * (verifiers, shares) changes no answer. With PostgreSQL there are no files to watch, and a kept answer may
 * be a second old. */
#include "base/generation.h"
#include "base/log.h"
#include "directory/service.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS_BYTES 4096

int directory_changes_open(const char *folder)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0 || inotify_add_watch(fd, folder, IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
        LOG_WARNING("directory.unwatched", F_C("folder", folder), F_C("error", strerror(errno)),
                    F_C("now", "a change may take a second to hold"));
    return fd;
}

static void on_events(void *context, uint32_t events)
{
    struct directory_service *s = context;
    char bytes[EVENTS_BYTES]; /* which file it was does not matter, nor how often */
    (void)events;
    while (read(s->changes_fd, bytes, sizeof bytes) > 0)
        continue;
    generation_raise(s->role->changes);
}

void directory_changes_watch(struct directory_service *s)
{
    if (s->changes_fd >= 0)
        loop_watch(s->loop, s->changes_fd, EPOLLIN, on_events, s);
}
