/* The lines of an INI file. Written here because inih, Debian's library for it, cuts section names at 50
 * bytes and lines at 200 without a word: a route for a long domain would silently be one for another domain.
 */
#ifndef CONFIG_INI_H
#define CONFIG_INI_H
#include "base/err.h"

struct ini_line {
    unsigned number;    /* from 1 */
    struct str section; /* "route example.org" of "[route example.org]" */
    struct str key;     /* "" for the line that opens a section */
    struct str value;   /* trimmed, without the comment after it */
};

struct ini {
    struct str rest, section;
    unsigned number;
};

struct ini ini_open(struct str text);

enum ini_result { INI_LINE, INI_END, INI_BAD };
/* The next line that says something: "[section]" or "key = value". Comments begin with # or ; at the start of
 * a line or after white space. INI_BAD: *e names the line number and what is wrong. */
enum ini_result ini_next(struct ini *ini, struct ini_line *line, struct err *e);

#endif
