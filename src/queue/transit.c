#include "queue/transit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/transit_parts.h"

#include <sys/file.h>
#include <unistd.h>

/* After the file could not be made or written (a full disk), so long everything goes into the tables. */
#define RETRY_MS 1000

/* --- what stands there --- */

static struct transit_record *find(const struct transit *t, int64_t message)
{
    bool is_here = t->count > 0 && message >= t->first && message - t->first < (int64_t)t->count;
    struct transit_record *r = is_here ? &t->records[message - t->first] : NULL;
    return r && r->message > 0 ? r : NULL;
}

/* Ids follow one another; a gap is what a damaged file has lost. */
static bool add_record(struct transit *t, const struct transit_record *r)
{
    if (t->count == 0)
        t->first = r->message;
    int64_t at = r->message - t->first;
    if (at < (int64_t)t->count || at - (int64_t)t->count > (int64_t)TRANSIT_BYTES)
        return false;
    size_t count = (size_t)at + 1;
    if (count > t->room) {
        t->room = count * 2;
        t->records = mem_resize(t->records, t->room, sizeof *t->records);
    }
    while (t->count < count)
        t->records[t->count++] = (struct transit_record){0};
    t->records[at] = *r;
    t->last = r->message > t->last ? r->message : t->last;
    return true;
}

static bool add_gone(struct transit *t, const struct transit_record *r)
{
    struct transit_gone g;
    struct transit_record *there = find(t, r->message);
    if (there) {
        there->message = 0;
        return true;
    }
    if (!transit_get_gone(r, &g))
        return false;
    if (t->gone_count == t->gone_room) {
        t->gone_room = t->gone_room ? t->gone_room * 2 : 64;
        t->gone = mem_resize(t->gone, t->gone_room, sizeof *t->gone);
    }
    t->gone[t->gone_count++] = g;
    return true;
}

bool transit_take_up(struct transit *t, struct str payload)
{
    struct transit_record r;
    while (transit_take(&payload, &r))
        if (!(r.kind == TRANSIT_MESSAGE ? add_record(t, &r) : add_gone(t, &r)))
            return false;
    return payload.n == 0;
}

void transit_start_over(struct transit *t)
{
    t->count = t->gone_count = 0;
    if (t->is_open)
        flock(t->folder, LOCK_UN);
    t->is_open = false;
    if (t->is_damaged && t->journal) {
        journal_set_aside(t->journal);
        t->journal = NULL;
    }
    t->is_damaged = false;
}

/* --- a round --- */

static bool has_journal(struct transit *t)
{
    struct err e = ERR_INIT;
    if (t->journal && journal_is_gone(t->journal)) {
        journal_close(t->journal);
        t->journal = NULL;
    }
    if (!t->journal && !(t->journal = journal_open(t->folder, TRANSIT_FILE, TRANSIT_BYTES, true, &e))) {
        LOG_WARNING("queue.journal", F_C("reason", e.text));
        t->failed_ms = clock_ms();
    }
    /* Of a command that waits, or it would wait for ever where there is always mail. */
    return t->journal && !journal_is_waited_for(t->journal);
}

/* With the folder. */
static bool begin_generation(struct transit *t)
{
    int64_t generation, last;
    struct err e = ERR_INIT;
    if (!has_journal(t))
        return false;
    if (!queue_db_journal(t->db, &generation, &last, &e) || generation < 0 || generation >= UINT32_MAX) {
        LOG_WARNING("queue.journal", F_C("reason", e.text));
        t->failed_ms = clock_ms();
        return false;
    }
    t->generation = (uint32_t)generation + 1;
    t->last = last > t->last ? last : t->last;
    journal_restart(t->journal, t->generation);
    return true;
}

bool transit_begin(struct transit *t)
{
    if (t->failed_ms > 0 && clock_ms() - t->failed_ms < RETRY_MS)
        return false;
    t->failed_ms = 0;
    if (!t->is_open && flock(t->folder, LOCK_EX | LOCK_NB) == 0) {
        t->is_open = begin_generation(t);
        if (!t->is_open)
            flock(t->folder, LOCK_UN);
    }
    t->bytes = 0;
    t->planned = t->last;
    return t->is_open;
}

static bool add(struct transit *t)
{
    struct str record = buf_str(&t->scratch.payload);
    size_t end = t->bytes + transit_bytes(record.n);
    if (!journal_has_room(t->journal, end))
        return false;
    transit_put(journal_place(t->journal) + t->bytes, record);
    t->bytes = end;
    return true;
}

bool transit_add(struct transit *t, struct transit_message *m)
{
    m->row.id = ++t->planned;
    for (size_t i = 0; i < m->count; i++) {
        m->recipients[i].message = m->row.id;
        m->recipients[i].id = queue_db_first_recipient(m->row.id) + 1 + (int64_t)i;
        m->recipients[i].at_hand = true;
    }
    buf_reset(&t->scratch.payload);
    return transit_put_message(&t->scratch, m) && add(t);
}

bool transit_remove(struct transit *t, const struct transit_gone *g)
{
    buf_reset(&t->scratch.payload);
    return transit_put_gone(&t->scratch, g) && add(t);
}

bool transit_write(struct transit *t)
{
    struct err e = ERR_INIT;
    const char *payload = journal_place(t->journal);
    if (!journal_write(t->journal, t->bytes, &e)) {
        LOG_WARNING("queue.journal", F_C("reason", e.text));
        t->failed_ms = clock_ms();
        return false;
    }
    if (!transit_take_up(t, str_from(payload, t->bytes)))
        log_die("queue.journal", "a frame that was just written cannot be read");
    return true;
}
