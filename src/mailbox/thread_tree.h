/* The threading algorithms of RFC 5256 section 3 and draft-ietf-morg-inthread: pure, from what is known of
 * the messages to their threads. Inside the module only. */
#ifndef MAILBOX_THREAD_TREE_H
#define MAILBOX_THREAD_TREE_H
#include "mailbox/search.h"

struct thread_message {
    uint32_t uid;
    int64_t sent, received;
    bool is_reply;
    struct str subject; /* key of the base subject */
    struct str links;   /* see struct body_keys */
};

/* `messages` by uid; they are put into another order. The threads in `a`; NULL: there is no message. */
struct thread_node *thread_tree(struct thread_message *messages, size_t n, enum thread_algorithm algorithm,
                                struct arena *a);

#endif
