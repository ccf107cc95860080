#include "imap/session.h"

#include "base/log.h"
#include "config/config.h"
#include "imap/capability.h"
#include "imap/context.h"
#include "imap/notify.h"
#include "imap/park.h"
#include "imap/rights.h"
#include "imap/saved.h"
#include "imap/shared.h"

#include <string.h>
#include <unistd.h>

/* A client that has sent so many will send more: it is worth two system calls to save one with each. */
#define MANY_COMMANDS 4

enum when { NEVER, ALWAYS, SELECTED }; /* NEVER: it was for before login */
enum form { PLAIN = 1, UID = 2, BOTH = PLAIN | UID };

/* What is told behind a command besides its own data. RFC 3501 section 7.4.1 allows no EXPUNGE in answer to
 * FETCH, STORE and SEARCH, as the client may have sent more sequence numbers already; their UID forms may. */
enum tells { NOTHING, ALL, NO_EXPUNGE };

static const struct command {
    struct str name;
    enum when when;
    enum form form;
    enum tells tells;
    imap_handler *run;
} COMMANDS[] = {
    /* RFC 3501 sections 6.1 to 6.4 */
    {STR_INIT("CAPABILITY"), ALWAYS, PLAIN, ALL, imap_do_capability},
    {STR_INIT("NOOP"), ALWAYS, PLAIN, ALL, imap_do_noop},
    {STR_INIT("LOGOUT"), ALWAYS, PLAIN, NOTHING, imap_do_logout},
    {STR_INIT("STARTTLS"), NEVER, PLAIN, NOTHING, NULL},
    {STR_INIT("AUTHENTICATE"), NEVER, PLAIN, NOTHING, NULL},
    {STR_INIT("LOGIN"), NEVER, PLAIN, NOTHING, NULL},
    {STR_INIT("SELECT"), ALWAYS, PLAIN, NOTHING, imap_do_select},
    {STR_INIT("EXAMINE"), ALWAYS, PLAIN, NOTHING, imap_do_examine},
    {STR_INIT("CREATE"), ALWAYS, PLAIN, ALL, imap_do_create},
    {STR_INIT("DELETE"), ALWAYS, PLAIN, ALL, imap_do_delete},
    {STR_INIT("RENAME"), ALWAYS, PLAIN, ALL, imap_do_rename},
    {STR_INIT("SUBSCRIBE"), ALWAYS, PLAIN, ALL, imap_do_subscribe},
    {STR_INIT("UNSUBSCRIBE"), ALWAYS, PLAIN, ALL, imap_do_unsubscribe},
    {STR_INIT("LIST"), ALWAYS, PLAIN, ALL, imap_do_list},
    {STR_INIT("LSUB"), ALWAYS, PLAIN, ALL, imap_do_lsub},
    {STR_INIT("STATUS"), ALWAYS, PLAIN, ALL, imap_do_status},
    {STR_INIT("APPEND"), ALWAYS, PLAIN, ALL, imap_do_append},
    {STR_INIT("CHECK"), SELECTED, PLAIN, ALL, imap_do_noop},
    {STR_INIT("CLOSE"), SELECTED, PLAIN, NOTHING, imap_do_close},
    {STR_INIT("EXPUNGE"), SELECTED, BOTH, ALL, imap_do_expunge}, /* UID: RFC 4315 */
    {STR_INIT("SEARCH"), SELECTED, BOTH, NO_EXPUNGE, imap_do_search},
    {STR_INIT("FETCH"), SELECTED, BOTH, NO_EXPUNGE, imap_do_fetch},
    {STR_INIT("STORE"), SELECTED, BOTH, NO_EXPUNGE, imap_do_store},
    {STR_INIT("COPY"), SELECTED, BOTH, ALL, imap_do_copy},
    /* extensions */
    {STR_INIT("ID"), ALWAYS, PLAIN, ALL, imap_do_id},                   /* RFC 2971 */
    {STR_INIT("ENABLE"), ALWAYS, PLAIN, ALL, imap_do_enable},           /* RFC 5161 */
    {STR_INIT("NAMESPACE"), ALWAYS, PLAIN, ALL, imap_do_namespace},     /* RFC 2342 */
    {STR_INIT("IDLE"), ALWAYS, PLAIN, ALL, imap_do_idle},               /* RFC 2177 */
    {STR_INIT("UNSELECT"), SELECTED, PLAIN, NOTHING, imap_do_unselect}, /* RFC 3691 */
    {STR_INIT("MOVE"), SELECTED, BOTH, ALL, imap_do_move},              /* RFC 6851 */
    {STR_INIT("COMPRESS"), ALWAYS, PLAIN, NOTHING, imap_do_compress},   /* RFC 4978 */
    {STR_INIT("REPLACE"), SELECTED, BOTH, ALL, imap_do_replace},        /* RFC 8508 */
    {STR_INIT("UIDBATCHES"), SELECTED, PLAIN, ALL, imap_do_uidbatches},
    {STR_INIT("UNAUTHENTICATE"), ALWAYS, PLAIN, NOTHING, imap_do_unauthenticate}, /* RFC 8437 */
    {STR_INIT("SORT"), SELECTED, BOTH, NO_EXPUNGE, imap_do_sort},                 /* RFC 5256 */
    {STR_INIT("THREAD"), SELECTED, BOTH, NO_EXPUNGE, imap_do_thread},
    {STR_INIT("CANCELUPDATE"), SELECTED, PLAIN, ALL, imap_do_cancelupdate}, /* RFC 5267 */
    {STR_INIT("ESEARCH"), ALWAYS, PLAIN, ALL, imap_do_esearch},             /* RFC 7377 */
    {STR_INIT("NOTIFY"), ALWAYS, PLAIN, NOTHING, imap_do_notify},           /* RFC 5465 */
    {STR_INIT("GETMETADATA"), ALWAYS, PLAIN, ALL, imap_do_getmetadata},     /* RFC 5464 */
    {STR_INIT("SETMETADATA"), ALWAYS, PLAIN, ALL, imap_do_setmetadata},
    {STR_INIT("GETQUOTA"), ALWAYS, PLAIN, ALL, imap_do_getquota}, /* RFC 9208 */
    {STR_INIT("GETQUOTAROOT"), ALWAYS, PLAIN, ALL, imap_do_getquotaroot},
    {STR_INIT("SETQUOTA"), ALWAYS, PLAIN, ALL, imap_do_setquota},
    /* ACL, RFC 4314 */
    {STR_INIT("GETACL"), ALWAYS, PLAIN, ALL, imap_do_getacl},
    {STR_INIT("SETACL"), ALWAYS, PLAIN, ALL, imap_do_setacl},
    {STR_INIT("DELETEACL"), ALWAYS, PLAIN, ALL, imap_do_deleteacl},
    {STR_INIT("LISTRIGHTS"), ALWAYS, PLAIN, ALL, imap_do_listrights},
    {STR_INIT("MYRIGHTS"), ALWAYS, PLAIN, ALL, imap_do_myrights},
};

