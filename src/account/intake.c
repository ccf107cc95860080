#include "account/intake.h"

#include "account/delivery.h"
#include "account/report.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sealed.h"

#include <string.h>

/* One commit costs one fsync however many messages it holds; these bound what one holds. */
#define BATCH_MAX       128
#define BATCH_BYTES_MAX ((uint64_t)64 * 1024 * 1024) /* one larger message makes a batch by itself */

#define KEPT_MAX ((size_t)16 * 1024) /* of memory, between one message and the next */

#define PATH_BYTES_MAX 1024 /* of a sender or recipient: RFC 5321 section 4.5.3.1.3 has 256, UTF-8 more */
#define REPLY_MS       1000 /* whoever delivers waits for our answer, so it is taken at once */

struct delivery {
    uint64_t channel; /* serial: whoever asked may be gone by the time it is stored */
    uint32_t request;
    unsigned char id[DELIVERY_ID_BYTES];
    struct buf payload; /* of the frame, in which a small message lies; its memory is used again */
    struct str message;
    bool is_inline;    /* in the payload; else sealed_release gives it back */
    struct str prefix; /* in the arena of the batch */
    bool again;
    bool is_for_postmaster;
};

struct intake {
    struct host *host;
    size_t channels;
    int64_t inbox; /* 0: not looked up yet. INBOX cannot be deleted, so its id stays */
    struct arena arena;
    uint64_t bytes;
    size_t n;
    struct delivery deliveries[BATCH_MAX];
    struct store_append items[BATCH_MAX];
};

/* --- answers --- */

static void answer(struct intake *in, uint64_t channel, uint32_t request, enum delivery_fate fate,
                   const char *reply, struct str where)
{
    struct loop_channel *c = loop_channel_find(in->host->loop, channel);
    if (!c)
        return; /* it asks again, with `again` set, and is told what became of this one */
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, DELIVERY_FRAME_RESULT);
    f.id = request;
    ipc_put_u8(&f, (uint8_t)fate);
    ipc_put_str(&f, str_from_c(reply));
    ipc_put_str(&f, where);
    if (ipc_send(loop_channel_fd(c), &f, deadline_in(REPLY_MS)) != IPC_OK)
        loop_channel_close(c);
}

struct verdict {
    enum delivery_fate fate;
    const char *reply; /* codes of RFC 3463 */
};

/* The words go to the sender, so they hold nothing about this machine; the log has the rest. */
static struct verdict judge(const struct intake *in, enum store_result result, const struct err *e)
{
    switch (result) {
    case STORE_OK: return (struct verdict){DELIVERY_STORED, "2.0.0 Stored"};
    case STORE_OVERQUOTA:
        return in->host->start->config->over_quota_is_permanent
                   ? (struct verdict){DELIVERY_PERMANENT, "5.2.2 Mailbox is full"}
                   : (struct verdict){DELIVERY_TEMPORARY, "4.2.2 Mailbox is full"};
    case STORE_LIMIT: return (struct verdict){DELIVERY_TEMPORARY, "4.2.2 Mailbox is full"};
    case STORE_INVALID: return (struct verdict){DELIVERY_PERMANENT, "5.6.0 Message cannot be stored"};
    case STORE_FAILED:
        if (e->kind == ERR_TEMPORARY)
            return (struct verdict){DELIVERY_TEMPORARY, "4.3.1 Mailbox storage is full or busy"};
        if (e->kind == ERR_PERMANENT)
            return (struct verdict){DELIVERY_PERMANENT, "5.3.0 Message cannot be stored"};
        break;
    case STORE_NONE:
    case STORE_FORBIDDEN:
    case STORE_EXISTS: break;
    }
    return (struct verdict){DELIVERY_TEMPORARY, "4.3.0 Mailbox is not available"};
}

static struct str hex(const unsigned char *id, char *text)
{
    str_write_hex(id, DELIVERY_ID_BYTES, text);
    return str_from(text, (size_t)2 * DELIVERY_ID_BYTES);
}

/* Everything goes to INBOX. */
static struct str folder_of(const struct intake *in, const struct store_append *item)
{
    return item->mailbox == in->inbox ? STR("INBOX") : STR("");
}

static void log_fate(const struct intake *in, const struct delivery *d, const struct store_append *item)
{
    char text[2 * DELIVERY_ID_BYTES + 1];
    struct str id = hex(d->id, text);
    int64_t account = in->host->start->id;
    if (item->result == STORE_OK)
        LOG_INFO("message.stored", F_STR("delivery", id), F_INT("account", account),
                 F_C("address", in->host->start->address), F_INT("size", item->prefix.n + item->bytes.n),
                 F_STR("where", folder_of(in, item)), F_INT("uid", item->uid));
    else
        LOG_WARNING("message.refused", F_STR("delivery", id), F_INT("account", account),
                    F_C("address", in->host->start->address), F_C("error", item->err.text));
}

