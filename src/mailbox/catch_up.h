/* Work that is done behind delivery, body by body in the order of their ids: how far each kind has come is in
 * table catch_up. Whoever needs a kind for an answer finishes it first. */
#ifndef MAILBOX_CATCH_UP_H
#define MAILBOX_CATCH_UP_H
#include "mailbox/internal.h"

/* On disk: never change the numbers. */
enum catch_up_work { CATCH_UP_KEYS = 1, CATCH_UP_WORDS = 2 };

/* Everything that has come until now. */
bool catch_up_finish(struct store *s, enum catch_up_work work, struct err *e);

#endif
