#include "mailbox/thread_tree.h"

#include "base/mem.h"
#include "mailbox/keys.h"

/* Ancestors that are looked at before a link is made that could close a loop. Honest mail never comes near;
 * a chain that was made to be looked through again and again does. */
#define ANCESTORS_MAX 10000

struct node {
    struct thread_node out; /* first, so that the tree of nodes is the answer; out.uid 0: a dummy */
    const struct thread_message *message; /* NULL: a dummy */
    struct node *parent, *last;           /* last: child */
    bool has_children;                    /* while parents alone are known */
    size_t place;                         /* among the roots, in step 5 */
    int64_t newest;                       /* INTERNALDATE in the thread below it */
};

static struct node *first_child(const struct node *n)
{
    return (struct node *)n->out.child;
}

static struct node *next_of(const struct node *n)
{
    return (struct node *)n->out.next;
}

static void add_child(struct node *parent, struct node *child)
{
    child->out.next = NULL;
    if (parent->last)
        parent->last->out.next = &child->out;
    else
        parent->out.child = &child->out;
    parent->last = child;
    child->parent = parent;
}

/* --- nodes by a number and a text --- */

struct slot {
    int64_t hash;
    struct str text;
    struct node *node; /* NULL: free */
};

struct table {
    struct slot *slots; /* a power of two of them */
    size_t size, used;
};

static struct slot *table_slot(struct table *t, int64_t hash, struct str text)
{
    size_t at = (size_t)hash & (t->size - 1);
    while (t->slots[at].node && (t->slots[at].hash != hash || !str_eq(t->slots[at].text, text)))
        at = (at + 1) & (t->size - 1);
    return &t->slots[at];
}

static void table_grow(struct table *t)
{
    struct table larger = {.size = t->size ? t->size * 2 : 1024};
    larger.slots = mem_new(larger.size, sizeof *larger.slots);
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].node)
            *table_slot(&larger, t->slots[i].hash, t->slots[i].text) = t->slots[i];
    larger.used = t->used;
    free(t->slots);
    *t = larger;
}

/* The slot of that key, to be filled if it is free. */
static struct slot *table_find(struct table *t, int64_t hash, struct str text)
{
    if (t->used * 2 >= t->size)
        table_grow(t);
    struct slot *s = table_slot(t, hash, text);
    if (!s->node) {
        t->used++;
        s->hash = hash;
        s->text = text;
    }
    return s;
}

/* --- REFERENCES, by its steps --- */

struct tree {
    struct arena *a;
    struct table ids, subjects;
    struct node **nodes; /* all that were made */
    size_t n, cap;
    struct node root;
    struct node **siblings; /* for sorting */
    size_t sibling_cap;
};

static struct node *new_node(struct tree *t, const struct thread_message *m)
{
    struct node *node = ARENA_NEW(t->a, struct node);
    node->message = m;
    node->out.uid = m ? m->uid : 0;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 1024;
        t->nodes = mem_resize(t->nodes, t->cap, sizeof *t->nodes);
    }
    return t->nodes[t->n++] = node;
}

/* The message of that Message-ID, a dummy until it comes. */
static struct node *node_of(struct tree *t, int64_t link)
{
    struct slot *s = table_find(&t->ids, link, STR(""));
    if (!s->node)
        s->node = new_node(t, NULL);
    return s->node;
}

/* The message's own node. A second message of the same Message-ID has one that nobody refers to. */
static struct node *own_node(struct tree *t, const struct thread_message *m)
{
    int64_t link = link_at(m->links, 0);
    if (link == 0)
        return new_node(t, m);
    struct node *node = node_of(t, link);
    if (node->message)
        return new_node(t, m);
    node->message = m;
    node->out.uid = m->uid;
    return node;
}

static bool would_loop(const struct node *parent, const struct node *child)
{
    if (parent == child)
        return true;
    if (!child->has_children)
        return false;
    size_t steps = 0;
    for (; parent && steps < ANCESTORS_MAX; parent = parent->parent, steps++)
        if (parent == child)
            return true;
    return parent != NULL;
}

static void link_to(struct node *parent, struct node *child)
{
    if (would_loop(parent, child))
        return;
    child->parent = parent;
    parent->has_children = true;
}

