/* Addresses that stand for many: "sales-*@example.org", where * is any text and ? any character, and regular
 * expressions, "/^sales-(north|south)$/@example.org". Both are matched against a whole local part, without
 * case; $1 to $9 in a target are what the first to ninth star or group matched, $$ is a dollar. Regular
 * expressions are PCRE2's, with limits: an administrator writes them, but strangers choose what they are
 * matched with. No clock, no SQL. */
#ifndef DIRECTORY_PATTERN_H
#define DIRECTORY_PATTERN_H
#include "directory/address.h"

enum directory_alias_kind { /* as alias.kind in the database */
                            DIRECTORY_ALIAS_EXACT,
                            DIRECTORY_ALIAS_WILDCARD,
                            DIRECTORY_ALIAS_REGEX,
};

#define PATTERN_MAX        200   /* bytes of one: a line that a person still reads */
#define PATTERN_STEPS_MAX  20000 /* of PCRE2 in one match: under a millisecond */
#define PATTERN_HEAP_KIB   1024  /* that one match may take */
#define PATTERN_GROUPS_MAX 9     /* that a target can name */

/* An alias's own address: exact, "@domain", wildcard, or regular expression, which is compiled to see that it
 * is one. Of a regular expression key and whole are as typed: its case has a meaning. */
bool pattern_address_read(struct str text, struct arena *a, struct directory_address *out,
                          enum directory_alias_kind *kind, struct err *e);

/* A target with $1: its domain must be written out, or whoever writes to us would choose where it goes. */
bool pattern_is_template(struct str target);
bool pattern_template_read(struct str target, struct arena *a, struct directory_address *out, struct err *e);

/* Of two wildcards that fit, the one with more characters of its own goes first. */
size_t pattern_weight(struct str key);

struct pattern;
/* `local` as in the key, without "@domain". NULL: *e says what is wrong (ERR_PERMANENT). */
struct pattern *pattern_new(struct str local, enum directory_alias_kind kind, struct err *e);
void pattern_free(struct pattern *p);

struct pattern_match {
    struct str groups[PATTERN_GROUPS_MAX + 1]; /* slices of what was matched; [0] is all of it */
};
enum pattern_result {
    PATTERN_FITS,
    PATTERN_FITS_NOT,
    PATTERN_TOO_HARD, /* past the limits: nobody knows */
};
enum pattern_result pattern_match(const struct pattern *p, struct str local, struct pattern_match *out);
/* The target for this match, in `a`. */
struct str pattern_expand(struct str target, const struct pattern_match *m, struct arena *a);

/* Compiled ones, kept by their text, so that a flood of unknown addresses costs no compiling. */
#define PATTERN_CACHE_MAX 256 /* more than one domain may have; some kilobytes each */
struct pattern_cache;
struct pattern_cache *pattern_cache_new(void);
void pattern_cache_free(struct pattern_cache *c);
/* Valid until PATTERN_CACHE_MAX others have been asked for. */
const struct pattern *pattern_cache_get(struct pattern_cache *c, struct str local,
                                        enum directory_alias_kind kind, struct err *e);

#endif
