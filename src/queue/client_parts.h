/* What the files of the queue's client share. */
#ifndef QUEUE_CLIENT_PARTS_H
#define QUEUE_CLIENT_PARTS_H
#include "queue/queue.h"
#include "role/role.h"

struct queue_client {
    struct ipc_pool *pool;
    struct role_target target;
};

#endif
