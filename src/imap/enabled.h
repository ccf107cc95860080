/* What ENABLE has switched on, or a command that implies it. Never switched off again but by UNAUTHENTICATE.
 */
#ifndef IMAP_ENABLED_H
#define IMAP_ENABLED_H

enum imap_enabled {
    ENABLED_IMAP4REV2 = 1 << 0, /* RFC 9051: no \Recent, UTF-8 names, SEARCH answers ESEARCH */
    ENABLED_UTF8 = 1 << 1,      /* UTF8=ACCEPT, RFC 6855: UTF-8 names, quoted strings and headers */
    ENABLED_CONDSTORE = 1 << 2, /* RFC 7162: MODSEQ with every change of flags */
    ENABLED_QRESYNC = 1 << 3,   /* RFC 7162 section 3.2: VANISHED instead of EXPUNGE */
    ENABLED_UIDONLY = 1 << 4,   /* RFC 9586: no sequence numbers; UIDFETCH instead of FETCH, VANISHED */
};

#endif
