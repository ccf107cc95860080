/* The text of one message for a search: read, decoded and folded only as far as it is asked for, and only
 * once however many conditions ask. */
#ifndef MAILBOX_SEARCH_TEXT_H
#define MAILBOX_SEARCH_TEXT_H
#include "mailbox/internal.h"
#include "message/header.h"
#include "message/mime.h"

/* Folded text of one message that is looked through; what a message has beyond it is not found. More than any
 * letter has, and a bound on memory. */
#define SEARCH_TEXT_MAX ((size_t)8 * 1024 * 1024)

struct search_text {
    struct connection *connection;
    int64_t id; /* of the body */
    uint64_t size;
    struct str parts;
    struct body_reader body;
    struct arena arena;       /* of this message */
    struct mime_part *root;   /* NULL: not unpacked yet */
    struct buf header;        /* raw */
    struct buf folded_header; /* all of it, a field a line */
    struct buf folded_body;   /* its text parts, and the headers of the messages in it */
    struct buf raw, decoded;  /* for passing through */
    bool has_header, has_folded_header, has_folded_body;
};

void search_text_init(struct search_text *t, struct connection *c);
void search_text_free(struct search_text *t);
/* The next message: as its row of table message is, or of table body. */
void search_text_start(struct search_text *t, const struct fetch_row *row);
void search_text_start_body(struct search_text *t, int64_t body, struct str parts);

/* The header as it stands in the message, until the next message. */
bool search_text_header(struct search_text *t, struct str *header, struct err *e);

/* `folded` has gone through search_fold. False: an error, with the words. */
bool search_text_in_field(struct search_text *t, struct str name, struct str folded, bool *found,
                          struct err *e);
bool search_text_in_header(struct search_text *t, struct str folded, bool *found, struct err *e);
bool search_text_in_body(struct search_text *t, struct str folded, bool *found, struct err *e);

/* A field's value, decoded and folded, at the end of `out`; behind those of address fields, a line for each
 * address where comments may stand within. */
void search_text_fold_field(struct search_text *t, const struct header_field *f, struct buf *out);

/* The folded texts themselves, until the next message: of all fields of that name, a line each (valid until
 * the next call of this); of the header; of the body. */
bool search_text_field(struct search_text *t, struct str name, struct str *folded, struct err *e);
bool search_text_folded_header(struct search_text *t, struct str *folded, struct err *e);
bool search_text_folded_body(struct search_text *t, struct str *folded, struct err *e);

#endif
