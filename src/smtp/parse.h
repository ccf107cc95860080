/* A command line of SMTP, parsed: RFC 5321 section 4.1, with LHLO of LMTP (RFC 2033), BDAT (RFC 3030) and the
 * extensions of smtp/parameters.h. Pure. */
#ifndef SMTP_PARSE_H
#define SMTP_PARSE_H
#include "smtp/parameters.h"

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_LHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_VRFY,
    SMTP_HELP,
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_EXPN,
    SMTP_XCLIENT,
    SMTP_XQUEUE,
    SMTP_VERB_COUNT
};

/* Why a line is no command; what the client is told stands in the session's table. */
enum smtp_fault {
    SMTP_GOOD,
    SMTP_NO_SUCH_VERB,
    SMTP_BAD_BYTES,         /* NUL, a bare CR, or another control character */
    SMTP_BAD_ARGUMENT,      /* missing, or one where there must be none */
    SMTP_BAD_PATH,          /* MAIL, RCPT: not an address in <> */
    SMTP_BAD_PARAMETER,     /* a known one with a bad value, or twice */
    SMTP_UNKNOWN_PARAMETER, /* RFC 5321 section 4.1.1.11 */
    SMTP_NEEDS_UTF8,        /* an address beyond ASCII without the parameter SMTPUTF8: RFC 6531 section 3.4 */
    SMTP_FAULT_COUNT
};

/* The "<...>" of MAIL and RCPT. A source route was accepted and dropped (RFC 5321 section 3.3, appendix C).
 */
struct smtp_path {
    struct str local, domain; /* quotes removed; both "" for <>; only domain "" for <postmaster> */
};

struct smtp_command {
    enum smtp_verb verb; /* valid also when a fault beyond SMTP_NO_SUCH_VERB and SMTP_BAD_BYTES was found */
    struct str
        argument; /* EHLO, HELO, LHLO: the name; AUTH: the mechanism; others: all after the verb, trimmed */
    struct str initial; /* AUTH: the initial response as it stands ("=" is an empty one) */
    bool has_initial;
    struct smtp_path path; /* MAIL, RCPT */
    struct smtp_mail_parameters mail;
    struct envelope_recipient rcpt;
    struct str culprit; /* the keyword of a bad or unknown parameter */
    uint64_t octets;    /* BDAT: that follow */
    bool is_last;       /* BDAT */
};

#define SMTP_HELO_MAX 255 /* RFC 5321 section 4.5.3.1.2 */

/* `line` is without its CRLF; `offered` are the EXTENSION_BITs of what EHLO offers. Slices of *out point into
 * the line or into `a`. */
enum smtp_fault smtp_parse(struct str line, unsigned offered, struct arena *a, struct smtp_command *out);

bool smtp_path_is_ascii(const struct smtp_path *p);

/* The path as it must be written, without the brackets: local-part quoted where it needs that. */
struct str smtp_path_text(const struct smtp_path *p, struct arena *a);
/* The same of an address whose quotes were removed; "" for "". */
struct str smtp_address_text(struct str plain, struct arena *a);

#endif
