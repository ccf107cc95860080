/* Work that is done behind delivery, body by body in the order of their ids: how far each kind has come is in
 * table catch_up. Whoever needs a kind for an answer finishes it first. */
#ifndef MAILBOX_CATCH_UP_H
#define MAILBOX_CATCH_UP_H
#include "mailbox/internal.h"

/* On disk: never change the numbers. */
enum catch_up_work { CATCH_UP_KEYS = 1, CATCH_UP_WORDS = 2, CATCH_UP_PACKS = 3 };

/* More than so many bodies are too many to wait for: a search reads them instead. */
#define CATCH_UP_WAIT_MAX 20000

/* Everything that has come until now. */
bool catch_up_finish(struct store *s, enum catch_up_work work, struct err *e);
/* The same, unless that is more than CATCH_UP_WAIT_MAX bodies. */
bool catch_up_try(struct store *s, enum catch_up_work work, struct err *e);

/* What is stored of it is of no use: it is made anew from the first body on. */
bool catch_up_again(struct store *s, enum catch_up_work work, struct err *e);

/* Bodies up to this id are done. */
bool catch_up_progress(struct sql *db, enum catch_up_work work, int64_t *body, struct err *e);
bool catch_up_set(struct sql *db, enum catch_up_work work, int64_t body, struct err *e);

#endif
