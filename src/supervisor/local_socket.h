/* Unix sockets of other programs (an LMTP server's), for a role that may not open any: of those alone that
 * golub.conf names, whatever the role asks for. */
#ifndef SUPERVISOR_LOCAL_SOCKET_H
#define SUPERVISOR_LOCAL_SOCKET_H
#include "config/config.h"

/* A connected, nonblocking socket; -1: it is not one of [relay] lmtp_sockets, or nobody listens: *e. Never
 * waits. */
int local_socket_connect(const struct config *c, struct str path, struct err *e);

#endif
