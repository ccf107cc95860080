/* IMAP URLs (RFC 5092) that name a message or bytes of one, as CATENATE takes them (RFC 4469):
 *
 *   /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *   ;UID=20/;SECTION=HEADER                              in the selected mailbox
 *   imap://ana@mail.example.org/Drafts/;UID=20           this server's own, for its own user
 *
 * Pure. */
#ifndef IMAP_URL_H
#define IMAP_URL_H
#include "imap/fetch_parse.h"

/* Longer ones name nothing here: a mailbox's name is at most 1024 bytes, three times that with "%" escapes.
 */
#define IMAP_URL_MAX ((size_t)8192)

struct imap_url {
    struct str user, host; /* decoded; empty: of the session and this server */
    struct str mailbox;    /* UTF-8; empty: the selected one */
    bool is_below;         /* `mailbox` is a name below the selected one (a relative path) */
    uint32_t uidvalidity;  /* 0: any */
    uint32_t uid;
    struct fetch_section section; /* SECTION_WHOLE without a path: the message; with from and length */
};

/* False: it is none, or one that names no message; *problem says why. A partial without a length has
 * UINT32_MAX for it. */
bool imap_parse_url(struct str text, struct arena *a, struct imap_url *out, const char **problem);

#endif
