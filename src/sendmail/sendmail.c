#include "sendmail/sendmail.h"

#include "base/mem.h"
#include "config/config.h"
#include "message/header.h"
#include "sendmail/drop.h"
#include "sendmail/mailq.h"
#include "sendmail/message.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)2 << 30) /* [smtp] message_size is at most that; the server says its own bound */

#define ALIASES_FILE "/etc/aliases" /* what newaliases reads */

struct sending {
    const struct config *config;
    const char *config_path;
    const struct sendmail_options *options;
    int argc;
    char **argv;
    struct arena arena;
    struct str origin; /* what stands behind an address without @ */
    struct sendmail_letter letter;
};

static enum sendmail_exit fail(enum sendmail_exit code, const struct err *e)
{
    fprintf(stderr, "sendmail: %s\n", e->text);
    return code;
}

/* --- who sends --- */

static const struct passwd *caller(void)
{
    return getpwuid(getuid());
}

/* A mailbox as it stands in MAIL or RCPT, with our origin where there is no domain. */
static bool path_of(struct sending *s, struct str typed, struct str *path, struct err *e)
{
    struct address_list list = address_parse_list(typed, &s->arena);
    if (list.n != 1 || list.v[0].group_start || list.v[0].local.n == 0)
        return err_set(e, ERR_PERMANENT, "\"%.*s\" is no address", STR_ARGS(typed));
    struct str domain = list.v[0].domain.n ? list.v[0].domain : s->origin;
    return sendmail_path(list.v[0].local, domain, &s->arena, path) ||
           err_set(e, ERR_PERMANENT, "\"%.*s\" cannot be sent to", STR_ARGS(typed));
}

static bool find_sender(struct sending *s, struct err *e)
{
    const struct passwd *who = caller();
    const char *typed = s->options->sender;
    if (typed && typed[0] == '\0') {
        s->letter.sender = STR("");
        return true;
    }
    struct str name = typed ? str_from_c(typed)
                      : who ? str_from_c(who->pw_name)
                            : arena_printf(&s->arena, "uid%u", (unsigned)getuid());
    return path_of(s, name, &s->letter.sender, e);
}

/* The full name of the password file: what stands before the first comma. & is the login name, capitalised.
 */
static struct str full_name(struct sending *s)
{
    const struct passwd *who = caller();
    if (s->options->name)
        return str_from_c(s->options->name);
    struct str gecos = who && who->pw_gecos ? str_from_c(who->pw_gecos) : STR("");
    gecos = str_slice(gecos, 0, str_find_byte(gecos, ','));
    return str_find_byte(gecos, '&') == STR_NONE ? gecos : STR("");
}

/* As a display name: in quotes, so that no character of it means anything. */
static struct str from_field(struct sending *s)
{
    CLEAN_BUF struct buf out;
    struct str name = full_name(s);
    buf_init(&out, (size_t)4096);
    buf_add(&out, STR("From: "));
    if (name.n > 0) {
        buf_add_byte(&out, '"');
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] == '"' || name.p[i] == '\\')
                buf_add_byte(&out, '\\');
            if ((unsigned char)name.p[i] >= ' ' && name.p[i] != 127)
                buf_add_byte(&out, name.p[i]);
        }
        buf_add(&out, STR("\" "));
    }
    struct str sender = s->letter.sender;
    if (sender.n == 0)
        sender = arena_printf(&s->arena, "MAILER-DAEMON@%.*s", STR_ARGS(s->origin));
    buf_addf(&out, "<%.*s>\r\n", STR_ARGS(sender));
    return arena_copy(&s->arena, buf_str(&out));
}

/* --- to whom --- */

static bool add_recipient(struct sending *s, size_t room, struct str path)
{
    struct sendmail_letter *l = &s->letter;
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(l->recipients[i], path))
            return true;
    if (l->count < room)
        l->recipients[l->count++] = path;
    return true;
}

/* An argument may be a list: "ana, bob@example.org". */
static bool find_recipients(struct sending *s, const struct sendmail_message *m, struct err *e)
{
    size_t room = s->options->has_recipients ? m->count : 0;
    for (int i = s->options->first_recipient; i < s->argc; i++)
        room += address_parse_list(str_from_c(s->argv[i]), &s->arena).n;
    s->letter.recipients = ARENA_ARRAY(&s->arena, struct str, room + 1);
    for (int i = s->options->first_recipient; i < s->argc; i++) {
        struct address_list list = address_parse_list(str_from_c(s->argv[i]), &s->arena);
        if (list.n == 0)
            return err_set(e, ERR_PERMANENT, "\"%s\" is no address", s->argv[i]);
        for (size_t k = 0; k < list.n; k++) {
            struct str path, domain = list.v[k].domain.n ? list.v[k].domain : s->origin;
            if (list.v[k].group_start || list.v[k].group_end || list.v[k].local.n == 0 ||
                !sendmail_path(list.v[k].local, domain, &s->arena, &path))
                return err_set(e, ERR_PERMANENT, "\"%s\" is no address", s->argv[i]);
            add_recipient(s, room, path);
        }
    }
    for (size_t i = 0; s->options->has_recipients && i < m->count; i++) {
        struct str path, domain = m->recipients[i].domain.n ? m->recipients[i].domain : s->origin;
        if (!sendmail_path(m->recipients[i].local, domain, &s->arena, &path))
            return err_set(e, ERR_PERMANENT, "an address of the header cannot be sent to");
        add_recipient(s, room, path);
    }
    return s->letter.count > 0 || err_set(e, ERR_PERMANENT, "there is no recipient");
}

