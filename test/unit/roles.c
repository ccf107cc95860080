#include "roles.h"

#include "base/ipc.h"
#include "base/log.h"
#include "config/config.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void tree_init(struct tree *t, const char *more)
{
    char where[200];
    CLEAN_BUF struct buf text;
    struct err e = ERR_INIT;
    buf_init(&text, BUF_MAX_DEFAULT);
    memset(t, 0, sizeof *t);
    folder_make(&t->folder);
    snprintf(where, sizeof where, "%s/golub.conf", t->folder.path);
    buf_addf(&text,
             "[server]\nhostname = mail.example.org\ndata = %s\n[tls]\ncertificate = c\nkey = k\n"
             "[log]\nlevel = error\n%s",
             t->folder.path, more);
    t->config = config_parse(buf_str(&text), where, &e);
    if (!t->config || pipe(t->stop) < 0) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    signal(SIGPIPE, SIG_IGN);
    log_configure(t->config->log_level, t->config->log_format);
}

static void add(struct tree *t, enum role_kind kind, pid_t pid, int control, int broker)
{
    t->kinds[t->n] = kind;
    t->pids[t->n] = pid;
    t->controls[t->n] = control;
    t->brokers[t->n] = broker;
    t->n++;
}

static void pairs(int control[2], int broker[2])
{
    if (!ipc_pair(control) || !ipc_pair(broker))
        abort();
}

void tree_fork(struct tree *t, enum role_kind kind, int (*main_function)(struct role *r))
{
    int control[2], broker[2];
    pairs(control, broker);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct role r = {.kind = kind, .config = t->config, .control = control[1], .broker = broker[1]};
        close(control[0]);
        close(broker[0]);
        for (size_t i = 0; i < t->n; i++) {
            close(t->controls[i]);
            close(t->brokers[i]);
        }
        log_identify(role_name(kind));
        _exit(main_function(&r));
    }
    close(control[1]);
    close(broker[1]);
    add(t, kind, pid, control[0], broker[0]);
}

struct role *tree_client(struct tree *t, enum role_kind kind)
{
    int control[2], broker[2];
    pairs(control, broker);
    struct role *r = &t->clients[t->n];
    *r = (struct role){.kind = kind, .config = t->config, .control = control[1], .broker = broker[1]};
    add(t, kind, 0, control[0], broker[0]);
    return r;
}

int tree_connect(struct tree *t, enum role_kind client, enum role_kind to)
{
    int ends[2];
    for (size_t i = 0; i < t->n; i++) {
        if (t->kinds[i] != to || t->pids[i] == 0 || !ipc_pair(ends))
            continue;
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_CHANNEL);
        ipc_put_u32(&f, client);
        ipc_put_u32(&f, 0);
        ipc_put_fd(&f, ends[1]);
        ipc_send(t->controls[i], &f, deadline_in(1000));
        close(ends[1]);
        return ends[0];
    }
    return -1;
}

/* As the supervisor does, for any path. */
static int connect_socket(struct str path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path.p, path.n < sizeof to.sun_path ? path.n : 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void answer(struct tree *t, size_t from)
{
    CLEAN_FRAME struct ipc_frame f = {0}, reply;
    ipc_frame_init(&reply, ROLE_FRAME_CHANNEL);
    if (ipc_receive_now(t->brokers[from], &f) != IPC_OK ||
        (f.type != ROLE_FRAME_CONNECT && f.type != ROLE_FRAME_SOCKET))
        return;
    struct ipc_reader in = ipc_read(&f);
    int end = f.type == ROLE_FRAME_SOCKET ? connect_socket(ipc_get_str(&in))
                                          : tree_connect(t, t->kinds[from], (enum role_kind)ipc_get_u32(&in));
    reply.id = f.id;
    if (end >= 0)
        ipc_put_fd(&reply, end);
    ipc_send(t->brokers[from], &reply, deadline_in(1000));
    if (end >= 0)
        close(end);
}

static void *serve(void *context)
{
    struct tree *t = context;
    for (;;) {
        struct pollfd p[TREE_ROLES_MAX + 1] = {{.fd = t->stop[0], .events = POLLIN}};
        for (size_t i = 0; i < t->n; i++)
            p[i + 1] = (struct pollfd){.fd = t->brokers[i], .events = POLLIN};
        poll(p, (nfds_t)t->n + 1, -1);
        if (p[0].revents)
            return NULL;
        bool busy = false;
        for (size_t i = 0; i < t->n; i++)
            if (p[i + 1].revents & POLLIN) {
                answer(t, i);
                busy = true;
            }
        if (!busy)
            poll(NULL, 0, 10); /* a role has died: its end is readable for ever */
    }
}

void tree_run(struct tree *t)
{
    if (pthread_create(&t->broker, NULL, serve, t) != 0)
        abort();
}

pid_t tree_pid(const struct tree *t, enum role_kind kind)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->kinds[i] == kind && t->pids[i] > 0)
            return t->pids[i];
    return -1;
}

/* Those that are store, or those that are not. */
static int stop_some(struct tree *t, bool is_store)
{
    int bad = 0;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_STOP);
    for (size_t i = 0; i < t->n; i++)
        if ((t->kinds[i] == ROLE_STORE) == is_store)
            ipc_send(t->controls[i], &f, deadline_in(1000));
    for (size_t i = 0; i < t->n; i++) {
        int status = 0;
        if (t->pids[i] == 0 || (t->kinds[i] == ROLE_STORE) != is_store)
            continue;
        waitpid(t->pids[i], &status, 0);
        if (status != 0) {
            fprintf(stderr, "%s ended with status %x\n", role_name(t->kinds[i]), (unsigned)status);
            bad++;
        }
    }
    return bad;
}

/* store goes last, as in a server: what the others still have to write goes through it. */
int tree_stop(struct tree *t)
{
    int bad = stop_some(t, false) + stop_some(t, true);
    if (write(t->stop[1], "", 1) != 1)
        abort();
    pthread_join(t->broker, NULL);
    return bad;
}

void tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        close(t->controls[i]);
        close(t->brokers[i]);
        if (t->pids[i] == 0) {
            close(t->clients[i].control);
            close(t->clients[i].broker);
        }
    }
    close(t->stop[0]);
    close(t->stop[1]);
    config_free(t->config);
    folder_remove(&t->folder);
}

size_t children_of(pid_t parent, pid_t *pids, size_t max)
{
    size_t n = 0;
    DIR *proc = opendir("/proc");
    struct dirent *d;
    while (proc && n < max && (d = readdir(proc))) {
        char path[300], state;
        int pid, ppid;
        snprintf(path, sizeof path, "/proc/%s/stat", d->d_name);
        FILE *f = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        if (fscanf(f, "%d %*[^)]) %c %d", &pid, &state, &ppid) == 3 && ppid == parent && state != 'Z')
            pids[n++] = pid;
        fclose(f);
    }
    if (proc)
        closedir(proc);
    return n;
}
