/* The receiving side: SMTP from other servers (25) and from mail clients (587, 26, 465), a thread a session.
 * Connections come from gate; whose address it is says the directory; messages go to accounts and the queue.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

struct role;
int smtp_main(struct role *r);

#endif
