/* The DNS records that a domain needs for this server to receive and send its mail, or to hold it for its own
 * servers (a backup MX). */
#ifndef COMMAND_RECORDS_H
#define COMMAND_RECORDS_H
#include "base/arena.h"
#include "base/err.h"
#include "config/config.h"
#include "dns/dns.h"

#define DKIM_SELECTOR "golub" /* of the key that golub init makes: DATA/dkim/golub.key */
#define RECORDS_MAX   32      /* of one domain */

enum record_match { /* what DNS must have for all to be well */
                    RECORD_EXACT,
                    RECORD_VERSION, /* one that begins as this one ("v=spf1"): the rest is the domain's choice
                                     */
                    RECORD_ANY,     /* any of that type */
                    RECORD_OPTIONAL, /* or none */
};
struct record {
    const char *remark; /* NULL: it belongs to the one before it */
    struct str name;    /* without the final dot */
    enum dns_type type;
    struct str
        data; /* as in a zone file, without quotes and final dot; words for people with ANY and OPTIONAL */
    enum record_match match;
};
struct records_of {
    struct str domain;
    bool is_backup;   /* somebody else's: what they are to publish beside their own */
    bool is_enforced; /* MTA-STS with mode enforce, else testing */
};
/* `records` has room for RECORDS_MAX. */
bool records_make(const struct config *c, const struct records_of *of, struct arena *a,
                  struct record *records, size_t *n, struct err *e);
const char *records_type_name(enum dns_type type);

/* The policy file of MTA-STS (RFC 8461 section 3.2). */
struct str records_sts_policy(const struct config *c, bool is_enforced, struct arena *a);

/* Prints all to standard output, as a zone file with remarks. */
bool records_print(const struct config *c, const struct records_of *of, struct err *e);

#endif
