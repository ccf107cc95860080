/* SASLprep (RFC 4013): one spelling of a user name or password, whatever keyboard it was typed on. Pure,
 * thread-safe. */
#ifndef SASL_PREPARE_H
#define SASL_PREPARE_H
#include "base/buf.h"

/* `in` prepared at the end of `out`. What RFC 4013 prohibits, what is not UTF-8 and what prepares to nothing
 * is added as it is: the password may be right nevertheless (PostgreSQL does the same). Code points that
 * Unicode 3.2 did not know pass, as in a query string. The caller wipes `out`. */
void sasl_prepare(struct str in, struct buf *out);

/* Loads ICU's tables; once, before a sandbox is entered, for it may look for files. */
void sasl_prepare_init(void);

#endif