/* The plain form of a command that has a UID form speaks of sequence numbers; but for EXPUNGE, which takes no
 * arguments. */
static bool uses_numbers(const struct command *known, bool by_uid)
{
    return known->form == BOTH && !by_uid && known->run != imap_do_expunge;
}

static bool expunges(const struct command *known)
{
    return known->run == imap_do_expunge || known->run == imap_do_move || known->run == imap_do_replace;
}

static const struct command *find_command(struct str name)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (str_eq_nocase(COMMANDS[i].name, name))
            return &COMMANDS[i];
    return NULL;
}

/* --- the selected mailbox --- */

void imap_deselect(struct imap_session *s)
{
    if (s->is_selected)
        imap_view_close(&s->view);
    s->is_selected = false;
    imap_contexts_close(s);
    imap_saved_clear(s);
}

static void before_expunge(void *session)
{
    imap_contexts_before_expunge(session);
}

void imap_note_own(struct imap_session *s, int64_t mailbox, uint32_t first_uid, uint32_t last_uid)
{
    if (s->is_selected && s->mailbox == mailbox)
        s->own = (struct imap_range){first_uid, last_uid};
}

/* Messages behind `last_uid`, which EXISTS has just told of, but for those that the client added itself. */
static void describe_new(struct imap_session *s, uint32_t last_uid)
{
    const struct view *rows = &s->view.rows;
    size_t first = last_uid < UINT32_MAX ? view_place(rows, last_uid + 1) : rows->n, n = 0;
    if (!s->notify || first == rows->n)
        return;
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, rows->n - first);
    for (size_t i = first; i < rows->n; i++)
        if (rows->v[i].uid < s->own.from || rows->v[i].uid > s->own.to)
            uids[n++] = rows->v[i].uid;
    imap_notify_new(s, uids, n);
}

