/* The DNS records that a domain needs for this server to receive and send its mail. */
#ifndef COMMAND_RECORDS_H
#define COMMAND_RECORDS_H
#include "base/err.h"

#define DKIM_SELECTOR "golub" /* of the key that golub init makes: DATA/dkim/golub.key */

/* Prints them all to standard output, as a zone file with remarks. `data` is the data directory. */
bool records_print(struct str domain, struct str hostname, struct str data, const char *certificate,
                   struct err *e);

#endif
