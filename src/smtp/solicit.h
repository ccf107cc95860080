/* Solicitation classes (RFC 3865): what kind of advertising a sender says that a message is. Pure. */
#ifndef SMTP_SOLICIT_H
#define SMTP_SOLICIT_H
#include "base/str.h"

/* `keywords` as they stand in SOLICIT= or in the Solicitation field, parted by commas; `unwanted` those of
 * the config, parted by spaces. The first of the former that is one of the latter, "" for none. */
struct str solicit_unwanted(struct str keywords, struct str unwanted);

#endif