/* Step 1. The messages' own nodes were made before, so that the first of a Message-ID has it. */
static void link_message(struct tree *t, struct node *node, struct str links)
{
    struct node *before = NULL;
    for (size_t i = 1; i < links.n / LINK_BYTES; i++) {
        int64_t link = link_at(links, i);
        struct node *reference = link ? node_of(t, link) : NULL;
        if (!reference)
            continue;
        if (before && !reference->parent) /* A: what is linked stays so */
            link_to(before, reference);
        before = reference;
    }
    node->parent = NULL; /* B: a message without references has no parent, whatever others say */
    if (before)
        link_to(before, node);
}

static void link_all(struct tree *t, const struct thread_message *messages, size_t n)
{
    struct node **own = mem_new(n, sizeof *own);
    for (size_t i = 0; i < n; i++)
        own[i] = own_node(t, &messages[i]);
    for (size_t i = 0; i < n; i++)
        link_message(t, own[i], messages[i].links);
    free(own);
}

/* Step 2: children from parents, then all nodes with parents before their children. */
static void gather(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        add_child(t->nodes[i]->parent ? t->nodes[i]->parent : &t->root, t->nodes[i]);
    size_t n = 0;
    for (struct node *c = first_child(&t->root); c; c = next_of(c))
        t->nodes[n++] = c;
    for (size_t i = 0; i < n; i++)
        for (struct node *c = first_child(t->nodes[i]); c; c = next_of(c))
            t->nodes[n++] = c;
}

/* Step 3, of one set of siblings whose own children have been through it. */
static void prune_children(struct node *parent, bool is_root)
{
    struct node *child = first_child(parent);
    parent->out.child = NULL;
    parent->last = NULL;
    for (struct node *next; child; child = next) {
        next = next_of(child);
        struct node *grandchild = first_child(child);
        bool is_kept = child->message || (is_root && grandchild && next_of(grandchild));
        if (is_kept) {
            add_child(parent, child);
            continue;
        }
        for (struct node *after; grandchild; grandchild = after) { /* in place of the dummy */
            after = next_of(grandchild);
            add_child(parent, grandchild);
        }
        child->out.child = NULL;
        child->last = NULL;
    }
}

static void prune(struct tree *t)
{
    for (size_t i = t->n; i-- > 0;)
        prune_children(t->nodes[i], false);
    prune_children(&t->root, true);
}

/* The message that stands for a node: of a dummy its first child. */
static const struct thread_message *message_of(const struct node *n)
{
    return n->message ? n->message : first_child(n)->message;
}

static int compare_sent(const void *a, const void *b)
{
    const struct thread_message *x = message_of(*(struct node *const *)a),
                                *y = message_of(*(struct node *const *)b);
    if (x->sent != y->sent)
        return x->sent < y->sent ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void sort_children(struct tree *t, struct node *parent, int (*compare)(const void *, const void *))
{
    size_t n = 0;
    for (struct node *c = first_child(parent); c; c = next_of(c)) {
        if (n == t->sibling_cap) {
            t->sibling_cap = n ? n * 2 : 64;
            t->siblings = mem_resize(t->siblings, t->sibling_cap, sizeof(struct node *));
        }
        t->siblings[n++] = c;
    }
    if (n < 2)
        return;
    qsort(t->siblings, n, sizeof(struct node *), compare);
    parent->out.child = NULL;
    parent->last = NULL;
    for (size_t i = 0; i < n; i++)
        add_child(parent, t->siblings[i]);
}

/* Steps 4 and 6: dummies stand at the top alone, so children first and the top last is enough. */
static void sort_all(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        sort_children(t, t->nodes[i], compare_sent);
    sort_children(t, &t->root, compare_sent);
}

/* --- step 5: threads of the same subject --- */

/* The slot of the thread's subject; NULL: it has none. */
static struct slot *subject_slot(struct tree *t, const struct node *n)
{
    struct str subject = message_of(n)->subject;
    return subject.n > 0 ? table_find(&t->subjects, link_hash(subject), subject) : NULL;
}

/* B */
static void fill_subjects(struct tree *t, struct node **roots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slot *s = subject_slot(t, roots[i]);
        if (!s)
            continue;
        const struct thread_message *was = s->node ? s->node->message : NULL, *is = roots[i]->message;
        if (!s->node || (was && (!is || (was->is_reply && !is->is_reply))))
            s->node = roots[i];
    }
}

