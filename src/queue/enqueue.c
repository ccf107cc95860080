#include "queue/enqueue.h"

#include "base/mem.h"
#include "base/sealed.h"
#include "directory/directory.h"
#include "queue/flow.h"

#include <string.h>
#include <sys/stat.h>

#define LIST_MAX     ((size_t)320 << 20) /* QUEUE_RECIPIENTS_MAX recipients of the largest kind */
#define ORIGINAL_MAX 1000                /* an address as typed, with quotes and escapes */
#define DETAIL_MAX   1000                /* the +tag of an address; or a reply, for QUEUE_REFUSED */

/* --- the list of recipients: the same fields as in a frame, but it may be longer than one --- */

static void put_u64(struct buf *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        buf_add_byte(out, (char)(v >> (i * 8) & 255));
}

static void put_str(struct buf *out, struct str s)
{
    for (int i = 0; i < 4; i++)
        buf_add_byte(out, (char)(s.n >> (i * 8) & 255));
    buf_add(out, s);
}

void enqueue_write_list(const struct queue_recipient *recipients, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        put_str(out, recipients[i].address);
        put_u64(out, (uint64_t)recipients[i].account);
        put_str(out, recipients[i].original);
        put_str(out, recipients[i].detail);
        buf_add_byte(out, (char)recipients[i].asked.notify);
        put_str(out, recipients[i].asked.original);
    }
}

/* --- reading --- */

/* An address that can stand in a command and in the log: no control characters. */
static bool is_address(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return s.n <= ADDRESS_MAX;
}

static bool is_account(int64_t a)
{
    return a >= QUEUE_REFUSED || a == QUEUE_STORED || a == QUEUE_EXPANDED;
}

static bool read_recipient(struct ipc_reader *list, struct queue_row_recipient *r, struct arena *a)
{
    r->address = ipc_get_str(list);
    r->account = (int64_t)ipc_get_u64(list);
    r->original = ipc_get_str(list);
    r->detail = ipc_get_str(list);
    envelope_recipient_get(list, &r->asked);
    r->domain = r->account == 0 ? queue_db_destination(r->address, a) : QUEUE_LOCAL_DOMAIN;
    return !list->bad && r->address.n > 0 && is_address(r->address) && is_account(r->account) &&
           (r->account != 0 || r->domain.n > 0) && r->original.n <= ORIGINAL_MAX && r->detail.n <= DETAIL_MAX;
}

/* A local account could not take it a moment ago. */
static int64_t after_a_try(const struct schedule *s, int64_t arrived)
{
    uint32_t random;
    report_random(&random, sizeof random);
    return schedule_next(s, arrived, 1, arrived, random);
}

static bool read_list(struct enqueue *in, struct str bytes, const struct schedule *s, struct err *e)
{
    struct ipc_reader list = {.rest = arena_copy(&in->arena, bytes)};
    int64_t arrived = in->message.arrived, hold = in->message.asked.hold_until;
    int64_t flow = flow_of(&in->message.asked, in->message.sender);
    for (size_t i = 0; i < in->count; i++) {
        struct queue_row_recipient *r = &in->recipients[i];
        if (!read_recipient(&list, r, &in->arena))
            return err_set(e, ERR_INTERNAL, "recipient %zu of an enqueue is not valid", i);
        r->next_attempt = r->account > 0 ? after_a_try(s, arrived) : arrived;
        if (r->next_attempt < hold) /* RFC 4865 section 4.4: not before */
            r->next_attempt = hold;
        r->flow = flow;
    }
    return ipc_done(&list) || err_set(e, ERR_INTERNAL, "an enqueue with more than its recipients");
}

static bool read_long_list(struct enqueue *in, int fd, const struct schedule *s, struct err *e)
{
    struct stat st;
    struct str bytes;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || (uint64_t)st.st_size > LIST_MAX)
        return err_set(e, ERR_INTERNAL, "an enqueue without its list of recipients");
    if (!sealed_read(fd, (uint64_t)st.st_size, &bytes, e))
        return false;
    bool ok = read_list(in, bytes, s, e);
    sealed_release(bytes);
    return ok;
}

static bool read_frame(struct ipc_frame *f, struct enqueue *in, const struct schedule *s, struct err *e)
{
    struct ipc_reader r = ipc_read(f);
    struct str id = ipc_get_str(&r), sender = ipc_get_str(&r);
    in->message.is_8bit = ipc_get_u8(&r) != 0;
    in->body = parcel_get(&r, f);
    in->message.size = in->body.size;
    envelope_get(&r, &in->message.asked);
    in->count = ipc_get_u32(&r);
    struct str list = ipc_get_str(&r);
    if (!ipc_done(&r) || id.n != QUEUE_DELIVERY_BYTES || !is_address(sender) || in->count == 0 ||
        in->count > QUEUE_RECIPIENTS_MAX || in->message.size > INT64_MAX)
        return err_set(e, ERR_INTERNAL, "an enqueue that is not valid");
    in->message.delivery = arena_copy(&in->arena, id);
    in->message.sender = arena_copy(&in->arena, sender);
    in->message.asked.id = arena_copy(&in->arena, in->message.asked.id);
    if (in->message.asked.hold_until > in->message.arrived)
        in->message.arrived = in->message.asked.hold_until; /* RFC 4865: what is late is counted from then */
    in->recipients = ARENA_ARRAY(&in->arena, struct queue_row_recipient, in->count);
    CLEAN_CLOSE int long_list = ipc_frame_take_fd(f, in->body.fd >= 0 ? 1 : 0);
    return list.n > 0 ? read_list(in, list, s, e) : read_long_list(in, long_list, s, e);
}

