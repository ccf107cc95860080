#include "keeper/parked.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SLOT_BYTES  ((size_t)1024)
#define CHUNK_SLOTS ((size_t)256) /* taken from the kernel at a time: 256 KiB */

enum state {
    SLEEPING, /* watched */
    ROUSED,   /* waits for a process */
    GIVEN,    /* sent to a process, which has not said yet that it has it */
};

struct parked {
    struct parking *all;
    struct parked *next, **back; /* in its owner's list; `next` also among the free slots */
    void *owner;
    enum state state;
    int fd;
    unsigned attempts; /* processes that died before they took it */
    uint64_t number;
    int64_t wake_at_ms, still_at_ms;
    uint32_t still_every_ms;
    struct loop_watch *watch; /* both while SLEEPING */
    struct loop_timer *timer;
    uint16_t still_n, bye_n, address_n, state_n;
    char bytes[]; /* the four, one behind the other */
};
_Static_assert(sizeof(struct parked) + PARKED_BYTES_MAX <= SLOT_BYTES, "a session fits in its slot");

struct parking {
    struct loop *loop;
    void (*roused)(void *owner);
    size_t max, count;
    uint64_t last_number;
    struct parked *free;
};

/* --- slots --- */

struct parking *parking_new(struct loop *l, size_t max, void (*roused)(void *owner))
{
    struct parking *p = MEM_NEW(struct parking);
    *p = (struct parking){.loop = l, .roused = roused, .max = max < PARKED_MAX ? max : PARKED_MAX};
    return p;
}

/* The kernel leaves these pages out of every fork: no account's process gets a byte of another's sessions,
 * and forking does not become slower with every session that sleeps. */
static void add_chunk(struct parking *p)
{
    size_t n = CHUNK_SLOTS * SLOT_BYTES;
    char *chunk = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED || madvise(chunk, n, MADV_DONTFORK) < 0)
        log_die("keeper.memory", "no memory for sleeping sessions: %s", strerror(errno));
    for (size_t i = CHUNK_SLOTS; i > 0; i--) {
        struct parked *s = (struct parked *)(void *)(chunk + (i - 1) * SLOT_BYTES);
        s->next = p->free;
        p->free = s;
    }
}

static struct parked *take_slot(struct parking *p)
{
    if (!p->free)
        add_chunk(p);
    struct parked *s = p->free;
    p->free = s->next;
    p->count++;
    return s;
}

static void give_slot(struct parked *s)
{
    struct parking *p = s->all;
    mem_wipe(s, SLOT_BYTES);
    s->next = p->free;
    p->free = s;
    p->count--;
}

/* --- sleeping --- */

static void ready(void *parked, uint32_t events);
static void due(void *parked);

static void set_timer(struct parked *s)
{
    int64_t at = s->wake_at_ms, now = clock_ms();
    if (s->still_every_ms > 0 && s->still_at_ms < at)
        at = s->still_at_ms;
    s->timer = loop_timer(s->all->loop, at > now ? at - now : 0, due, s);
}

static void sleep_now(struct parked *s)
{
    s->state = SLEEPING;
    s->watch = loop_watch(s->all->loop, s->fd, EPOLLIN | EPOLLRDHUP, ready, s);
    set_timer(s);
}

static void stop_watching(struct parked *s)
{
    if (s->watch)
        loop_unwatch(s->watch);
    if (s->timer)
        loop_timer_cancel(s->timer);
    s->watch = NULL;
    s->timer = NULL;
}

static void rouse(struct parked *s)
{
    stop_watching(s);
    s->state = ROUSED;
    s->all->roused(s->owner);
}

static void drop(struct parked *s)
{
    stop_watching(s);
    close(s->fd);
    *s->back = s->next;
    if (s->next)
        s->next->back = s->back;
    give_slot(s);
}

/* When a gate or a network goes down, thousands of clients are gone without a word at once: nobody needs to
 * be woken for that. */
static bool has_hung_up(const struct parked *s, uint32_t events)
{
    int unread = 0;
    return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && ioctl(s->fd, FIONREAD, &unread) == 0 &&
           unread == 0;
}

