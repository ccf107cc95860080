/* Real roles in real processes, for tests: what the supervisor does in a server, as little of it as it takes.
 * Fork all roles, then tree_run, then act as clients through tree_client. */
#ifndef TEST_UNIT_ROLES_H
#define TEST_UNIT_ROLES_H
#include "folder.h"
#include "role/role.h"

#include <pthread.h>

#define TREE_ROLES_MAX 8

struct tree {
    struct folder folder; /* its path is the data directory */
    const struct config *config;
    size_t n;
    enum role_kind kinds[TREE_ROLES_MAX];
    _Atomic pid_t pids[TREE_ROLES_MAX]; /* 0: a client in the test itself, or one that the test has ended */
    int controls[TREE_ROLES_MAX];
    int brokers[TREE_ROLES_MAX];
    struct role clients[TREE_ROLES_MAX];
    int stop[2];
    pthread_t broker;
};

/* The data directory and a config of it, with `more` lines. */
void tree_init(struct tree *t, const char *more);
void tree_fork(struct tree *t, enum role_kind kind, int (*main_function)(struct role *r));
struct role *tree_client(struct tree *t, enum role_kind kind); /* before tree_run */
void tree_run(struct tree *t);
/* A channel to a role as if a `client` had asked for it. */
int tree_connect(struct tree *t, enum role_kind client, enum role_kind to);
pid_t tree_pid(const struct tree *t, enum role_kind kind);
/* Tells all roles to stop and waits; the number of those that did not end with status 0. */
int tree_stop(struct tree *t);
void tree_free(struct tree *t);

/* Processes whose parent is `parent`. */
size_t children_of(pid_t parent, pid_t *pids, size_t max);

#endif
