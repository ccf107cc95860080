#include "imap/park.h"

#include "base/log.h"
#include "base/stream_deflate.h"
#include "imap/rights.h"

#include <string.h>

/* --- freezing --- */

/* The runs of rows that are \Recent, as uids. False: there are too many. */
static bool find_recent(const struct imap_view *v, struct imap_frozen *z)
{
    bool in_run = false;
    z->recent_count = 0;
    for (size_t i = 0; v->recent > 0 && i < v->rows.n; i++) {
        bool is_recent = v->rows.v[i].flags & VIEW_RECENT;
        if (is_recent && !in_run) {
            if (z->recent_count == FROZEN_RECENT_MAX)
                return false;
            z->recent[z->recent_count++].from = v->rows.v[i].uid;
        }
        if (is_recent)
            z->recent[z->recent_count - 1].to = v->rows.v[i].uid;
        in_run = is_recent;
    }
    return true;
}

static bool find_gone(const struct imap_view *v, struct imap_frozen *z)
{
    z->past.gone = z->gone;
    z->past.gone_count = 0;
    if (v->gone > FROZEN_GONE_MAX)
        return false;
    for (size_t i = 0; z->past.gone_count < v->gone && i < v->rows.n; i++)
        if (v->rows.v[i].flags & VIEW_GONE)
            z->gone[z->past.gone_count++] = v->rows.v[i].uid;
    return true;
}

static bool has_plain_stream(const struct stream *s)
{
    return !stream_is_deflated(s) /* what zlib holds is hundreds of KiB */ && !s->transport &&
           s->write_failed == STREAM_OK && stream_buffered(s).n == 0;
}

bool imap_session_can_park(const struct imap_session *s)
{
    struct imap_frozen z;
    bool is_small = s->is_owner /* a guest's name would have to be kept */ && !s->guests && !s->contexts &&
                    !s->notify && s->saved.n == 0;
    return !s->is_ending && is_small && has_plain_stream(s->stream) &&
           (!s->is_selected || (find_recent(&s->view, &z) && find_gone(&s->view, &z)));
}

void imap_park_waits(struct imap_session *s)
{
    atomic_store(&s->host->quiet_since_ms, imap_session_can_park(s) ? clock_ms() : 0);
}

void imap_park_works(struct imap_session *s)
{
    atomic_store(&s->host->quiet_since_ms, 0);
}

static struct imap_frozen describe(const struct imap_session *s, bool is_idle, struct deadline logout)
{
    const struct imap_view *v = &s->view;
    struct imap_frozen z = {.is_idle = is_idle,
                            .tag = str_from(s->tag, is_idle ? s->tag_size : 0),
                            .enabled = s->enabled,
                            .bad_in_a_row = s->bad_in_a_row,
                            .logout_at_ms = logout.at_ms,
                            .commands = s->commands,
                            .received = s->stream->received,
                            .sent = s->stream->sent,
                            .is_selected = s->is_selected};
    if (!s->is_selected)
        return z;
    z.is_read_only = s->is_read_only;
    z.rights = s->rights;
    z.past.mailbox = s->mailbox;
    z.past.modseq = v->rows.modseq;
    z.past.last_uid = imap_view_last_uid(v);
    z.past.messages = v->rows.n;
    z.told_modseq = v->gone > 0 ? v->told_modseq : 0;
    z.recent_messages = (uint32_t)v->recent;
    return z;
}

void imap_park_describe(const struct imap_frozen *z, struct account_frozen *out)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 0);
    imap_frozen_put(&f, z);
    *out = (struct account_frozen){.is_frozen = true,
                                   .wake_at_ms = z->logout_at_ms,
                                   .still = z->is_idle ? STR(IMAP_STILL_HERE) : STR(""),
                                   .still_every_ms = z->is_idle ? IMAP_STILL_HERE_MS : 0,
                                   .bye = STR("* BYE " IMAP_GOING_DOWN "\r\n")};
    buf_init(&out->state, IPC_PAYLOAD_MAX);
    buf_add(&out->state, buf_str(&f.payload));
}

bool imap_park_if_asked(struct imap_session *s, bool is_idle, struct deadline logout)
{
    struct account_session *host = s->host;
    if (!host->freezing || !atomic_load(host->freezing) ||
        stream_flush(s->stream, deadline_in(IMAP_COMMAND_MS)) != STREAM_OK || !imap_session_can_park(s))
        return false;
    struct imap_frozen z = describe(s, is_idle, logout);
    if (s->is_selected) {
        find_recent(&s->view, &z);
        find_gone(&s->view, &z);
    }
    imap_park_describe(&z, &host->frozen);
    s->is_ending = true;
    return true;
}

/* --- going on --- */

static bool restore_view(struct imap_session *s, const struct imap_frozen *z)
{
    struct err e = ERR_INIT;
    enum store_result r = imap_view_restore(&s->view, s->store, &z->past, z->enabled, z->told_modseq,
                                            z->recent, z->recent_count, &e);
    if (r == STORE_OK) {
        s->is_selected = true;
        s->is_read_only = z->is_read_only;
        s->rights = z->rights;
        s->rights_version = store_rights_version(s->store) + 1; /* not that one: they are looked up again */
        s->mailbox = z->past.mailbox;
        return true;
    }
    if (r == STORE_NONE) {
        imap_bye(s, "The selected mailbox was deleted");
        return false;
    }
    LOG_WARNING("imap.not-restored", F_STR("account", s->host->address), F_C("error", e.text));
    imap_bye(s, "[UNAVAILABLE] What happened meanwhile cannot be told; connect again");
    return false;
}

bool imap_park_thaw(struct imap_session *s, struct imap_frozen *z)
{
    if (!imap_frozen_get(s->host->thawed, z)) {
        LOG_ERROR("imap.bad-state", F_STR("account", s->host->address), F_INT("bytes", s->host->thawed.n));
        imap_bye(s, "[SERVERBUG] The session cannot go on; connect again");
        return false;
    }
    memcpy(s->tag, z->tag.p, z->tag.n);
    s->tag_size = z->tag.n;
    s->enabled = z->enabled;
    s->bad_in_a_row = z->bad_in_a_row;
    s->commands = z->commands;
    s->stream->received = z->received;
    s->stream->sent = z->sent;
    /* The clock is this machine's, but the bytes may be anybody's. */
    struct deadline most = deadline_in(IMAP_AUTOLOGOUT_MS);
    z->logout_at_ms = z->logout_at_ms < most.at_ms ? z->logout_at_ms : most.at_ms;
    return !z->is_selected || restore_view(s, z);
}
