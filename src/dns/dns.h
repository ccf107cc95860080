/* DNS as its clients (relay, smtp) see it. Blocking, validated where the zone is signed. */
#ifndef DNS_DNS_H
#define DNS_DNS_H
#include "base/arena.h"
#include "base/ipc.h"

struct role;
struct dns; /* a client; safe from any thread */
struct dns *dns_client(struct role *r);

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_TLSA = 52
};

enum dns_status {
    DNS_FOUND,
    DNS_NO_DATA,   /* the name is there, without such records */
    DNS_NO_NAME,   /* NXDOMAIN */
    DNS_TEMPORARY, /* SERVFAIL, time-out, bogus DNSSEC */
};

struct dns_record {
    struct str data; /* A, AAAA: numeric text. MX, PTR, CNAME: the name, lower case, without final dot ("" for
                        null MX's root). TXT: strings joined. SRV: "weight port target". TLSA: raw rdata */
    uint16_t preference; /* MX; SRV's priority */
};

struct dns_answer {
    enum dns_status status;
    bool secure;          /* DNSSEC proved it, and every alias on the way to it */
    struct str canonical; /* whose records they are, lower case, where the name that was asked is an alias
                             (CNAME); else "" */
    struct dns_record *records;
    size_t count;
};

#define DNS_TIMEOUT_MS  (20 * 1000)
#define DNS_RECORDS_MAX 100

/* Questions that are asked at the same time; out[i] is the answer to questions[i]. All of them have been
 * answered when it returns, or have failed. */
#define DNS_QUESTIONS_MAX 4
struct dns_question {
    enum dns_type type;
    struct str name;
};
void dns_lookup(struct dns *d, const struct dns_question *questions, size_t n, struct arena *a,
                struct dns_answer *out);

/* The role: libunbound behind IPC. */
int dns_main(struct role *r);

enum dns_frame {
    DNS_FRAME_LOOKUP = 1, /* u32 type, str name */
    DNS_FRAME_ANSWER,     /* u8 status, u8 secure, str canonical, u32 n, n x (u32 preference, str data) */
};

#endif
