/* A command line of SMTP, parsed: RFC 5321 section 4.1, with the parameters of SIZE (RFC 1870), 8BITMIME
 * (RFC 6152) and AUTH (RFC 4954). Pure. */
#ifndef SMTP_PARSE_H
#define SMTP_PARSE_H
#include "base/arena.h"
#include "base/buf.h"

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_VRFY,
    SMTP_HELP,
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_EXPN,
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
    SMTP_FAULT_COUNT
};

/* The "<...>" of MAIL and RCPT. A source route was accepted and dropped (RFC 5321 section 3.3, appendix C).
 */
struct smtp_path {
    struct str local, domain; /* quotes removed; both "" for <>; only domain "" for <postmaster> */
};

struct smtp_command {
    enum smtp_verb verb; /* valid also when a fault beyond SMTP_NO_SUCH_VERB and SMTP_BAD_BYTES was found */
    struct str argument; /* EHLO, HELO: the name; AUTH: the mechanism; others: all after the verb, trimmed */
    struct str initial;  /* AUTH: the initial response as it stands ("=" is an empty one) */
    bool has_initial;
    struct smtp_path path; /* MAIL, RCPT */
    bool has_size;
    uint64_t size; /* SIZE=; a number too large for 64 bits is UINT64_MAX */
    bool is_8bit;  /* BODY=8BITMIME */
};

#define SMTP_HELO_MAX 255 /* RFC 5321 section 4.5.3.1.2 */

/* `line` is without its CRLF. Slices of *out point into the line or into `a`. */
enum smtp_fault smtp_parse(struct str line, struct arena *a, struct smtp_command *out);

/* The path as it must be written, without the brackets: local-part quoted where it needs that. */
struct str smtp_path_text(const struct smtp_path *p, struct arena *a);

#endif
