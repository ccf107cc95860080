/* What a client says of a mailbox that it knew before: the parameters of SELECT and EXAMINE (RFC 4466 section
 * 2.1, RFC 7162 sections 3.1.8 and 3.2.5). Pure. */
#ifndef IMAP_QRESYNC_H
#define IMAP_QRESYNC_H
#include "imap/parse.h"

struct qresync {
    uint32_t uidvalidity;
    uint64_t modseq;
    struct imap_set known;   /* uids; n == 0: all up to now */
    struct imap_set numbers; /* sequence match data: these numbers were ... */
    struct imap_set uids;    /* ... these uids; as many of both; n == 0: none given */
};

struct select_parameters {
    bool condstore;
    bool has_qresync;
    struct qresync qresync;
};

/* "(" select-param *(SP select-param) ")" */
bool imap_take_select_parameters(struct imap_cursor *c, struct arena *a, struct select_parameters *out);

#endif
