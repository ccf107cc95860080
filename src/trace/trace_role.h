/* The role that keeps what the others log about messages, in DATA/trace, for `golub trace`. It has no part in
 * a message's way: nobody waits for it. */
#ifndef TRACE_TRACE_ROLE_H
#define TRACE_TRACE_ROLE_H

struct role;
int trace_main(struct role *r);

#endif
