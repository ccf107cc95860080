/* The queue as a user of this machine sees it: asked of the server, over its socket for local programs
 * (smtp/queue_verb.c), which knows by the kernel who asks. */
#ifndef SENDMAIL_MAILQ_SOCKET_H
#define SENDMAIL_MAILQ_SOCKET_H
#include "queue/admin.h"

/* As queue_admin_list and QUEUE_ADMIN_RETRY, of what this user may see. ERR_PERMANENT: he may not. */
bool mailq_socket_list(const struct config *c,
                       void (*each)(void *context, const struct queue_admin_message *m), void *context,
                       struct err *e);
bool mailq_socket_retry(const struct config *c, struct err *e);

#endif
