/* The DNS records that a domain needs for this server to receive and send its mail. */
#ifndef COMMAND_RECORDS_H
#define COMMAND_RECORDS_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define DKIM_SELECTOR "golub" /* of the key that golub init makes: DATA/dkim/golub.key */

/* "v=DKIM1; k=rsa; p=..." of the private key in PEM at `path` (RFC 6376 section 3.6.1). */
bool records_dkim(const char *path, struct arena *a, struct str *out, struct err *e);

/* TLSA 3 1 1 rdata in hex: SHA-256 of the public key of the certificate at `path` (RFC 6698, RFC 7672). */
bool records_tlsa(const char *path, struct arena *a, struct str *out, struct err *e);

/* Prints them all to standard output, as a zone file with remarks. `data` is the data directory. */
bool records_print(struct str domain, struct str hostname, struct str data, const char *certificate,
                   struct err *e);

#endif