void imap_sync(struct imap_session *s, bool may_expunge)
{
    unsigned events = imap_notify_selected(s);
    if (!s->is_selected || s->is_ending)
        return;
    imap_sync_rights(s);
    /* Who has asked by NOTIFY for nothing sees the mailbox as it was (RFC 5465 section 5). */
    if (s->is_ending || (!(events & NOTIFY_NEW) && !s->must_tell))
        return;
    struct err e = ERR_INIT;
    uint32_t last_uid = imap_view_last_uid(&s->view);
    s->view.before_expunge = before_expunge;
    s->view.context = s;
    s->view.hides_flags = !(events & NOTIFY_FLAGS);
    s->view.tells_uid = s->notify != NULL;
    enum store_result r = imap_view_sync(&s->view, s->store, s->mailbox, may_expunge, !s->is_read_only,
                                         &s->arena, s->stream, &e);
    if (r == STORE_OK) {
        describe_new(s, last_uid);
        imap_contexts_after_sync(s); /* behind the FETCH: RFC 5465 section 7 */
        return;
    }
    if (r == STORE_NONE) { /* deleted by another session: RFC 2180 section 3.3 */
        imap_bye(s, "The selected mailbox was deleted");
        return;
    }
    /* What cannot be told now is told next time; the command itself was done. */
    LOG_ERROR("imap.sync_failed", F_STR("account", s->host->address), F_C("error", e.text));
}

void imap_clear_wake(struct imap_session *s)
{
    uint64_t count;
    /* EAGAIN: somebody else's wake-up was cleared with ours, which is as good. */
    if (read(s->host->wake_fd, &count, sizeof count) < 0)
        return;
}

/* --- one command --- */

static enum imap_status run(struct imap_session *s, const struct imap_command *command,
                            const struct command *known)
{
    if (!known || !((command->by_uid ? UID : PLAIN) & known->form))
        return imap_bad(s, "Unknown command");
    if (known->when == NEVER)
        return imap_bad(s, "You are logged in already");
    enum imap_status status;
    if (imap_shared_serve(s, command, known->when == SELECTED, &status))
        return status;
    if (known->when == SELECTED && !s->is_selected)
        return imap_bad(s, "No mailbox is selected");
    if (s->enabled & ENABLED_UIDONLY && uses_numbers(known, command->by_uid)) /* RFC 9586 section 3.1 */
        return imap_bad(s, "[UIDREQUIRED] With UIDONLY there are no sequence numbers: use the UID form");
    if (known->when == SELECTED)
        imap_sync(s, false); /* so that what it works on is what is there */
    if (s->is_ending)
        return imap_no(s, "[NONEXISTENT] The mailbox is gone");
    struct imap_cursor args = command->args;
    s->by_uid = command->by_uid;
    struct imap_command done = *command;
    done.name = known->name; /* IDLE gives the line back, and has no arguments */
    status = known->run(s, &args);
    if (status == IMAP_OK)
        imap_shared_follow(s, &done);
    return status;
}

static void keep_tag(struct imap_session *s, struct str tag)
{
    s->tag_size = tag.n < sizeof s->tag ? tag.n : sizeof s->tag;
    memcpy(s->tag, tag.p, s->tag_size);
}

static void answer(struct imap_session *s, enum imap_status status)
{
    static const char *const WORDS[] = {[IMAP_OK] = "OK", [IMAP_NO] = "NO", [IMAP_BAD] = "BAD"};
    if (status == IMAP_LOST) {
        s->is_ending = true;
        return;
    }
    if (status == IMAP_RELAYED)
        return;
    if (status == IMAP_OK)
        imap_tell_limit(s);
    stream_write(s->stream, s->tag_size > 0 ? str_from(s->tag, s->tag_size) : STR("*"));
    stream_writef(s->stream, " %s ", WORDS[status]);
    if (s->answers_modseq && status == IMAP_OK && s->is_selected)
        stream_writef(s->stream, "[HIGHESTMODSEQ %llu] ", (unsigned long long)imap_view_modseq(&s->view));
    stream_write(s->stream, s->answer);
    stream_write(s->stream, STR("\r\n"));
    s->bad_in_a_row = status == IMAP_BAD ? s->bad_in_a_row + 1 : 0;
    if (s->bad_in_a_row >= IMAP_BAD_MAX)
        imap_bye(s, "Too many bad commands");
}

