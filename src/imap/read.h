/* Reading a command from a client: lines that may end in a literal, whose bytes and whose next line belong
 * to the same command (RFC 3501 sections 2.2.1 and 4.3, RFC 7888). */
#ifndef IMAP_READ_H
#define IMAP_READ_H
#include "base/stream.h"
#include "imap/parse.h"

/* One line. Clients that list many messages send long ones; RFC 7162 section 4 asks for 8192 at least. */
#define IMAP_LINE_MAX          ((size_t)65536)
/* A whole command with its literals, but for the message of APPEND, after login. */
#define IMAP_COMMAND_MAX       ((size_t)1024 * 1024)
/* The same before login: a user name, a password, or an initial response. */
#define IMAP_LOGIN_COMMAND_MAX ((size_t)8192)
/* What is read and dropped of a refused command (RFC 7888 section 4) before the connection is given up. */
#define IMAP_DROP_MAX          ((uint64_t)256 * 1024 * 1024)

enum imap_read_result {
    IMAP_READ_DONE,     /* the command is whole */
    IMAP_READ_LITERAL,  /* the line ends in a literal: reader.literal. Take it, or refuse the command and
                           imap_read_skip */
    IMAP_READ_BARE_LF,  /* the line did not end in CRLF: answer BAD, then imap_read_skip */
    IMAP_READ_TOO_BIG,  /* the literal would pass command_max: answer BAD, then imap_read_skip */
    IMAP_READ_TOO_LONG, /* a line passed its bound, or too much had to be dropped: answer "* BYE" */
    IMAP_READ_CLOSED,   /* the client is gone */
    IMAP_READ_TIMEOUT,
};

struct imap_reader {
    struct stream *stream;
    struct buf command;          /* what is there of it: see imap/parse.h */
    struct imap_literal literal; /* after IMAP_READ_LITERAL and TOO_BIG */
    bool has_literal;            /* the last line read ended in one */
};

void imap_reader_init(struct imap_reader *r, struct stream *s, size_t command_max);
void imap_reader_free(struct imap_reader *r);

/* Reads a whole command; LITERAL never comes from it. reader.command holds what was read also when it was
 * refused, so that the tag is known. It is valid until the next imap_read_command or imap_read_begin. */
enum imap_read_result imap_read_command(struct imap_reader *r, struct deadline d);

/* The same in steps, for APPEND, whose literal goes elsewhere: begin, then line; after LITERAL literal or
 * something else that takes its bytes, then line again. */
void imap_read_begin(struct imap_reader *r);
enum imap_read_result imap_read_line(struct imap_reader *r, struct deadline d);
enum imap_read_result imap_read_literal(struct imap_reader *r, struct deadline d); /* DONE: it is in */
/* Asks for the bytes of a synchronising literal. */
enum imap_read_result imap_read_go_ahead(struct imap_reader *r, struct deadline d);

/* After a refusal: drops what the client sends without being asked to. `drop_max` bounds it. */
enum imap_read_result imap_read_skip(struct imap_reader *r, uint64_t drop_max, struct deadline d);

#endif
