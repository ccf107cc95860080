/* Messages in memory, and the jobs that share them. */
#include "base/mem.h"
#include "queue/plan_parts.h"

#include <string.h>

/* A copy at *at, which moves on behind it. */
static struct str put_words(char **at, struct str s)
{
    struct str copy = str_from(*at, s.n);
    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

/* For its first attempt, which comes soon. */
static void keep(struct plan *p, struct letter *l, struct parcel *body)
{
    unsigned opens = body->fd >= 0;
    if (p->open_count + opens > PLAN_OPEN_MAX || p->kept_bytes + body->size > PLAN_KEPT_BYTES) {
        parcel_free(body);
        return;
    }
    p->open_count += opens;
    p->kept_bytes += body->size;
    l->is_kept = true;
    l->body = *body;
    *body = (struct parcel)PARCEL_NONE;
}

struct letter *plan_letter(struct plan *p, const struct queue_row_message *m, struct parcel *body)
{
    struct letter *l = MEM_NEW(struct letter);
    struct str asked_id = m->asked.id;
    char *words = mem_new(1, m->sender.n + asked_id.n + 1);
    *l = (struct letter){.id = m->id,
                         .size = m->size,
                         .is_8bit = m->is_8bit,
                         .arrived = m->arrived,
                         .asked = m->asked,
                         .body = PARCEL_NONE};
    memcpy(l->delivery, m->delivery.p,
           m->delivery.n < sizeof l->delivery ? m->delivery.n : sizeof l->delivery);
    str_write_hex(l->delivery, sizeof l->delivery, l->name);
    l->sender = put_words(&words, m->sender);
    l->asked.id = put_words(&words, asked_id);
    if (body)
        keep(p, l, body);
    return l;
}

void letter_close(struct plan *p, struct letter *l)
{
    if (l->is_kept) {
        p->open_count -= l->body.fd >= 0;
        p->kept_bytes -= l->body.size;
        l->is_kept = false;
    }
    parcel_free(&l->body);
}

void plan_letter_drop(struct plan *p, struct letter *l)
{
    if (l->jobs > 0)
        return;
    letter_close(p, l);
    free((char *)(uintptr_t)l->sender.p);
    free(l);
}

struct job_recipient job_recipient_of(const struct queue_row_recipient *r)
{
    char *at = mem_new(1, r->address.n + r->original.n + r->detail.n + r->asked.original.n + 1);
    struct job_recipient c = {.id = r->id,
                              .account = r->account,
                              .attempts = r->attempts,
                              .warned = r->warned,
                              .at_hand = r->at_hand,
                              .asked = r->asked};
    c.address = put_words(&at, r->address); /* first: it owns the block */
    c.original = put_words(&at, r->original);
    c.detail = put_words(&at, r->detail);
    c.asked.original = put_words(&at, r->asked.original);
    return c;
}

struct job *plan_job(struct plan *p, struct letter *l, const struct queue_row_recipient *r)
{
    struct job *j = MEM_NEW(struct job);
    *j = (struct job){.id = ++p->last_job, .letter = l, .count = 1};
    j->recipients = MEM_NEW(struct job_recipient);
    j->recipients[0] = job_recipient_of(r);
    l->jobs++;
    return j;
}

void job_free(struct plan *p, struct job *j)
{
    struct letter *l = j->letter;
    for (size_t i = 0; i < j->count; i++) {
        p->has_dropped |= j->recipients[i].at_hand;
        free((char *)(uintptr_t)j->recipients[i].address.p);
    }
    free(j->recipients);
    free(j);
    l->jobs--;
    plan_letter_drop(p, l);
}
