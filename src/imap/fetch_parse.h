/* What FETCH asks for (RFC 3501 section 6.4.5). Pure. */
#ifndef IMAP_FETCH_PARSE_H
#define IMAP_FETCH_PARSE_H
#include "imap/partial.h"

/* Parts of messages in one FETCH: clients ask for one or two, some for a dozen. Bounds how much one line can
 * have sent to it. */
#define FETCH_SECTIONS_MAX 64

enum fetch_item {
    FETCH_UID = 1 << 0,
    FETCH_FLAGS = 1 << 1,
    FETCH_INTERNALDATE = 1 << 2,
    FETCH_SIZE = 1 << 3,
    FETCH_ENVELOPE = 1 << 4,
    FETCH_BODYSTRUCTURE = 1 << 5,
    FETCH_BODY = 1 << 6,         /* BODYSTRUCTURE without its extension data */
    FETCH_PREVIEW = 1 << 8,      /* RFC 8970 */
    FETCH_PREVIEW_LAZY = 1 << 9, /* only where it is there already (section 4.1) */
    FETCH_SAVEDATE = 1 << 10,    /* RFC 8514 */
    FETCH_EMAILID = 1 << 11,     /* RFC 8474 */
    FETCH_THREADID = 1 << 12,
    FETCH_MODSEQ = 1 << 16, /* RFC 7162 section 3.1.5 */
};

enum section_text {
    SECTION_WHOLE, /* BODY[], BODY[1.2] */
    SECTION_HEADER,
    SECTION_FIELDS,
    SECTION_FIELDS_NOT,
    SECTION_TEXT,
    SECTION_MIME,
};

enum section_form {
    SECTION_BODY,        /* the bytes as they stand in the message */
    SECTION_BINARY,      /* without their Content-Transfer-Encoding (RFC 3516) */
    SECTION_BINARY_SIZE, /* how many those are */
};

struct fetch_section {
    enum section_form form;
    uint32_t *path; /* 1.2.3 */
    size_t path_count;
    enum section_text text;
    struct str *fields; /* of FIELDS and FIELDS_NOT */
    size_t field_count;
    bool is_partial;
    uint64_t from, length; /* of a partial */
    struct str label;      /* its name in the answer: "BODY[1.2.MIME]<0>", "RFC822.TEXT" */
};

struct fetch_request {
    unsigned items;
    struct fetch_section *sections;
    size_t section_count;
    bool sets_seen; /* one of the sections is not a PEEK */
    bool has_changed_since;
    uint64_t changed_since; /* only messages with a greater modseq */
    bool wants_vanished;
    bool is_partial; /* RFC 9394: only a window of the messages */
    struct imap_partial window;
};

/* ALL | FULL | FAST | fetch-att | "(" fetch-att *(SP fetch-att) ")" */
bool imap_take_fetch_request(struct imap_cursor *c, struct arena *a, struct fetch_request *out);
/* SP "(" modifier *(SP modifier) ")", into the request: CHANGEDSINCE and VANISHED (RFC 7162 sections 3.1.4.1
 * and 3.2.6), PARTIAL (RFC 9394 section 3.2). */
bool imap_take_fetch_modifiers(struct imap_cursor *c, struct fetch_request *out);

/* section-spec by itself, as it stands between "[" and "]": "1.2.MIME". */
bool imap_parse_section(struct str text, struct arena *a, struct fetch_section *out);

#endif
