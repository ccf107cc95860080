/* New messages. Everything that can be worked out from the bytes is worked out before the transaction. */
#include "base/clock.h"
#include "mailbox/internal.h"
#include "message/date.h"
#include "message/header.h"
#include "message/imap_form.h"
#include "message/parts.h"
#include "message/preview.h"

/* How long an attempt to deliver may be told apart from a new message: as long as a body stays after its
 * message was expunged, and longer than any queue tries (RFC 5321 section 4.5.4.1: 4-5 days). */
#define DELIVERY_REMEMBERED_S ((int64_t)14 * 24 * 3600)
/* Trace headers are a few hundred bytes; what stands on top must fit into the first chunk. */
#define PREFIX_MAX            (BODY_CHUNK / 4)
/* Texts of most messages: envelope, structure, preview, parts. */
#define TEXTS_USUAL           ((size_t)1024)

MAIL_STATEMENT(INSERT_BODY,
               "INSERT INTO body(id, message, arrived, delivery, sent, parts, structure, envelope, preview)"
               " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)");
MAIL_STATEMENT(INSERT_MESSAGE,
               "INSERT INTO message(id, flags, modseq, keywords, received, zone, size, body, saved)"
               " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)");
MAIL_STATEMENT(RECENT_DELIVERIES,
               "SELECT delivery, message, arrived, id FROM body WHERE id < $1 ORDER BY id DESC LIMIT $2");
/* Rows of one look at what came lately: as a rule a delivery that is repeated is among the last. */
#define RECENT_PAGE 200
MAIL_STATEMENT(UIDVALIDITY, "SELECT uidvalidity FROM mailbox WHERE id = $1");

/* The prefix becomes part of the message's header: everything after it moves. */
static void move_parts(struct mime_part *root, size_t by)
{
    for (size_t i = 0; i < root->child_count; i++) {
        struct mime_part *child = root->children[i];
        child->header_at += by;
        child->body_at += by;
        move_parts(child, by);
    }
}

static void move_message(struct mime_part *root, size_t by)
{
    root->header_size += by;
    root->body_at += by;
    move_parts(root, by);
}

static int64_t sent_day(struct str message)
{
    struct header_field f;
    int64_t at;
    int zone;
    if (!header_find(message, STR("Date"), &f) || date_parse(str_trim(f.value), &at, &zone) != DATE_OK)
        return SENT_UNKNOWN;
    return date_day_at(at, zone);
}

/* What is needed while digests are made, and is of no use then. */
struct scratch {
    struct arena arena; /* of one message */
    struct buf texts;   /* its envelope, structure, preview and parts, one after the other */
};

/* The prefix is trace headers, of which neither ENVELOPE nor BODYSTRUCTURE tells anything: only the offsets
 * know of it. So a large message is never copied to stand behind its prefix. */
static void digest_message(struct digest *d, const struct store_append *item, struct scratch *k,
                           struct arena *a)
{
    struct buf *texts = &k->texts;
    size_t ends[4];
    struct mime_part *root = mime_parse(item->bytes, &k->arena);
    imap_form_envelope(item->bytes, &k->arena, texts);
    ends[0] = texts->n;
    imap_form_structure(item->bytes, root, &k->arena, texts);
    ends[1] = texts->n;
    preview_make(item->bytes, root, texts);
    ends[2] = texts->n;
    move_message(root, item->prefix.n);
    parts_pack(root, texts);
    struct str all = arena_copy(a, buf_str(texts));
    d->envelope = str_slice(all, 0, ends[0]);
    d->structure = str_slice(all, ends[0], ends[1] - ends[0]);
    d->preview = str_slice(all, ends[1], ends[2] - ends[1]);
    d->parts = str_from_offset(all, ends[2]);
    d->sent = sent_day(item->bytes);
}

static enum store_result prepare(struct store_append *item, struct digest *d, struct scratch *k,
                                 struct arena *a)
{
    enum store_result r = keywords_normal(item->keywords, a, &d->keywords, &item->err);
    if (r != STORE_OK)
        return r;
    if (item->prefix.n > PREFIX_MAX) {
        err_set(&item->err, ERR_PERMANENT, "%zu bytes of trace headers; at most %zu", item->prefix.n,
                PREFIX_MAX);
        return STORE_LIMIT;
    }
    digest_message(d, item, k, a);
    if (k->texts.overflow) {
        err_set(&item->err, ERR_PERMANENT, "the message's structure is too large");
        return STORE_LIMIT;
    }
    return STORE_OK;
}