/* --- the commit --- */

static void fail_all(struct intake *in, const struct err *e)
{
    for (size_t i = 0; i < in->n; i++) {
        in->items[i].result = STORE_FAILED;
        in->items[i].err = *e;
    }
}

static bool find_inbox(struct intake *in, struct store *s, struct err *e)
{
    struct mailbox inbox;
    if (in->inbox == 0 && store_mailbox_find(s, STR("INBOX"), &in->arena, &inbox, e) != STORE_OK)
        return false;
    if (in->inbox == 0)
        in->inbox = inbox.id;
    return true;
}

static void store_all(struct intake *in)
{
    struct err e = ERR_INIT;
    struct store *s = host_store(in->host, &e);
    int64_t now = clock_wall();
    if (!s || !find_inbox(in, s, &e)) {
        fail_all(in, &e);
        return;
    }
    for (size_t i = 0; i < in->n; i++) {
        struct delivery *d = &in->deliveries[i];
        in->items[i] = (struct store_append){.mailbox = in->inbox,
                                             .prefix = d->prefix,
                                             .bytes = d->message,
                                             .received = now,
                                             .delivery = str_from(d->id, sizeof d->id),
                                             .again = d->again,
                                             .beyond_quota = d->is_for_postmaster};
    }
    if (store_arrive(s, in->items, in->n, &e) == STORE_FAILED)
        fail_all(in, &e);
}

/* The memory of one message is kept for the next: as a rule they come one by one, and are small. */
static void let_go(struct delivery *d, bool keeps_memory)
{
    if (!d->is_inline)
        sealed_release(d->message);
    if (keeps_memory && d->payload.cap <= KEPT_MAX)
        buf_reset(&d->payload);
    else
        buf_free(&d->payload);
}

static void commit(void *context)
{
    struct intake *in = context;
    if (in->n == 0)
        return;
    store_all(in);
    for (size_t i = 0; i < in->n; i++) {
        struct verdict v = judge(in, in->items[i].result, &in->items[i].err);
        answer(in, in->deliveries[i].channel, in->deliveries[i].request, v.fate, v.reply,
               in->items[i].result == STORE_OK ? folder_of(in, &in->items[i]) : STR(""));
    }
    for (size_t i = 0; i < in->n; i++) {
        log_fate(in, &in->deliveries[i], &in->items[i]);
        let_go(&in->deliveries[i], i == 0);
    }
    in->n = 0;
    in->bytes = 0;
    arena_reset(&in->arena);
    host_touch(in->host);
}

/* --- frames --- */

/* An address as it may stand in a header line: whatever could end the line is left out. */
static struct str header_safe(struct arena *a, struct str address)
{
    struct str safe = arena_copy(a, address);
    char *to = (char *)(uintptr_t)safe.p;
    size_t n = 0;
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] >= ' ' && address.p[i] != 127)
            to[n++] = address.p[i];
    return str_from(to, n);
}

/* Mail for postmaster is taken however full the account is that reads it (RFC 5321 section 4.5.1): perhaps it
 * is about just that. */
static bool is_for_postmaster(const struct intake *in, struct str original)
{
    struct str local = str_slice(original, 0, str_rfind_byte(original, '@'));
    char separator = in->host->start->config->tag_separator;
    size_t tag = separator ? str_find_byte(local, separator) : STR_NONE;
    return str_eq_nocase(str_slice(local, 0, tag), STR("postmaster"));
}

/* --- is there room? --- */

static enum store_result look_for_room(struct intake *in, uint64_t size, struct err *e)
{
    struct store *s = host_store(in->host, e);
    struct quota q;
    if (!s || store_quota(s, &q, e) != STORE_OK)
        return STORE_FAILED;
    bool fits = size <= q.limit[QUOTA_BYTES] && q.used[QUOTA_BYTES] <= q.limit[QUOTA_BYTES] - size &&
                q.used[QUOTA_MESSAGES] < q.limit[QUOTA_MESSAGES];
    return fits ? STORE_OK : STORE_OVERQUOTA;
}

/* False: the frame is none. A mailbox that cannot be asked has room: its message will tell more. */
static bool answer_room(struct intake *in, struct loop_channel *c, const struct ipc_frame *f)
{
    struct err e = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    struct str original = ipc_get_str(&r);
    uint64_t size = ipc_get_u64(&r);
    if (!ipc_done(&r) || f->nfds != 0 || original.n > PATH_BYTES_MAX)
        return false;
    bool is_full = !is_for_postmaster(in, original) && look_for_room(in, size, &e) == STORE_OVERQUOTA;
    struct verdict v = judge(in, is_full ? STORE_OVERQUOTA : STORE_OK, &e);
    answer(in, loop_channel_serial(c), f->id, v.fate, v.reply, STR(""));
    if (is_full)
        LOG_INFO("mailbox.full", F_INT("account", in->host->start->id),
                 F_C("address", in->host->start->address), F_STR("for", original));
    return true;
}