/* --- the message --- */

static bool read_input(struct buf *in, struct err *e)
{
    char *to;
    while ((to = buf_room(in, 65536))) {
        ssize_t n = read(STDIN_FILENO, to, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_TEMPORARY, "reading the message: %s", strerror(errno));
        if (n == 0)
            return true;
        buf_grew(in, (size_t)n);
    }
    return err_set(e, ERR_PERMANENT, "the message is too large");
}

static void tell(void *context, struct str recipient, const char *reply)
{
    (void)context;
    if (reply[0] == '4')
        return; /* it goes into the maildrop */
    if (recipient.n > 0)
        fprintf(stderr, "sendmail: %.*s: %s\n", STR_ARGS(recipient), reply);
    else
        fprintf(stderr, "sendmail: %s\n", reply);
}

/* The server has it, or the maildrop, from which the server takes it when it can. */
static enum sendmail_exit hand_over(struct sending *s)
{
    struct err why = ERR_INIT, e = ERR_INIT;
    enum sendmail_exit code = SENDMAIL_TEMPORARY;
    int fd = sendmail_connect(s->config->submission_socket, &why);
    if (fd >= 0)
        code = sendmail_submit(fd, &s->letter, tell, NULL);
    if (s->letter.count == 0)
        return code;
    if (drop_write(s->config->maildrop, &s->letter, &e))
        return code == SENDMAIL_TEMPORARY ? SENDMAIL_OK : code;
    if (why.kind != ERR_NONE)
        fprintf(stderr, "sendmail: %s\n", why.text);
    return fail(SENDMAIL_TEMPORARY, &e);
}

static enum sendmail_exit send_message(struct sending *s)
{
    CLEAN_BUF struct buf in;
    struct sendmail_message m;
    struct err e = ERR_INIT;
    const struct sendmail_options *o = s->options;
    buf_init(&in, INPUT_MAX);
    if (!find_sender(s, &e))
        return fail(SENDMAIL_USAGE, &e);
    if (!o->has_recipients && o->first_recipient == s->argc) {
        fprintf(stderr, "sendmail: to whom? Name recipients, or give -t to take them from the header\n");
        return SENDMAIL_USAGE;
    }
    if (!read_input(&in, &e))
        return fail(e.kind == ERR_PERMANENT ? SENDMAIL_DATA : SENDMAIL_NO_INPUT, &e);
    sendmail_message_read(sendmail_lines(buf_str(&in), o->dot_is_text, &s->arena), from_field(s), &s->arena,
                          &m);
    if (!find_recipients(s, &m, &e))
        return fail(o->has_recipients && m.count == 0 ? SENDMAIL_DATA : SENDMAIL_USAGE, &e);
    s->letter.text = m.text;
    s->letter.is_8bit = m.has_8bit;
    s->letter.notify = o->notify;
    s->letter.ret = o->ret;
    s->letter.envelope_id = o->envelope_id;
    s->letter.is_verbose = o->is_verbose;
    return hand_over(s);
}

static enum sendmail_exit speak_smtp(const struct config *c)
{
    struct err e = ERR_INIT;
    int fd = sendmail_connect(c->submission_socket, &e);
    if (fd >= 0)
        return sendmail_pass(fd);
    printf("421 4.3.2 %s\r\n", e.text);
    return SENDMAIL_TEMPORARY;
}

/* newaliases is golub address import, which says for itself what is wrong. */
static enum sendmail_exit import_aliases(const struct sending *s)
{
    if (access(ALIASES_FILE, F_OK) < 0)
        return SENDMAIL_OK;
    execl("/proc/self/exe", "golub", "-c", s->config_path, "address", "import", ALIASES_FILE, (char *)NULL);
    fprintf(stderr, "%s: cannot run golub: %s\n", s->argv[0], strerror(errno));
    return SENDMAIL_TEMPORARY;
}

static enum sendmail_exit run(struct sending *s)
{
    switch (s->options->mode) {
    case SENDMAIL_SESSION: return speak_smtp(s->config);
    case SENDMAIL_LIST: return mailq_list(s->config);
    case SENDMAIL_FLUSH: return mailq_flush(s->config);
    case SENDMAIL_NEWALIASES: return import_aliases(s);
    case SENDMAIL_SEND: break;
    }
    return send_message(s);
}

int sendmail_main(const char *config_path, int argc, char **argv)
{
    struct sendmail_options options;
    struct err e = ERR_INIT;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    signal(SIGPIPE, SIG_IGN);
    if (!sendmail_options_read(argc, argv, &options, &e))
        return (int)fail(SENDMAIL_USAGE, &e);
    const char *path = options.config ? options.config : config_path;
    const struct config *c = config_load(path, &e);
    if (!c)
        return (int)fail(SENDMAIL_CONFIG, &e);
    struct sending s = {.config = c,
                        .config_path = path,
                        .options = &options,
                        .argc = argc,
                        .argv = argv,
                        .origin = c->origin};
    enum sendmail_exit code = run(&s);
    arena_free(&s.arena);
    config_free(c);
    return (int)code;
}