/* Whether this delivery was stored by an earlier attempt whose answer got lost. Looks at what came lately,
 * newest first; an index would cost every message a page, and only a repeated attempt asks. */
static bool find_delivery(struct sql *db, const struct store_append *item, bool *found, int64_t *message,
                          struct err *e)
{
    struct sql_rows rows;
    int64_t oldest = clock_wall() - DELIVERY_REMEMBERED_S;
    *found = false;
    bool more = true;
    for (int64_t before = INT64_MAX; more && !*found;) {
        int read = 0;
        if (!sql_query(db, &RECENT_DELIVERIES, SQL(sql_int(before), sql_int(RECENT_PAGE)), &rows, e))
            return false;
        for (; more && !*found && sql_next(&rows); read++) {
            more = sql_get_int(&rows, 2) >= oldest;
            *found = more && str_eq(sql_get_str(&rows, 0), item->delivery);
            *message = sql_get_int(&rows, 1);
            before = sql_get_int(&rows, 3);
        }
        more = more && read == RECENT_PAGE;
        if (!sql_end(&rows, e))
            return false;
    }
    return true;
}

static bool answer_from_before(struct sql *db, int64_t message, struct store_append *item, struct err *e)
{
    int64_t uidvalidity = 0; /* stays so when the mailbox has gone since */
    if (sql_one_int(db, &UIDVALIDITY, SQL(sql_int(message_mailbox(message))), &uidvalidity, e) < 0)
        return false;
    item->uid = message_uid(message);
    item->uidvalidity = (uint32_t)uidvalidity;
    return true;
}

bool append_insert(struct change *ch, const struct store_append *item, const struct digest *d, struct err *e)
{
    int64_t id = message_id(item->mailbox, item->uid);
    struct sql_value delivery = item->delivery.n > 0 ? sql_blob(item->delivery) : sql_null();
    int64_t saved = d->saved, body = (int64_t)++ch->root.deleted_size; /* see ROOT_MAILBOX */
    ch->has_bodies = true;
    struct sql_value sent = d->sent != SENT_UNKNOWN ? sql_int(d->sent) : sql_null();
    if (!sql_exec(ch->db, &INSERT_BODY,
                  SQL(sql_int(body), sql_int(id), sql_int(saved), delivery, sent, sql_blob(d->parts),
                      sql_blob(d->structure), sql_blob(d->envelope), sql_text(d->preview)),
                  NULL, e))
        return false;
    return body_write(ch->connection, body, item->prefix, item->bytes, e) &&
           sql_exec(ch->db, &INSERT_MESSAGE,
                    SQL(sql_int(id), sql_int(item->flags & FLAG_ALL), sql_int((int64_t)ch->modseq),
                        sql_text(d->keywords), sql_int(item->received), sql_int(item->zone),
                        sql_int((int64_t)(item->prefix.n + item->bytes.n)), sql_int(body),
                        sql_int(saved == item->received ? 0 : saved)),
                    NULL, e);
}

enum store_result append_place(struct change *ch, struct store_append *item, struct err *e)
{
    struct counters *c;
    enum store_result r = change_mailbox(ch, item->mailbox, &c, &item->err);
    if (r == STORE_OK)
        r = may_add(c, &item->err);
    if (r == STORE_OK && !item->beyond_quota)
        r = quota_check(ch, 1, item->prefix.n + item->bytes.n, &item->err);
    if (r == STORE_OK)
        r = counters_take_uid(c, &item->uid, &item->err);
    if (r == STORE_FAILED)
        err_set(e, item->err.kind, "%s", item->err.text);
    if (r != STORE_OK)
        return r;
    counters_add(c, item->flags, item->prefix.n + item->bytes.n);
    change_mark(ch, c);
    item->uidvalidity = c->uidvalidity;
    return STORE_OK;
}

/* STORE_FAILED: the transaction is of no use any more. Other results are the item's own. */
static enum store_result append_one(struct change *ch, struct store_append *item, struct digest *d,
                                    struct err *e)
{
    if (item->again && item->delivery.n > 0) {
        bool found;
        int64_t before;
        if (!find_delivery(ch->db, item, &found, &before, e))
            return STORE_FAILED;
        if (found)
            return answer_from_before(ch->db, before, item, e) ? STORE_OK : STORE_FAILED;
    }
    enum store_result r = append_place(ch, item, e);
    return r == STORE_OK && !append_insert(ch, item, d, e) ? STORE_FAILED : r;
}

