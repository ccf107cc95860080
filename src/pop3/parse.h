/* POP3's command lines (RFC 1939 section 3, RFC 2449, RFC 5034, RFC 6856), and what the server says that it
 * can do. Pure: a line in, a value out. */
#ifndef POP3_PARSE_H
#define POP3_PARSE_H
#include "base/buf.h"
#include "base/channel_binding.h"
#include "config/config.h"

/* RFC 2449 section 4: 255 bytes with CRLF; more, because PASS may carry a long pass phrase and AUTH an
 * initial response. */
#define POP3_LINE_MAX         ((size_t)1024)
/* A SASL response by itself (RFC 5034 section 4): base64 of identities and a password. */
#define POP3_RESPONSE_MAX     ((size_t)8192)
/* A client that goes on after so many lines that are no command is none. */
#define POP3_BAD_COMMANDS_MAX 10

enum pop3_verb {
    POP3_UNKNOWN,
    POP3_APOP, /* known, so that it can be told that it is not offered */
    POP3_AUTH,
    POP3_CAPA,
    POP3_DELE,
    POP3_LANG,
    POP3_LIST,
    POP3_NOOP,
    POP3_PASS,
    POP3_QUIT,
    POP3_RETR,
    POP3_RSET,
    POP3_STAT,
    POP3_STLS,
    POP3_TOP,
    POP3_UIDL,
    POP3_USER,
    POP3_UTF8,
};

struct pop3_command {
    enum pop3_verb verb;
    struct str text;     /* USER, PASS: what follows, spaces and all. AUTH: the mechanism, or empty. LANG: a
                            language range, or empty */
    struct str response; /* AUTH: the initial response in base64; "=" is an empty one (RFC 5034 section 4) */
    bool has_response;
    bool has_number;
    uint32_t number; /* a message's number, from 1 */
    uint32_t lines;  /* TOP */
};

/* `line` without its line end; slices point into it. False: out->verb is what could be recognised
 * (POP3_UNKNOWN: nothing), and *problem (static text) says what should have been there. */
bool pop3_parse(struct str line, struct pop3_command *out, const char **problem);

/* The lines of CAPA's answer, with the final "." (RFC 2449 section 5). After login neither STLS nor a way to
 * log in is listed. */
struct pop3_offer {
    bool starttls;                           /* TLS is not on and may be had */
    bool login;                              /* a password may be sent now */
    const struct channel_bindings *bindings; /* of the TLS connection; NULL: none */
};
void pop3_add_capabilities(struct buf *out, const struct config *config, const struct pop3_offer *offer);

/* The answer to LANG (RFC 6856 section 3), with its line ends: what we say is English. */
void pop3_answer_lang(const struct pop3_command *c, struct buf *out);

/* What RFC 3206 calls a failure of ours: "SYS/TEMP" passes by itself, "SYS/PERM" needs the administrator. */
const char *pop3_system_code(const struct err *e);

#endif
