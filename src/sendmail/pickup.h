/* The role that takes what sendmail left in the maildrop (sendmail/drop.h), as soon as it is there, and hands
 * it to smtp as a message of the local user whose file it is. */
#ifndef SENDMAIL_PICKUP_H
#define SENDMAIL_PICKUP_H

struct role;
int pickup_main(struct role *r);

#endif