/* One transaction. Items whose result is no longer STORE_OK are passed over. */
static enum store_result append_together(struct store *s, struct store_append *items, struct digest *digests,
                                         size_t n, struct err *e)
{
    struct change ch;
    if (change_open(s, &ch, e) != STORE_OK)
        return STORE_FAILED;
    for (size_t i = 0; i < n; i++) {
        if (items[i].result != STORE_OK)
            continue;
        enum store_result r = append_one(&ch, &items[i], &digests[i], e);
        if (r == STORE_FAILED) {
            change_cancel(&ch);
            return STORE_FAILED;
        }
        items[i].result = r;
    }
    return change_commit(&ch, e);
}

/* A message that cannot be stored now (too large for what is left of the disk) must not take the others with
 * it: each gets a transaction of its own. */
static enum store_result append_apart(struct store *s, struct store_append *items, struct digest *digests,
                                      size_t n, struct err *e)
{
    enum store_result all = STORE_FAILED;
    for (size_t i = 0; i < n; i++) {
        if (items[i].result == STORE_OK &&
            append_together(s, &items[i], &digests[i], 1, &items[i].err) != STORE_OK)
            items[i].result = STORE_FAILED;
        if (items[i].result == STORE_FAILED)
            err_set(e, items[i].err.kind, "%s", items[i].err.text);
        else
            all = STORE_OK;
    }
    return all;
}

void digests_prepare(struct store_append *items, struct digest *digests, size_t n, struct arena *a)
{
    int64_t now = clock_wall();
    struct scratch k = {.arena = ARENA_INIT};
    buf_init(&k.texts, BUF_MAX_DEFAULT);
    buf_room(&k.texts, TEXTS_USUAL);
    for (size_t i = 0; i < n; i++) {
        items[i].result = prepare(&items[i], &digests[i], &k, a);
        digests[i].saved = now;
        arena_reset(&k.arena);
        buf_reset(&k.texts);
    }
    arena_free(&k.arena);
    buf_free(&k.texts);
}

enum store_result append_prepared(struct store *s, struct store_append *items, struct digest *digests,
                                  size_t n, struct err *e)
{
    struct err failure = ERR_INIT;
    enum store_result r = append_together(s, items, digests, n, &failure);
    if (r != STORE_OK && n > 1) {
        r = append_apart(s, items, digests, n, &failure);
    } else if (r != STORE_OK && n == 1 && items[0].result == STORE_OK) {
        items[0].result = r;
        items[0].err = failure;
    }
    if (r != STORE_OK)
        err_set(e, failure.kind, "%s", failure.text);
    return r;
}

enum store_result store_append(struct store *s, struct store_append *items, size_t n, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct digest *digests = ARENA_ARRAY(&a, struct digest, n);
    digests_prepare(items, digests, n, &a);
    return append_prepared(s, items, digests, n, e);
}

/* --- all or nothing --- */

/* The first item that failed, with its words in *e. */
static enum store_result first_failure(const struct store_append *items, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].result != STORE_OK) {
            *e = items[i].err;
            return items[i].result;
        }
    return STORE_OK;
}

static enum store_result append_each(struct change *ch, struct store_append *items, struct digest *digests,
                                     size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        items[i].result = append_one(ch, &items[i], &digests[i], e);
        if (items[i].result == STORE_FAILED)
            return STORE_FAILED;
    }
    return first_failure(items, n, e);
}

enum store_result store_append_all(struct store *s, struct store_append *items, size_t n,
                                   const struct store_replaced *replaced, struct err *e)
{
    if (n == 1 && !replaced) {
        enum store_result one = store_arrive(s, items, 1, e);
        return one == STORE_OK ? first_failure(items, 1, e) : one;
    }
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct digest *digests = ARENA_ARRAY(&a, struct digest, n);
    digests_prepare(items, digests, n, &a);
    struct change ch;
    enum store_result r = first_failure(items, n, e);
    if (r == STORE_OK)
        r = change_open(s, &ch, e);
    if (r == STORE_OK) {
        if (replaced) /* first: what it took of the quota is free for the new one */
            r = expunge_one(&ch, replaced->mailbox, replaced->uid, e);
        if (r == STORE_OK)
            r = append_each(&ch, items, digests, n, e);
        if (r == STORE_OK)
            r = change_commit(&ch, e);
        else
            change_cancel(&ch);
    }
    return r;
}
