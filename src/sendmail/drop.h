/* The maildrop: a folder where sendmail leaves a message while the server does not run, and from which the
 * role pickup takes it. Anybody may put a file into it (mode 1733) and nobody but the server can list it; a
 * file's owner is who sent it.
 *
 * A file is lines "key value" that end in LF, an empty line, and the message. It is whole when its name ends
 * in
 * ".mail". */
#ifndef SENDMAIL_DROP_H
#define SENDMAIL_DROP_H
#include "sendmail/submit.h"

#define DROP_HEAD_MAX ((size_t)1 << 20) /* of the lines before the message */
#define DROP_SUFFIX   ".mail"

/* Synced when it returns true. */
bool drop_write(struct str folder, const struct sendmail_letter *l, struct err *e);

/* What a file holds, as slices of `file`. False: it is none; *e says why. Pure. */
bool drop_read(struct str file, struct arena *a, struct sendmail_letter *out, struct err *e);

#endif
