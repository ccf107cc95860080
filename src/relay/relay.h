/* The relay role: takes jobs from queue (queue/queue.h) and sends them to other servers. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H
struct role;
int relay_main(struct role *r);
#endif
