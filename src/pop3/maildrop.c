#include "pop3/maildrop.h"

#include "base/mem.h"

static bool add(struct maildrop *m, const struct message_row *row)
{
    if (m->n == MAILDROP_MAX || row->size > UINT32_MAX)
        return false;
    if (m->n == m->room) { /* more than the mailbox said it had: they came just now */
        m->room = m->room + m->room / 2 + 64;
        m->v = mem_resize(m->v, m->room, sizeof *m->v);
    }
    m->v[m->n++] = (struct drop_message){.uid = row->uid, .size = (uint32_t)row->size};
    m->size += row->size;
    return true;
}

static bool load(struct maildrop *m, struct err *e)
{
    struct store_fetch *f;
    const struct fetch_row *row;
    if (store_fetch_open(m->store, m->mailbox, NULL, 0, 0, &f, e) != STORE_OK)
        return false;
    while (store_fetch_next(f, &row) && add(m, &row->row))
        ;
    return store_fetch_close(f, e) == STORE_OK;
}

bool maildrop_load(struct maildrop *m, struct store *s, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox inbox;
    *m = (struct maildrop){.store = s, .piece_of = SIZE_MAX};
    buf_init(&m->piece, BODY_CHUNK);
    if (store_mailbox_find(s, STR("INBOX"), &a, &inbox, e) != STORE_OK)
        return false;
    m->mailbox = inbox.id;
    m->uidvalidity = inbox.uidvalidity;
    m->room = inbox.messages < MAILDROP_MAX ? inbox.messages : MAILDROP_MAX;
    m->v = mem_new(m->room + 1, sizeof *m->v);
    if (!load(m, e)) {
        maildrop_free(m);
        return false;
    }
    m->marks = mem_new(m->n / 8 + 1, 1);
    return true;
}

void maildrop_free(struct maildrop *m)
{
    maildrop_rest(m);
    free(m->v);
    free(m->marks);
    m->v = NULL;
    m->marks = NULL;
    m->n = 0;
}

bool maildrop_is_deleted(const struct maildrop *m, size_t i)
{
    return m->marks[i / 8] >> i % 8 & 1;
}

void maildrop_delete(struct maildrop *m, size_t i)
{
    m->marks[i / 8] = (uint8_t)(m->marks[i / 8] | 1u << i % 8);
    m->deleted++;
    m->size -= m->v[i].size;
}

void maildrop_undelete_all(struct maildrop *m)
{
    for (size_t i = 0; m->deleted > 0 && i < m->n; i++)
        if (maildrop_is_deleted(m, i)) {
            m->marks[i / 8] = (uint8_t)(m->marks[i / 8] & ~(1u << i % 8));
            m->size += m->v[i].size;
            m->deleted--;
        }
}

bool maildrop_update(struct maildrop *m, struct err *e)
{
    if (m->deleted == 0)
        return true;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    uint32_t *uids = ARENA_ARRAY(&a, uint32_t, m->deleted), *expunged;
    size_t n = 0, expunged_count;
    for (size_t i = 0; i < m->n; i++)
        if (maildrop_is_deleted(m, i))
            uids[n++] = m->v[i].uid;
    return store_expunge(m->store, m->mailbox, uids, n, true, &a, &expunged, &expunged_count, e) == STORE_OK;
}
