#include "queue/heap.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_CAP 16

static void put(struct heap *h, size_t at, struct heap_entry *e)
{
    h->at[at] = e;
    e->place = at + 1;
}

static void up(struct heap *h, size_t at, struct heap_entry *e)
{
    for (; at > 0 && h->at[(at - 1) / 2]->key > e->key; at = (at - 1) / 2)
        put(h, at, h->at[(at - 1) / 2]);
    put(h, at, e);
}

static void down(struct heap *h, size_t at, struct heap_entry *e)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < h->count && h->at[child + 1]->key < h->at[child]->key)
            child++;
        if (child >= h->count || h->at[child]->key >= e->key)
            break;
        put(h, at, h->at[child]);
        at = child;
    }
    put(h, at, e);
}

void heap_remove(struct heap *h, struct heap_entry *e)
{
    if (e->place == 0)
        return;
    size_t at = e->place - 1;
    struct heap_entry *moved = h->at[--h->count];
    e->place = 0;
    if (moved == e)
        return;
    up(h, at, moved);
    down(h, moved->place - 1, moved);
}

void heap_set(struct heap *h, struct heap_entry *e, int64_t key)
{
    e->key = key;
    if (e->place > 0) {
        up(h, e->place - 1, e);
        down(h, e->place - 1, e);
        return;
    }
    if (h->count == h->cap) {
        h->cap = h->cap > 0 ? h->cap * 2 : FIRST_CAP;
        h->at = mem_resize(h->at, h->cap, sizeof *h->at);
    }
    up(h, h->count++, e);
}

void heap_free(struct heap *h)
{
    free(h->at);
    *h = (struct heap){0};
}
