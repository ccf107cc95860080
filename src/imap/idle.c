/* IDLE (RFC 2177): tells what happens in the selected mailbox as it happens, until DONE. */
#include "imap/notify.h"
#include "imap/park.h"

/* What may follow while idling: "DONE" is all. */
#define IDLE_LINE_MAX 64

static enum imap_status take_done(struct imap_session *s)
{
    struct str line;
    bool bare_lf;
    enum stream_result r =
        stream_read_line(s->stream, IDLE_LINE_MAX, deadline_in(IMAP_COMMAND_MS), &line, &bare_lf);
    if (r == STREAM_TOO_LONG)
        r = stream_skip_line(s->stream, deadline_in(IMAP_COMMAND_MS));
    else if (r == STREAM_OK && !bare_lf && str_eq_nocase(line, STR("DONE")))
        return imap_ok(s, "No longer idle");
    return r == STREAM_OK ? imap_bad(s, "Expected DONE") : IMAP_LOST;
}

/* Waits until the client says something. */
static enum imap_status idle(struct imap_session *s, struct deadline logout)
{
    for (;;) {
        /* First cleared, then looked: what is committed in between wakes us again. */
        imap_clear_wake(s);
        imap_sync(s, true);
        imap_notify_others(s);
        arena_free(&s->arena);
        if (atomic_load(s->host->stopping))
            imap_bye(s, IMAP_GOING_DOWN);
        if (s->is_ending || imap_park_if_asked(s, true, logout))
            return IMAP_LOST;
        struct deadline next = deadline_sooner(logout, deadline_in(IMAP_STILL_HERE_MS));
        imap_park_waits(s);
        enum stream_result r = stream_wait_for_both(s->stream, s->host->wake_fd, next);
        switch (r) {
        case STREAM_OK: imap_park_works(s); return take_done(s);
        case STREAM_WOKEN: break;
        case STREAM_TIMEOUT:
            if (deadline_passed(logout))
                imap_bye(s, "Nothing was heard from you for 30 minutes");
            else
                stream_write(s->stream, STR(IMAP_STILL_HERE));
            break;
        case STREAM_EOF:
        case STREAM_ERROR:
        case STREAM_TOO_LONG: return IMAP_LOST;
        }
    }
}

enum imap_status imap_idle(struct imap_session *s, struct deadline logout)
{
    imap_reader_free(&s->reader); /* most sessions are here most of the time: they keep little */
    store_watch(s->store, s->host->wake_fd);
    enum imap_status status = idle(s, logout);
    store_unwatch(s->store, s->host->wake_fd);
    return status;
}

enum imap_status imap_do_idle(struct imap_session *s, struct imap_cursor *c)
{
    if (!imap_take_end(c))
        return imap_bad_syntax(s, c);
    stream_write(s->stream, STR("+ idling\r\n"));
    return imap_idle(s, deadline_in(IMAP_AUTOLOGOUT_MS));
}
