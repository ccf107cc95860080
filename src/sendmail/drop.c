#include "sendmail/drop.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define NAME_BYTES 16

/* --- writing --- */

static void add_line(struct buf *out, const char *key, struct str value)
{
    buf_addf(out, "%s %.*s\n", key, STR_ARGS(value));
}

static void add_option(struct buf *out, const char *key, const char *value)
{
    if (value)
        add_line(out, key, str_from_c(value));
}

static void add_head(struct buf *out, const struct sendmail_letter *l)
{
    add_line(out, "sender", l->sender);
    for (size_t i = 0; i < l->count; i++)
        add_line(out, "recipient", l->recipients[i]);
    add_option(out, "notify", l->notify);
    add_option(out, "return", l->ret);
    add_option(out, "envid", l->envelope_id);
    if (l->is_8bit)
        add_line(out, "body", STR("8bit"));
    buf_add_byte(out, '\n');
}

static bool write_bytes(int fd, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = str_from_offset(bytes, (size_t)n);
    }
    return true;
}

/* The name cannot be guessed, and the folder not be listed: so the server may read it, and others do not. */
bool drop_write(struct str folder, const struct sendmail_letter *l, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf head;
    unsigned char random[NAME_BYTES];
    char name[2 * NAME_BYTES + 1];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(e, ERR_TEMPORARY, "no random numbers: %s", strerror(errno));
    str_write_hex(random, sizeof random, name);
    const char *draft = arena_printf(&a, "%.*s/%s", STR_ARGS(folder), name).p;
    const char *whole = arena_printf(&a, "%s%s", draft, DROP_SUFFIX).p;
    buf_init(&head, DROP_HEAD_MAX);
    add_head(&head, l);
    if (head.overflow)
        return err_set(e, ERR_PERMANENT, "too many recipients");
    CLEAN_CLOSE int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(e, ERR_TEMPORARY, "%.*s: %s", STR_ARGS(folder), strerror(errno));
    if (write_bytes(fd, buf_str(&head)) && write_bytes(fd, l->text) && fchmod(fd, 0644) == 0 &&
        fsync(fd) == 0 && rename(draft, whole) == 0)
        return true;
    err_set(e, ERR_TEMPORARY, "%.*s: %s", STR_ARGS(folder), strerror(errno));
    unlink(draft);
    return false;
}

/* --- reading --- */

static bool is_clean(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 127)
            return false;
    return true;
}

/* An address stands between < and > in a command. */
static bool is_path(struct str value)
{
    return str_find_byte(value, '<') == STR_NONE && str_find_byte(value, '>') == STR_NONE;
}

static bool is_word(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_alpha(value.p[i]) && value.p[i] != ',')
            return false;
    return value.n > 0;
}

struct reading {
    struct sendmail_letter *out;
    struct arena *arena;
    size_t room;
    bool has_sender;
};

static void add_recipient(struct reading *r, struct str address)
{
    struct sendmail_letter *l = r->out;
    if (l->count == r->room) {
        r->room = r->room ? r->room * 2 : 8;
        struct str *more = ARENA_ARRAY(r->arena, struct str, r->room);
        for (size_t i = 0; i < l->count; i++)
            more[i] = l->recipients[i];
        l->recipients = more;
    }
    l->recipients[l->count++] = address;
}

static bool take_line(struct reading *r, struct str key, struct str value)
{
    struct sendmail_letter *l = r->out;
    if (!is_clean(value))
        return false;
    if (str_eq(key, STR("recipient")) && is_path(value) && value.n > 0) {
        add_recipient(r, value);
    } else if (str_eq(key, STR("sender")) && is_path(value) && !r->has_sender) {
        l->sender = value;
        r->has_sender = true;
    } else if (str_eq(key, STR("notify")) && is_word(value)) {
        l->notify = arena_copy_c(r->arena, value);
    } else if (str_eq(key, STR("return")) && is_word(value)) {
        l->ret = arena_copy_c(r->arena, value);
    } else if (str_eq(key, STR("envid"))) {
        l->envelope_id = arena_copy_c(r->arena, value);
    } else if (str_eq(key, STR("body")) && str_eq(value, STR("8bit"))) {
        l->is_8bit = true;
    } else {
        return false;
    }
    return true;
}

bool drop_read(struct str file, struct arena *a, struct sendmail_letter *out, struct err *e)
{
    struct str rest = file, line, key;
    struct reading r = {.out = out, .arena = a};
    *out = (struct sendmail_letter){.sender = STR("")};
    for (;;) {
        if (!str_cut(&rest, '\n', &line) || file.n - rest.n > DROP_HEAD_MAX)
            return err_set(e, ERR_PERMANENT, "its head has no end");
        if (line.n == 0)
            break;
        str_cut(&line, ' ', &key);
        if (!take_line(&r, key, line))
            return err_set(e, ERR_PERMANENT, "a line of its head is not valid");
    }
    out->text = rest;
    if (!r.has_sender || out->count == 0)
        return err_set(e, ERR_PERMANENT, "it has no sender, or no recipient");
    /* A message that does not end in CRLF would swallow the dot behind it. */
    return rest.n == 0 || str_ends(rest, STR("\r\n")) ||
           err_set(e, ERR_PERMANENT, "its last line does not end in CRLF");
}