/* A literal that a refused command announced, and what follows it: a client that sends it without being asked
 * has it dropped. */
static enum imap_status drop_unread(struct imap_session *s, enum imap_status status)
{
    if (!s->reader.has_literal || status == IMAP_LOST)
        return status;
    enum imap_read_result r = imap_read_skip(&s->reader, IMAP_DROP_MAX, deadline_in(IMAP_AUTOLOGOUT_MS));
    if (r == IMAP_READ_TOO_LONG)
        imap_bye(s, "The message is far too large");
    return r == IMAP_READ_DONE ? status : IMAP_LOST;
}

/* The client may have been told newer modseqs than those of an EXPUNGE that it is still owed. Lest it takes
 * them for what it knows and reconnects with them, it is told what it really knows (RFC 7162 section 3.2). */
static void tell_late_expunges(struct imap_session *s)
{
    if (s->is_selected && !s->is_ending && s->view.gone > 0 && s->enabled & ENABLED_CONDSTORE)
        stream_writef(s->stream, "* OK [HIGHESTMODSEQ %llu] An EXPUNGE has to wait\r\n",
                      (unsigned long long)imap_view_modseq(&s->view));
}

/* The end of every command. */
static void conclude(struct imap_session *s, enum tells tells, enum imap_status status)
{
    if (tells != NOTHING && status != IMAP_LOST) {
        imap_sync(s, tells == ALL);
        s->must_tell = false;
        tell_late_expunges(s);
    }
    imap_shared_tell_directory(s);
    answer(s, status);
}

/* What has been read is a command, or enough of one to be answered. */
static void serve(struct imap_session *s, enum imap_read_result got)
{
    struct imap_command command;
    bool is_command = imap_parse_command(buf_str(&s->reader.command), &command);
    keep_tag(s, command.tag);
    s->answers_modseq = false;
    s->limited_uid = 0;
    s->own = (struct imap_range){0};
    const struct command *known = is_command ? find_command(command.name) : NULL;
    enum imap_status status;
    if (got == IMAP_READ_BARE_LF)
        status = imap_bad(s, "Lines end in CRLF, not in LF alone");
    else if (got == IMAP_READ_TOO_BIG)
        status = imap_bad(s, "[TOOBIG] The command is longer than %zu bytes", IMAP_COMMAND_MAX);
    else if (!is_command)
        status = imap_bad_syntax(s, &command.args);
    else
        status = run(s, &command, known);
    status = drop_unread(s, status);
    s->must_tell = known && expunges(known);
    conclude(s, !known ? NOTHING : known->tells == NO_EXPUNGE && command.by_uid ? ALL : known->tells, status);
    if (s->starts_deflate) /* right behind its OK (RFC 4978 section 3) */
        imap_start_deflate(s);
}

/* Reads up to the end of the command, or up to the message of an APPEND. */
static enum imap_read_result read_command(struct imap_session *s, struct deadline d)
{
    imap_read_begin(&s->reader);
    for (;;) {
        enum imap_read_result got = imap_read_line(&s->reader, d);
        if (got == IMAP_READ_LITERAL) {
            if (imap_append_is_due(s))
                return IMAP_READ_DONE;
            got = imap_read_literal(&s->reader, d);
            if (got == IMAP_READ_DONE)
                continue;
        }
        return got;
    }
}

static void read_and_serve(struct imap_session *s)
{
    arena_reset(&s->arena);
    s->commands++;
    struct deadline d = deadline_in(IMAP_COMMAND_MS);
    enum imap_read_result got = read_command(s, d);
    enum imap_read_result skipped = IMAP_READ_DONE;
    if (got == IMAP_READ_BARE_LF || got == IMAP_READ_TOO_BIG)
        skipped = imap_read_skip(&s->reader, IMAP_DROP_MAX, deadline_in(IMAP_AUTOLOGOUT_MS));
    if (skipped != IMAP_READ_DONE)
        got = skipped;
    switch (got) {
    case IMAP_READ_DONE:
    case IMAP_READ_LITERAL:
    case IMAP_READ_BARE_LF:
    case IMAP_READ_TOO_BIG: serve(s, got); break;
    case IMAP_READ_TOO_LONG: imap_bye(s, "A command line is too long"); break;
    case IMAP_READ_TIMEOUT: imap_bye(s, "A command was not finished in time"); break;
    case IMAP_READ_CLOSED: s->is_ending = true; break;
    }
}

