/* mailq: what waits to leave, in the form of Postfix's, which monitoring scripts read. */
#ifndef SENDMAIL_MAILQ_H
#define SENDMAIL_MAILQ_H
#include "sendmail/options.h"

struct config;
enum sendmail_exit mailq_list(const struct config *c);
enum sendmail_exit mailq_flush(const struct config *c); /* all that waits is tried now */

#endif
