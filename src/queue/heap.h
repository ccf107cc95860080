/* Who is first: a binary heap of entries that stand in the structs they are about. Pure. */
#ifndef QUEUE_HEAP_H
#define QUEUE_HEAP_H
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    int64_t key;
    size_t place; /* from 1; 0: in no heap. Zeroed memory is an entry in no heap */
};
struct heap { /* zeroed memory is an empty one */
    struct heap_entry **at;
    size_t count, cap;
};

/* Puts it in, or moves it to its new key. Among equal keys any may be first. */
void heap_set(struct heap *h, struct heap_entry *e, int64_t key);
void heap_remove(struct heap *h, struct heap_entry *e); /* harmless if it is not in */
/* The one with the smallest key; NULL: empty. */
static inline struct heap_entry *heap_first(const struct heap *h)
{
    return h->count > 0 ? h->at[0] : NULL;
}
/* One without any that comes after it: late, if not the last. NULL: empty. */
static inline struct heap_entry *heap_leaf(const struct heap *h)
{
    return h->count > 0 ? h->at[h->count - 1] : NULL;
}
void heap_free(struct heap *h);

/* The struct that an entry stands in. */
#define HEAP_OWNER(entry, type, member) ((type *)(void *)((char *)(entry)-offsetof(type, member)))

#endif
