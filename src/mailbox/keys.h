/* What SORT and THREAD compare of a message, made from its header. */
#ifndef MAILBOX_KEYS_H
#define MAILBOX_KEYS_H
#include "mailbox/internal.h"

#define KEY_MAX    255 /* bytes of a text's key that count: longer texts differ earlier, or sort as equal */
#define LINKS_MAX  64  /* References that are kept, the last ones: the near ancestors; some have thousands */
#define LINK_BYTES 8   /* of a hash */

/* Lives in `a`. *answers: hashes of all of In-Reply-To, which only the thread's id is looked up by. */
void keys_of_header(struct str header, struct arena *a, struct body_keys *out, struct str *answers);

int64_t link_hash(struct str id);             /* never 0 */
int64_t link_at(struct str links, size_t at); /* 0 past the end */

/* Writes the keys of one body and gives it its thread. */
bool keys_write(struct sql *db, int64_t body, const struct body_keys *k, struct str answers, struct err *e);
bool keys_delete(struct sql *db, int64_t body, struct err *e);

#endif