static void ready(void *parked, uint32_t events)
{
    struct parked *s = parked;
    if (!has_hung_up(s, events)) {
        rouse(s);
        return;
    }
    void *owner = s->owner;
    struct parking *all = s->all;
    LOG_INFO("parked.closed", F_STR("address", str_from(s->bytes + s->still_n + s->bye_n, s->address_n)));
    drop(s);
    all->roused(owner);
}

static bool send_all(const struct parked *s, size_t from, size_t n)
{
    return send(s->fd, s->bytes + from, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* A client that does not take the line is a matter for its protocol. */
static void due(void *parked)
{
    struct parked *s = parked;
    s->timer = NULL;
    int64_t now = clock_ms();
    if (now >= s->wake_at_ms || !send_all(s, 0, s->still_n)) {
        rouse(s);
        return;
    }
    s->still_at_ms = now + s->still_every_ms;
    set_timer(s);
}

/* --- coming --- */

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static char *add_bytes(char *to, struct str from)
{
    memcpy(to, from.p, from.n);
    return to + from.n;
}

bool parked_add(struct parking *p, struct parked **list, void *owner, const struct parked_request *r)
{
    struct str parts[] = {r->still, r->bye, r->address, r->state};
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].n > PARKED_BYTES_MAX)
            return false;
        n += parts[i].n;
    }
    if (n > PARKED_BYTES_MAX || p->count >= p->max || !is_socket(r->fd))
        return false;
    struct parked *s = take_slot(p);
    *s = (struct parked){.all = p,
                         .next = *list,
                         .back = list,
                         .owner = owner,
                         .fd = r->fd,
                         .number = ++p->last_number,
                         .wake_at_ms = r->wake_at_ms,
                         .still_at_ms = clock_ms() + r->still_every_ms,
                         .still_every_ms = r->still_every_ms,
                         .still_n = (uint16_t)r->still.n,
                         .bye_n = (uint16_t)r->bye.n,
                         .address_n = (uint16_t)r->address.n,
                         .state_n = (uint16_t)r->state.n};
    char *at = s->bytes;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        at = add_bytes(at, parts[i]);
    if (s->next)
        s->next->back = &s->next;
    *list = s;
    sleep_now(s);
    return true;
}

/* --- going --- */

bool parked_is_roused(const struct parked *list)
{
    while (list && list->state != ROUSED)
        list = list->next;
    return list != NULL;
}

struct parked *parked_next(struct parked *list)
{
    while (list && list->state == GIVEN)
        list = list->next;
    return list;
}

void parked_put(const struct parked *s, struct ipc_frame *f)
{
    ipc_put_u64(f, s->number);
    ipc_put_str(f, str_from(s->bytes + s->still_n + s->bye_n + s->address_n, s->state_n));
    ipc_put_fd(f, s->fd);
}

void parked_given(struct parked *s)
{
    stop_watching(s);
    s->state = GIVEN;
}

bool parked_taken(struct parked **list, uint64_t number)
{
    struct parked *s = *list;
    while (s && s->number != number)
        s = s->next;
    if (!s || s->state != GIVEN)
        return false;
    drop(s);
    return true;
}

static void say_bye(const struct parked *s)
{
    (void)send_all(s, s->still_n, s->bye_n); /* one that does not read sees the connection end */
}

/* Ends those of the list that `ends` says. */
static void filter(struct parked **list, bool (*ends)(struct parked *s))
{
    for (struct parked *s = *list, *next; s; s = next) {
        next = s->next;
        if (ends(s)) {
            say_bye(s);
            drop(s);
        }
    }
}

static bool ends_after_death(struct parked *s)
{
    if (s->state != GIVEN)
        return false;
    if (++s->attempts >= PARKED_ATTEMPTS_MAX)
        return true;
    sleep_now(s);
    return false;
}

void parked_return(struct parked **list)
{
    filter(list, ends_after_death);
}

static bool is_here(struct parked *s)
{
    return s->state != GIVEN;
}

void parked_end(struct parked **list)
{
    filter(list, is_here);
}

char *parked_address(const struct parked *list)
{
    return mem_copy_c(list->bytes + list->still_n + list->bye_n, list->address_n);
}
