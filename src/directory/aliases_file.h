/* A file of aliases as sendmail, Postfix and Exim have it in /etc/aliases: "name: target, target", lines that
 * go on with white space in front, comments from # on at the beginning of a line, quotes around what needs
 * them. Pure. */
#ifndef DIRECTORY_ALIASES_FILE_H
#define DIRECTORY_ALIASES_FILE_H
#include "base/arena.h"

struct aliases_entry {
    unsigned line;   /* on which it begins, from 1 */
    struct str name; /* without quotes; "" when the line has no colon behind a name */
    struct str *targets;
    size_t count;
};

struct aliases_reader {
    struct str rest;
    unsigned line; /* read so far */
};
#define ALIASES_READER(text) \
    {                        \
        .rest = (text)       \
    }

/* The next entry; strings and list live in the text or in `a`. False: there is none. */
bool aliases_next(struct aliases_reader *r, struct arena *a, struct aliases_entry *out);

/* What a target is that is no address: "a program", "a file", "a list in a file"; NULL for an address. */
const char *aliases_other_kind(struct str target);

#endif