struct enqueue *enqueue_read(struct ipc_frame *f, const struct schedule *s, int64_t now, struct err *e)
{
    struct enqueue *in = MEM_NEW(struct enqueue);
    in->body = (struct parcel)PARCEL_NONE;
    in->frame = f->id;
    in->message.arrived = now;
    if (read_frame(f, in, s, e))
        return in;
    enqueue_free(in);
    return NULL;
}

void enqueue_free(struct enqueue *in)
{
    parcel_free(&in->body);
    arena_free(&in->arena);
    free(in);
}

/* --- storing --- */

/* With whom smtp has done already, but for a report. */
static const struct settled {
    int64_t account;
    enum dsn_action action;
} SETTLED[] = {{QUEUE_REFUSED, DSN_FAILED}, {QUEUE_STORED, DSN_DELIVERED}, {QUEUE_EXPANDED, DSN_EXPANDED}};
#define SETTLED_COUNT (sizeof SETTLED / sizeof *SETTLED)

static bool is_settled(const struct queue_row_recipient *r)
{
    return r->account < 0 && r->account != QUEUE_RESOLVE; /* which is a report of relay's, on its way */
}

static bool add_report(const struct queue_round *q, struct enqueue *in, const struct settled *s,
                       struct str bytes, struct err *e)
{
    struct dsn_recipient *told = ARENA_ARRAY(&in->arena, struct dsn_recipient, in->count);
    size_t n = 0, written = 0;
    for (size_t i = 0; i < in->count; i++)
        if (in->recipients[i].account == s->account)
            told[n++] = (struct dsn_recipient){
                .address =
                    in->recipients[i].original.n > 0 ? in->recipients[i].original : in->recipients[i].address,
                .original = in->recipients[i].asked.original,
                .host = STR(""),
                .reply = str_slice(in->recipients[i].detail, 0, QUEUE_REPLY_MAX),
            };
    if (n == 0)
        return true;
    struct report report = {
        .action = s->action,
        .message = in->message.id,
        .sender = in->message.sender,
        .arrived = in->message.arrived,
        .size = in->message.size,
        .asked = &in->message.asked,
        .start = str_slice(bytes, 0, DSN_MESSAGE_MAX),
        .recipients = told,
        .count = n,
    };
    if (!report_add(q, &report, &written, e))
        return false;
    in->has_report |= written > 0;
    return true;
}

/* The reports that smtp owes. A message with nothing but those need not stay. */
static bool add_reports(const struct queue_round *q, struct enqueue *in, struct str bytes, struct err *e)
{
    bool gone, any_settled = false;
    for (size_t i = 0; i < in->count; i++)
        any_settled |= is_settled(&in->recipients[i]);
    for (size_t i = 0; any_settled && i < SETTLED_COUNT; i++)
        if (!add_report(q, in, &SETTLED[i], bytes, e))
            return false;
    return !any_settled || queue_db_finish(q->db, in->message.id, &gone, e);
}

/* A list of thousands has to go through the table anyhow. */
static bool add_recipient(const struct queue_round *q, const struct enqueue *in, struct plan *p,
                          struct queue_row_recipient *r, struct err *e)
{
    int admitted = in->count <= QUEUE_JOB_RECIPIENTS ? plan_admit(p, q->db, r, q->now, e) : 0;
    r->at_hand = admitted > 0;
    return admitted >= 0 && queue_db_add_recipient(q->db, r, e);
}

bool enqueue_store(const struct queue_round *q, struct enqueue *in, struct plan *p, struct err *e)
{
    struct str bytes;
    if (!parcel_read(&in->body, &bytes, e))
        return false;
    bool ok = queue_db_add_message(q->db, &in->message, bytes, e);
    for (size_t i = 0; ok && i < in->count; i++) {
        in->recipients[i].message = in->message.id;
        in->recipients[i].id = queue_db_first_recipient(in->message.id) + 1 + (int64_t)i;
        ok = is_settled(&in->recipients[i]) || add_recipient(q, in, p, &in->recipients[i], e);
    }
    ok = ok && add_reports(q, in, bytes, e);
    parcel_release(&in->body, bytes);
    return ok;
}

/* A deadline is looked for in the table. */
bool enqueue_may_pass(const struct queue_round *q, struct enqueue *in, struct plan *p)
{
    struct err ignored = ERR_INIT; /* who stores it will see */
    if (in->body.fd >= 0 || in->count > QUEUE_JOB_RECIPIENTS || in->message.asked.by != ENVELOPE_BY_NONE)
        return false;
    for (size_t i = 0; i < in->count; i++)
        if (in->recipients[i].account != 0 || plan_admit(p, q->db, &in->recipients[i], q->now, &ignored) <= 0)
            return false;
    return true;
}

/* --- the jobs --- */

void enqueue_plan(struct enqueue *in, struct plan *p, int64_t now)
{
    struct letter *letter = plan_letter(p, &in->message, &in->body);
    letter->whole = in->count; /* settled ones among them are in no job */
    for (size_t i = 0; i < in->count; i++)
        if (!is_settled(&in->recipients[i]))
            plan_add_fresh(p, letter, &in->recipients[i], now);
    plan_letter_drop(p, letter);
    if (in->has_report)
        plan_expect(p, QUEUE_LOCAL_DOMAIN, REPORT_FLOW, now);
}

void enqueue_retract(const struct enqueue *in, struct plan *p)
{
    for (size_t i = 0; i < in->count; i++)
        plan_retract(p, in->recipients[i].domain, in->recipients[i].flow);
}
