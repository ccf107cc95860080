/* Reports about TLS as they travel (RFC 8460): who wants them, their JSON both ways, and the mail around it.
 * Pure. */
#ifndef TRUST_TLS_REPORT_H
#define TRUST_TLS_REPORT_H
#include "base/buf.h"
#include "base/err.h"
#include "trust/tls_rpt.h"

#define TLS_REPORT_RUA_MAX   8                          /* addresses that a domain's report goes to */
#define TLS_REPORT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one that is read, unpacked */
#define TLS_REPORT_ROWS_MAX  10000                      /* policies and details of one that is read */

/* The URIs of the record at _smtp._tls.DOMAIN, among all TXT records there (section 3): mailto: and https:
 * only. How many; 0: no reports are wanted. Slices of the record. */
size_t tls_report_rua(const struct str *records, size_t count, struct str uris[TLS_REPORT_RUA_MAX]);

/* The address of a mailto: URI, percent-decoded; "" if it is no address that mail can go to. */
struct str tls_report_address(struct str uri, struct arena *a);

/* --- ours --- */
struct tls_report {
    struct str organization; /* our name for ourselves: the host */
    struct str contact;      /* an address */
    struct str domain;       /* whom it is for */
    struct str id;           /* printable, unique */
    int64_t day;
    const struct tls_rpt_count *counts; /* those of one policy beside each other */
    size_t count;
};
void tls_report_json(const struct tls_report *r, struct buf *out); /* section 4.4 */

/* "sender!domain!begin!end!id.json.gz": section 5.1. */
struct str tls_report_file_name(const struct tls_report *r, struct arena *a);

/* The whole message of section 5.3, with CRLF: multipart/report with the packed JSON. Its header says
 * "TLS-Required: No", for a report must arrive where TLS is broken (RFC 8689 section 5). */
void tls_report_mail(const struct tls_report *r, struct str packed, struct str to, int64_t now,
                     struct buf *out);

/* --- others' --- strings as they came but for controls, which became "?" */

/* The local part of the address where reports about our domains are to come: `golub dns` prints it. */
#define TLS_REPORT_MAILBOX "postmaster"

/* Whether the header of a message says that it carries a report: section 5.3. */
bool tls_report_is_mail(struct str message);
/* The JSON of a report: `file` is a message, or the report by itself, packed or not. *json has the bound of
 * what is unpacked. False: there is none, it is broken or too large; *e says so. */
bool tls_report_unpack(struct str file, struct arena *a, struct buf *json, struct err *e);

struct tls_report_row { /* a policy, or (is_detail) a kind of failure under the policy before it */
    bool is_detail;
    struct str type, domain, mx; /* policy: "sts", whose, the hosts' patterns with spaces between */
    uint64_t good, failed;       /* sessions; a detail has only failed ones */
    struct str result, host, address, source, reason; /* detail */
};
struct tls_report_read {
    struct str organization, contact, id, begin, end;
    struct tls_report_row *rows;
    size_t count;
};
/* False: not a report; *e says what is wrong. Strings live in `a`. */
bool tls_report_read(struct str json, struct arena *a, struct tls_report_read *out, struct err *e);

#endif
