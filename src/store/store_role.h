/* store: the one role that speaks to PostgreSQL, where the config says that the mail is there. directory,
 * queue and the account processes have no network; they name a statement by its number and send its
 * parameters (base/sql_remote.h), and store knows from who gave it the channel whose rows it may reach:
 *
 *   directory   asks the supervisor for a channel: the directory's tables
 *   queue       the same: the queue's rows of this node (its hostname)
 *   account     keeper, which forks it, gives store one end of a pair with the account's number, and the
 *               account the other */
#ifndef STORE_STORE_ROLE_H
#define STORE_STORE_ROLE_H
struct role;
int store_main(struct role *r);
#endif