/* --- what a report about TLS says --- */

static bool answer_report(struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame answer;
    ipc_frame_init(&answer, DELIVERY_FRAME_SUMMARY);
    answer.id = f->id;
    if (!report_answer(f, &answer))
        return false;
    if (ipc_send(loop_channel_fd(c), &answer, deadline_in(REPLY_MS)) != IPC_OK)
        loop_channel_close(c);
    return true;
}

/* --- messages --- */

struct request {
    struct str id, sender, original, detail, bytes;
    uint8_t again;
    uint64_t size;
};

static bool parse(const struct ipc_frame *f, struct request *r)
{
    struct ipc_reader in = ipc_read(f);
    r->id = ipc_get_str(&in);
    r->again = ipc_get_u8(&in);
    r->sender = ipc_get_str(&in);
    r->original = ipc_get_str(&in);
    r->detail = ipc_get_str(&in);
    r->size = ipc_get_u64(&in);
    r->bytes = ipc_get_str(&in);
    bool is_whole = f->nfds == 0 ? r->bytes.n == r->size && r->size <= DELIVERY_INLINE_MAX
                                 : f->nfds == 1 && r->bytes.n == 0;
    return f->type == DELIVERY_FRAME_MESSAGE && ipc_done(&in) && is_whole && r->id.n == DELIVERY_ID_BYTES &&
           r->again <= 1 && r->sender.n <= PATH_BYTES_MAX && r->original.n <= PATH_BYTES_MAX &&
           r->detail.n <= PATH_BYTES_MAX;
}

/* The trace headers on top (RFC 5321 section 4.4 has Return-Path). */
static struct str make_prefix(struct arena *a, struct str sender, struct str original)
{
    const struct str pieces[] = {STR("Return-Path: <"), header_safe(a, sender), STR(">\r\nDelivered-To: "),
                                 header_safe(a, original), STR("\r\n")};
    return arena_join(a, pieces, sizeof pieces / sizeof *pieces);
}

/* The frame gives its memory, with the message in it, for that of a message before. */
static void keep_payload(struct delivery *d, struct ipc_frame *f)
{
    struct buf before = d->payload;
    d->payload = f->payload;
    f->payload = before;
}

static void channel_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct intake *in = context;
    struct request r;
    struct err e = ERR_INIT;
    if ((f->type == DELIVERY_FRAME_ROOM && answer_room(in, c, f)) ||
        (f->type == DELIVERY_FRAME_REPORT && answer_report(c, f)))
        return;
    if (!parse(f, &r)) {
        LOG_ERROR("delivery.bad-frame", F_INT("account", in->host->start->id));
        loop_channel_close(c);
        return;
    }
    if (in->n == BATCH_MAX || in->bytes + r.size > BATCH_BYTES_MAX)
        commit(in);
    struct delivery *d = &in->deliveries[in->n];
    *d = (struct delivery){
        .channel = loop_channel_serial(c), .request = f->id, .payload = d->payload, .again = r.again};
    memcpy(d->id, r.id.p, sizeof d->id);
    d->is_for_postmaster = is_for_postmaster(in, r.original);
    d->is_inline = f->nfds == 0;
    if (d->is_inline)
        d->message = r.bytes;
    else if (!sealed_read(f->fds[0], r.size, &d->message, &e)) {
        char text[2 * DELIVERY_ID_BYTES + 1];
        LOG_ERROR("message.refused", F_STR("delivery", hex(d->id, text)),
                  F_INT("account", in->host->start->id), F_C("error", e.text));
        struct verdict v = judge(in, STORE_FAILED, &e);
        answer(in, d->channel, d->request, v.fate, v.reply, STR(""));
        return;
    }
    d->prefix = make_prefix(&in->arena, r.sender, r.original);
    if (d->is_inline)
        keep_payload(d, f);
    in->bytes += r.size;
    in->n++;
}

static void channel_closed(void *context, struct loop_channel *c)
{
    struct intake *in = context;
    (void)c;
    in->channels--;
    host_touch(in->host);
}

void intake_add_channel(struct intake *in, int channel)
{
    in->channels++;
    loop_channel_asks(loop_channel(in->host->loop, channel, channel_frame, channel_closed, in));
}

size_t intake_channels(const struct intake *in)
{
    return in->channels;
}

struct intake *intake_new(struct host *h)
{
    struct intake *in = MEM_NEW(struct intake);
    in->host = h;
    loop_after_round(h->loop, commit, in);
    return in;
}
