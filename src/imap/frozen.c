#include "imap/frozen.h"

enum { IS_IDLE = 1 << 0, IS_SELECTED = 1 << 1, IS_READ_ONLY = 1 << 2, ALL_BITS = 7 };

static void put_mailbox(struct ipc_frame *f, const struct imap_frozen *z)
{
    ipc_put_u32(f, z->rights);
    ipc_put_u64(f, (uint64_t)z->past.mailbox);
    ipc_put_u64(f, z->past.modseq);
    ipc_put_u32(f, z->past.last_uid);
    ipc_put_u32(f, (uint32_t)z->past.messages);
    ipc_put_u64(f, z->told_modseq);
    ipc_put_u32(f, z->recent_messages);
    ipc_put_u8(f, (uint8_t)z->recent_count);
    for (size_t i = 0; i < z->recent_count; i++) {
        ipc_put_u32(f, z->recent[i].from);
        ipc_put_u32(f, z->recent[i].to);
    }
    ipc_put_u8(f, (uint8_t)z->past.gone_count);
    for (size_t i = 0; i < z->past.gone_count; i++)
        ipc_put_u32(f, z->past.gone[i]);
}

void imap_frozen_put(struct ipc_frame *f, const struct imap_frozen *z)
{
    ipc_put_u8(f, (uint8_t)((z->is_idle ? IS_IDLE : 0) | (z->is_selected ? IS_SELECTED : 0) |
                            (z->is_read_only ? IS_READ_ONLY : 0)));
    ipc_put_str(f, z->tag);
    ipc_put_u32(f, z->enabled);
    ipc_put_u32(f, z->bad_in_a_row);
    ipc_put_u64(f, (uint64_t)z->logout_at_ms);
    ipc_put_u64(f, z->commands);
    ipc_put_u64(f, z->received);
    ipc_put_u64(f, z->sent);
    if (z->is_selected)
        put_mailbox(f, z);
}

/* Ascending, each within what the client knows of. */
static bool get_uid(struct ipc_reader *in, const struct imap_frozen *z, uint32_t after, uint32_t *uid)
{
    *uid = ipc_get_u32(in);
    return !in->bad && *uid > after && *uid <= z->past.last_uid;
}

static bool get_recent(struct ipc_reader *in, struct imap_frozen *z)
{
    z->recent_messages = ipc_get_u32(in);
    z->recent_count = ipc_get_u8(in);
    if (z->recent_count > FROZEN_RECENT_MAX || z->recent_messages < z->recent_count ||
        z->recent_messages > z->past.messages || (z->recent_messages > 0 && z->recent_count == 0))
        return false;
    for (size_t i = 0; i < z->recent_count; i++) {
        struct imap_range *r = &z->recent[i];
        if (!get_uid(in, z, i > 0 ? z->recent[i - 1].to : 0, &r->from) ||
            !get_uid(in, z, r->from - 1, &r->to))
            return false;
    }
    return true;
}

static bool get_gone(struct ipc_reader *in, struct imap_frozen *z)
{
    z->past.gone = z->gone;
    z->past.gone_count = ipc_get_u8(in);
    if (z->past.gone_count > FROZEN_GONE_MAX)
        return false;
    for (size_t i = 0; i < z->past.gone_count; i++)
        if (!get_uid(in, z, i > 0 ? z->gone[i - 1] : 0, &z->gone[i]))
            return false;
    return true;
}

static bool get_mailbox(struct ipc_reader *in, struct imap_frozen *z)
{
    z->rights = ipc_get_u32(in);
    uint64_t mailbox = ipc_get_u64(in);
    z->past.mailbox = (int64_t)mailbox;
    z->past.modseq = ipc_get_u64(in);
    z->past.last_uid = ipc_get_u32(in);
    z->past.messages = ipc_get_u32(in);
    z->told_modseq = ipc_get_u64(in);
    return mailbox > 0 && mailbox <= INT32_MAX && z->past.modseq <= INT64_MAX &&
           z->told_modseq <= z->past.modseq && z->past.messages <= z->past.last_uid && get_recent(in, z) &&
           get_gone(in, z) && z->past.gone_count <= z->past.messages;
}

bool imap_frozen_get(struct str bytes, struct imap_frozen *z)
{
    struct ipc_reader in = {.rest = bytes};
    *z = (struct imap_frozen){0};
    uint8_t bits = ipc_get_u8(&in);
    z->is_idle = bits & IS_IDLE;
    z->is_selected = bits & IS_SELECTED;
    z->is_read_only = bits & IS_READ_ONLY;
    z->tag = ipc_get_str(&in);
    z->enabled = ipc_get_u32(&in);
    z->bad_in_a_row = ipc_get_u32(&in);
    uint64_t logout_at = ipc_get_u64(&in);
    z->logout_at_ms = (int64_t)logout_at;
    z->commands = ipc_get_u64(&in);
    z->received = ipc_get_u64(&in);
    z->sent = ipc_get_u64(&in);
    bool good = (bits & ~ALL_BITS) == 0 && z->tag.n <= IMAP_TAG_MAX && logout_at <= INT64_MAX &&
                (z->is_selected || !z->is_read_only);
    return good && (!z->is_selected || get_mailbox(&in, z)) && ipc_done(&in);
}
