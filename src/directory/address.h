/* The one spelling under which the directory knows an address. Domains are lower case A-labels (UTS #46,
 * non-transitional, as RFC 5891 and every browser); local parts are compared without case: strictly the
 * receiving host decides (RFC 5321 section 2.4), and ours decides as everybody expects. Pure, thread-safe. */
#ifndef DIRECTORY_ADDRESS_H
#define DIRECTORY_ADDRESS_H
#include "base/arena.h"
#include "base/err.h"

#define LOCAL_PART_MAX 64  /* octets: RFC 5321 section 4.5.3.1.1 */
#define DOMAIN_MAX     253 /* octets of a name in text form: 255 on the wire, RFC 1035 section 2.3.4 */

struct directory_address {
    struct str local;  /* as given */
    struct str domain; /* canonical */
    struct str key;    /* canonical local part "@" canonical domain: what is compared and stored */
    struct str whole;  /* local part as given "@" canonical domain: what is sent to another host, whose
                          business its case is */
};

/* `address` is local-part@domain without quotes, the last "@" divides. False: it is no address; the words
 * (ERR_PERMANENT) say why. */
bool directory_address_read(struct str address, struct arena *a, struct directory_address *out,
                            struct err *e);

/* The same, or "@domain" for all addresses there: then local is "", key and whole "@domain". */
bool directory_pattern_read(struct str text, struct arena *a, struct directory_address *out, struct err *e);

/* A domain in U- or A-labels, or an address literal "[...]", which is kept as it is (lower case). */
bool directory_domain_read(struct str domain, struct arena *a, struct str *out, struct err *e);

/* The canonical local part: lower case; beyond ASCII, NFC and full case folding. False for what is not UTF-8,
 * holds control characters, or is longer than LOCAL_PART_MAX, folded too. */
bool directory_local_fold(struct str local, struct arena *a, struct str *out);

/* Loads ICU's tables; once, before the sandbox is entered, for it may look for files. */
void directory_address_init(void);

#endif
