#include "pop3/maildrop.h"

#include "base/mem.h"

static void add(struct maildrop *m, const struct message_row *row, size_t *room)
{
    if (m->n == *room) {
        *room = *room ? *room * 2 : 64;
        m->v = mem_resize(m->v, *room, sizeof *m->v);
    }
    m->v[m->n++] = (struct drop_message){.size = row->size, .uid = row->uid};
    m->size += row->size;
}

bool maildrop_load(struct maildrop *m, struct store *s, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox inbox;
    struct store_fetch *f;
    const struct fetch_row *row;
    size_t room = 0;
    *m = (struct maildrop){.store = s};
    if (store_mailbox_find(s, STR("INBOX"), &a, &inbox, e) != STORE_OK)
        return false;
    m->mailbox = inbox.id;
    m->uidvalidity = inbox.uidvalidity;
    if (store_fetch_open(s, m->mailbox, NULL, 0, 0, &f, e) != STORE_OK)
        return false;
    while (m->n < MAILDROP_MAX && store_fetch_next(f, &row))
        add(m, &row->row, &room);
    if (store_fetch_close(f, e) == STORE_OK)
        return true;
    maildrop_free(m);
    return false;
}

void maildrop_free(struct maildrop *m)
{
    free(m->v);
    m->v = NULL;
    m->n = 0;
}

void maildrop_delete(struct maildrop *m, struct drop_message *message)
{
    message->is_deleted = true;
    m->deleted++;
    m->size -= message->size;
}

void maildrop_undelete_all(struct maildrop *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].is_deleted) {
            m->v[i].is_deleted = false;
            m->size += m->v[i].size;
        }
    m->deleted = 0;
}

bool maildrop_update(struct maildrop *m, struct err *e)
{
    if (m->deleted == 0)
        return true;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    uint32_t *uids = ARENA_ARRAY(&a, uint32_t, m->deleted), *expunged;
    size_t n = 0, expunged_count;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].is_deleted)
            uids[n++] = m->v[i].uid;
    return store_expunge(m->store, m->mailbox, uids, n, true, &a, &expunged, &expunged_count, e) == STORE_OK;
}