static void move_children(struct node *from, struct node *to)
{
    for (struct node *c = first_child(from), *next; c; c = next) {
        next = next_of(c);
        add_child(to, c);
    }
    from->out.child = NULL;
    from->last = NULL;
}

/* C, of the thread at roots[i], which has another in its slot. */
static void merge(struct tree *t, struct node **roots, size_t i, struct slot *s)
{
    struct node *here = roots[i], *other = s->node;
    roots[i] = NULL;
    if (!here->message && !other->message) {
        move_children(here, other);
    } else if (!other->message || (here->message && here->message->is_reply && !other->message->is_reply)) {
        add_child(other, here);
    } else {
        struct node *dummy = new_node(t, NULL);
        dummy->place = other->place;
        add_child(dummy, other);
        add_child(dummy, here);
        s->node = roots[dummy->place] = dummy;
    }
}

static void merge_subjects(struct tree *t)
{
    size_t n = 0;
    for (struct node *c = first_child(&t->root); c; c = next_of(c))
        c->place = n++;
    struct node **roots = mem_new(n + 1, sizeof *roots);
    for (struct node *c = first_child(&t->root); c; c = next_of(c))
        roots[c->place] = c;
    fill_subjects(t, roots, n);
    for (size_t i = 0; i < n; i++) {
        struct slot *s = subject_slot(t, roots[i]);
        if (s && s->node != roots[i])
            merge(t, roots, i, s);
    }
    t->root.out.child = NULL;
    t->root.last = NULL;
    for (size_t i = 0; i < n; i++)
        if (roots[i])
            add_child(&t->root, roots[i]);
    free(roots);
}

/* --- REFS --- */

static int compare_newest(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    if (x->newest != y->newest)
        return x->newest < y->newest ? -1 : 1;
    uint32_t u = message_of(x)->uid, v = message_of(y)->uid;
    return u < v ? -1 : u > v;
}

/* The threads by their newest message: that with news comes last. */
static void sort_by_newest(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->nodes[i]->newest = t->nodes[i]->message ? t->nodes[i]->message->received : INT64_MIN;
    for (size_t i = t->n; i-- > 0;) {
        struct node *n = t->nodes[i];
        if (n->parent && n->parent->newest < n->newest)
            n->parent->newest = n->newest;
    }
    sort_children(t, &t->root, compare_newest);
}

/* --- ORDEREDSUBJECT --- */

static int compare_subject(const void *a, const void *b)
{
    const struct thread_message *x = a, *y = b;
    int order = str_compare(x->subject, y->subject);
    if (order != 0)
        return order;
    if (x->sent != y->sent)
        return x->sent < y->sent ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Messages of one subject are a thread: the first, and the others below it. */
static void link_by_subject(struct tree *t, struct thread_message *messages, size_t n)
{
    if (n > 0)
        qsort(messages, n, sizeof *messages, compare_subject);
    struct node *first = NULL;
    for (size_t i = 0; i < n; i++) {
        struct node *node = new_node(t, &messages[i]);
        if (i > 0 && str_eq(messages[i].subject, messages[i - 1].subject)) {
            add_child(first, node);
            continue;
        }
        first = node;
        add_child(&t->root, first);
    }
    sort_children(t, &t->root, compare_sent);
}

struct thread_node *thread_tree(struct thread_message *messages, size_t n, enum thread_algorithm algorithm,
                                struct arena *a)
{
    struct tree t = {.a = a};
    if (algorithm == THREAD_ORDEREDSUBJECT) {
        link_by_subject(&t, messages, n);
    } else {
        link_all(&t, messages, n);
        gather(&t);
        prune(&t);
        sort_all(&t);
    }
    if (algorithm == THREAD_REFS)
        sort_by_newest(&t);
    if (algorithm == THREAD_REFERENCES) {
        merge_subjects(&t);
        sort_all(&t);
    }
    free(t.ids.slots);
    free(t.subjects.slots);
    free(t.nodes);
    free(t.siblings);
    return t.root.out.child;
}
