/* IMAP's grammar (RFC 3501 section 9), the part that every command shares: tags, atoms, strings, literals,
 * numbers, sequence sets. Pure: bytes in, values out. What a command's own arguments look like is known by
 * the file that serves it.
 *
 * A command is read (imap/read.h) into one piece of memory: its lines and literals as they came, without the
 * last CRLF:  a1 LOGIN {3}\r\nana {6+}\r\nsecret */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H
#include "base/arena.h"
#include "base/buf.h"

#define IMAP_TAG_MAX 255 /* clients use 4 to 10; it travels from login to the account with the session */

/* Where a parser stands. Every imap_take_* either succeeds and steps on, or fails, stays where it is, and
 * says in `problem` what should have been there. */
struct imap_cursor {
    struct str in;
    size_t at;
    const char *problem; /* a static text: "expected a space" */
};

struct imap_command {
    struct str tag;          /* empty: there was none that can be echoed; answer "* BAD" */
    struct str name;         /* as it was sent: compare with str_eq_nocase; empty: there was none */
    bool by_uid;             /* the command was "UID name" */
    struct imap_cursor args; /* stands right behind the name */
};

/* The tag, the name, and where the arguments begin. False: the command is BAD; args.problem says why. */
bool imap_parse_command(struct str text, struct imap_command *out);

/* Whether a line announces a literal at its end: {n}, or {n+} (RFC 7888) whose bytes come without being
 * asked for; with a "~" in front one whose bytes may be NUL too (literal8, RFC 3516 section 4.4). Size is at
 * most UINT32_MAX (number of RFC 3501); what looks like a literal with a greater number is one of UINT32_MAX,
 * so that it is refused for its size. */
struct imap_literal {
    uint32_t size;
    bool is_sync;   /* the client waits for "+" before it sends the bytes */
    bool is_binary; /* literal8: only where a message or a part of one is expected */
    size_t at;      /* of the "{" in the line, or of the "~" before it */
};
bool imap_line_literal(struct str line, struct imap_literal *out);

/* The next byte without taking it; -1 at the end. */
int imap_peek(const struct imap_cursor *c);
bool imap_take_byte(struct imap_cursor *c, char byte);
bool imap_take_space(struct imap_cursor *c);                 /* exactly one, as the grammar has it */
bool imap_take_end(struct imap_cursor *c);                   /* nothing may follow */
bool imap_take_word(struct imap_cursor *c, struct str word); /* this atom, in any case, as a whole atom */

bool imap_take_atom(struct imap_cursor *c, struct str *atom);
/* Slices point into the command, or into `a` where escapes had to be undone. Quoted strings may hold 8-bit
 * bytes (clients send UTF-8 there); NUL, CR and LF never. Literals hold any byte but NUL. */
bool imap_take_string(struct imap_cursor *c, struct arena *a, struct str *s);
bool imap_take_nstring(struct imap_cursor *c, struct arena *a, struct str *s, bool *is_nil);
bool imap_take_astring(struct imap_cursor *c, struct arena *a, struct str *s);
bool imap_take_list_mailbox(struct imap_cursor *c, struct arena *a, struct str *s); /* with % and * */
bool imap_take_number(struct imap_cursor *c, uint32_t *n);
bool imap_take_nz_number(struct imap_cursor *c, uint32_t *n); /* not zero */
bool imap_take_number64(struct imap_cursor *c, uint64_t *n);  /* of RFC 9051: at most 63 bits */

/* Sequence sets: "1,3:5,*". */
#define IMAP_STAR 0 /* "*" in a set as it was parsed: the largest number in use */
struct imap_range {
    uint32_t from, to;
};
struct imap_set {
    struct imap_range *v;
    size_t n;
};
bool imap_take_set(struct imap_cursor *c, struct arena *a, struct imap_set *set);
/* The same numbers with "*" as `largest`, every range ascending, ranges ascending, apart from each other. */
void imap_set_resolve(struct imap_set *set, uint32_t largest);
/* The shortest text of ascending numbers: "1:3,7" (uid-set of RFC 4315). */
void imap_add_set(struct buf *out, const uint32_t *numbers, size_t n);

/* A string as a client reads it: an atom where that is possible, else quoted, else a literal. */
void imap_add_astring(struct buf *out, struct str s);
/* The same where quoted strings may hold UTF-8 (RFC 9051 section 4.3, RFC 6855 section 3); `s` is UTF-8. */
void imap_add_astring_utf8(struct buf *out, struct str s);

#endif