/* --- the session --- */

/* With NOTIFY, somebody else may say something at any time. */
static enum stream_result wait_for_client(struct imap_session *s, struct deadline logout)
{
    if (s->notify)
        return stream_wait_for_both(s->stream, s->host->wake_fd, logout);
    if (s->commands == MANY_COMMANDS && !s->stream->transport)
        stream_wait_in_reads(s->stream);
    return stream_wait(s->stream, s->host->wake_fd, logout);
}

/* True when there is something to read. */
static bool wait_for_command(struct imap_session *s, struct deadline logout)
{
    for (;;) {
        if (atomic_load(s->host->stopping)) {
            imap_bye(s, IMAP_GOING_DOWN);
            return false;
        }
        if (imap_park_if_asked(s, false, logout))
            return false;
        imap_park_waits(s);
        switch (wait_for_client(s, logout)) {
        case STREAM_OK: imap_park_works(s); return true;
        case STREAM_WOKEN: /* stopping, to sleep, or what NOTIFY asks for */
            imap_clear_wake(s);
            imap_notify_tell(s);
            arena_free(&s->arena);
            if (s->is_ending)
                return false;
            break;
        case STREAM_TIMEOUT: imap_bye(s, "Nothing was heard from you for 30 minutes"); return false;
        case STREAM_EOF:
        case STREAM_ERROR:
        case STREAM_TOO_LONG: s->is_ending = true; return false;
        }
    }
}

/* The login is answered here, where the mailbox can be opened: OK means that it can. */
static void greet(struct imap_session *s)
{
    CLEAN_BUF struct buf capabilities;
    buf_init(&capabilities, IMAP_LINE_MAX);
    imap_add_capability_after_login(&capabilities, s->host->config);
    s->answer = arena_printf(&s->arena, "[CAPABILITY %.*s] Logged in", STR_ARGS(buf_str(&capabilities)));
    keep_tag(s, s->host->tag);
    answer(s, IMAP_OK);
}

/* What the session before has left: its IDLE, or its wait for a command. */
static void go_on(struct imap_session *s)
{
    struct imap_frozen z;
    if (!imap_park_thaw(s, &z))
        return;
    struct deadline logout = {z.logout_at_ms};
    if (z.is_idle)
        conclude(s, ALL, imap_idle(s, logout));
    else if (wait_for_command(s, logout))
        read_and_serve(s);
}

static void log_end(const struct imap_session *s)
{
    LOG_INFO("imap.closed", F_STR("account", s->host->address), F_C("peer", s->host->connection.peer),
             F_INT("commands", s->commands), F_INT("received", s->stream->received),
             F_INT("sent", s->stream->sent));
}

void imap_session_run(struct account_session *host)
{
    struct imap_session s = {.host = host, .stream = &host->stream, .store = host->store};
    s.user = host->user.n > 0 ? host->user : host->address;
    s.is_owner = str_eq(s.user, host->address);
    s.is_from_afar = host->is_from_afar;
    s.shared_version = store_rights_version(s.store);
    buf_init(&s.subscribed, GUEST_SUBSCRIBED_MAX);
    imap_reader_init(&s.reader, s.stream, IMAP_COMMAND_MAX);
    if (host->thawed.n > 0)
        go_on(&s);
    else
        greet(&s);
    while (!s.is_ending) {
        bool has_line = str_find_byte(stream_buffered(s.stream), '\n') != STR_NONE;
        /* pipelined commands are answered together */
        if (!has_line && !wait_for_command(&s, deadline_in(IMAP_AUTOLOGOUT_MS)))
            break;
        read_and_serve(&s);
    }
    if (!host->frozen.is_frozen) {
        stream_flush(s.stream, deadline_in(IMAP_COMMAND_MS)); /* nobody is left to tell of its failure */
        log_end(&s);
    }
    imap_deselect(&s);
    imap_shared_close(&s);
    buf_free(&s.subscribed);
    imap_notify_end(&s);
    imap_reader_free(&s.reader);
    arena_free(&s.arena);
}
