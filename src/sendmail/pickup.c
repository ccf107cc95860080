#include "sendmail/pickup.h"

#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "config/config.h"
#include "gate/connection.h"
#include "message/date.h"
#include "role/role.h"
#include "sendmail/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_MS         1000  /* the folder is looked at so often */
#define RETRY_MS        30000 /* after something that may work later */
#define NAP_MS          100   /* a stop is noticed so soon */
#define CONNECT_MS      5000
#define NOTICE_TEXT_MAX ((size_t)64 * 1024) /* of a message that is given back */

struct pickup {
    struct role *role;
    struct loop *loop;
    DIR *folder;
    atomic_bool is_stopping;
    bool failed; /* something is left for later */
};

/* A file that is being handed over. */
struct item {
    struct pickup *pickup;
    uid_t uid;
    struct sendmail_letter letter;
    struct arena arena;
    struct buf refusals; /* a line each, of those for good */
};

/* --- to smtp --- */

/* One end of a conversation with smtp, as gate would have it for a program of that user. -1: not now. */
static int open_session(struct pickup *p, uid_t uid)
{
    int ends[2];
    CLEAN_CLOSE int smtp = role_connect(p->role, ROLE_SMTP, ROLE_ANY, deadline_in(CONNECT_MS));
    if (smtp < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -1;
    struct connection c = {
        .fd = ends[1], .service = SERVICE_LOCAL, .peer = "127.0.0.1", .local = "127.0.0.1", .uid = uid};
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, GATE_FRAME_CONNECTION);
    connection_put(&f, &c);
    bool sent = ipc_send(smtp, &f, deadline_in(CONNECT_MS)) == IPC_OK;
    close(ends[1]);
    if (sent)
        return ends[0];
    close(ends[0]);
    return -1;
}

static void note_refusal(void *context, struct str recipient, const char *reply)
{
    struct item *i = context;
    LOG_INFO("message.not_picked_up", F_STR("from", i->letter.sender), F_STR("to", recipient),
             F_C("reply", reply), F_INT("uid", i->uid));
    if (recipient.n > 0)
        buf_addf(&i->refusals, "  %.*s: %s\r\n", STR_ARGS(recipient), reply);
    else
        buf_addf(&i->refusals, "  %s\r\n", reply);
}

static void ignore(void *context, struct str recipient, const char *reply)
{
    (void)context, (void)recipient, (void)reply;
}

/* --- giving back: nobody waits at a terminal any more --- */

static struct str notice_text(struct item *i, struct str to)
{
    CLEAN_BUF struct buf out;
    int64_t now = clock_wall();
    struct str host = i->pickup->role->config->hostname;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_addf(&out, "From: Mail delivery <MAILER-DAEMON@%.*s>\r\nTo: <%.*s>\r\n", STR_ARGS(host),
             STR_ARGS(to));
    buf_add(&out, STR("Subject: Your message could not be sent\r\nAuto-Submitted: auto-replied\r\nDate: "));
    date_add_rfc5322(&out, now, date_local_zone(now));
    buf_add(&out, STR("\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 8bit\r\n\r\n"));
    buf_addf(&out,
             "A program of this machine (uid %u) gave a message to sendmail, which was refused:\r\n\r\n",
             (unsigned)i->uid);
    buf_add(&out, buf_str(&i->refusals));
    buf_add(&out, STR("\r\nThe message, or its beginning:\r\n\r\n"));
    buf_add(&out, str_slice(i->letter.text, 0, NOTICE_TEXT_MAX));
    if (!str_ends(buf_str(&out), STR("\r\n")))
        buf_add(&out, STR("\r\n"));
    return arena_copy(&i->arena, buf_str(&out));
}

static bool send_notice(struct item *i, struct str to)
{
    struct str recipient = to;
    struct sendmail_letter l = {.sender = STR(""), .recipients = &recipient, .count = 1, .is_8bit = true};
    int fd = open_session(i->pickup, 0);
    l.text = notice_text(i, to);
    return fd >= 0 && sendmail_submit(fd, &l, ignore, NULL) == SENDMAIL_OK;
}

/* To its sender; else, since it must not be lost, to postmaster. */
static bool give_back(struct item *i)
{
    return (i->letter.sender.n > 0 && send_notice(i, i->letter.sender)) || send_notice(i, STR("postmaster"));
}

/* --- a file --- */

