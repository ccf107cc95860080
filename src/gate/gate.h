/* gate: accepts connections, speaks TLS, and knows no mail protocol. A connection that needs no TLS goes on
 * as it is, to smtp or login; one that does stays here, and the service gets one end of a socketpair
 * (gate/connection.h). */
#ifndef GATE_GATE_H
#define GATE_GATE_H

struct role;
int gate_main(struct role *r);

#endif
