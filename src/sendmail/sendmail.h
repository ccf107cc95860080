/* sendmail, mailq and newaliases, as /usr/sbin/sendmail that cron and PHP call: src/main.c by the program's
 * name, and `golub sendmail`. */
#ifndef SENDMAIL_SENDMAIL_H
#define SENDMAIL_SENDMAIL_H
#include "sendmail/options.h"

/* argv[0] is sendmail, mailq or newaliases. `config_path`: unless -C names another. Returns the exit code. */
int sendmail_main(const char *config_path, int argc, char **argv);

#endif