/* True: it is done with. */
static bool hand_over(struct item *i)
{
    size_t all = i->letter.count;
    int fd = open_session(i->pickup, i->uid);
    if (fd < 0)
        return false;
    enum sendmail_exit code = sendmail_submit(fd, &i->letter, note_refusal, i);
    if (i->letter.count == all && code == SENDMAIL_TEMPORARY)
        return false;
    return code == SENDMAIL_OK || give_back(i);
}

/* A file of any user: it may be anything. It is read as it is at this moment; what its owner changes later
 * changes nothing but their own message. */
static bool read_item(struct pickup *p, int fd, struct item *i, struct err *e)
{
    struct stat st;
    CLEAN_BUF struct buf whole;
    uint64_t most = p->role->config->message_size_max + DROP_HEAD_MAX;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(e, ERR_PERMANENT, "not a file with one name");
    if (st.st_size <= 0 || (uint64_t)st.st_size > most)
        return err_set(e, ERR_PERMANENT, "it is empty or too large");
    buf_init(&whole, (size_t)most);
    for (ssize_t n = 1; n > 0 && whole.n < (size_t)st.st_size;) {
        char *to = buf_room(&whole, (size_t)st.st_size - whole.n);
        n = read(fd, to, (size_t)st.st_size - whole.n);
        buf_grew(&whole, n > 0 ? (size_t)n : 0);
    }
    i->uid = st.st_uid;
    return drop_read(arena_copy(&i->arena, buf_str(&whole)), &i->arena, &i->letter, e);
}

static void take(struct pickup *p, const char *name)
{
    struct item i = {.pickup = p};
    struct err e = ERR_INIT;
    int folder = dirfd(p->folder);
    CLEAN_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    buf_init(&i.refusals, (size_t)1 << 20);
    bool done = fd >= 0 && read_item(p, fd, &i, &e);
    if (!done) {
        LOG_WARNING("pickup.removed", F_C("file", name), F_C("why", fd < 0 ? strerror(errno) : e.text));
        done = true;
    } else {
        done = hand_over(&i);
    }
    if (done && unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        LOG_ERROR("pickup.not_removed", F_C("file", name), F_C("error", strerror(errno)));
    p->failed |= !done;
    buf_free(&i.refusals);
    arena_free(&i.arena);
}

static void look(struct pickup *p)
{
    p->failed = false;
    rewinddir(p->folder);
    for (struct dirent *entry; !atomic_load(&p->is_stopping) && (entry = readdir(p->folder));)
        if (str_ends(str_from_c(entry->d_name), STR(DROP_SUFFIX)))
            take(p, entry->d_name);
}

/* --- the role --- */

static void leave(void *context)
{
    struct pickup *p = context;
    loop_stop(p->loop);
}

static void work(void *context)
{
    struct pickup *p = context;
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    while (!atomic_load(&p->is_stopping)) {
        look(p);
        struct deadline next = deadline_in(p->failed ? RETRY_MS : LOOK_MS);
        while (!deadline_passed(next) && !atomic_load(&p->is_stopping))
            nanosleep(&nap, NULL);
    }
    loop_post(p->loop, leave, p);
}

static void stop(void *context)
{
    struct pickup *p = context;
    atomic_store(&p->is_stopping, true);
}

static void no_clients(void *context, int channel, enum role_kind client, uint32_t index)
{
    (void)context, (void)client, (void)index;
    close(channel);
}

static void start(struct pickup *p)
{
    struct err e = ERR_INIT;
    struct role *r = p->role;
    CLEAN_FREE char *folder = mem_copy_c(r->config->maildrop.p, r->config->maildrop.n);
    struct sandbox_profile profile = {
        .name = "pickup",
        .rights = SANDBOX_FILES,
        .write_dirs = {folder},
        .landlock_required = r->config->sandbox_required,
    };
    tzset();
    if (!role_drop_user(r, &e))
        log_die("pickup.start", "%s", e.text);
    p->folder = opendir(folder);
    if (!p->folder)
        log_die("pickup.start", "%s: %s", folder, strerror(errno));
    if (!sandbox_enter(&profile, NULL, &e))
        log_die("pickup.start", "%s", e.text);
}

int pickup_main(struct role *r)
{
    struct pickup *p = MEM_NEW(struct pickup);
    p->role = r;
    start(p);
    p->loop = loop_new();
    struct role_handlers handlers = {.channel = no_clients, .stop = stop};
    role_attach(r, p->loop, &handlers, p);
    if (!thread_start(work, p))
        log_die("pickup.start", "cannot start a thread");
    loop_run(p->loop);
    return 0;
}
