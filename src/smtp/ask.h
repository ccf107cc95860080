/* What a session asks the directory about the envelope. What is asked all the time is not asked again within
 * a second, if nothing has changed: smtp/recent.h. */
#ifndef SMTP_ASK_H
#define SMTP_ASK_H
#include "smtp/session.h"

/* What our user may do with an address, and what is set of its account. False: *e says why there is no
 * answer. */
bool ask_sender(struct session *s, struct str plain, struct directory_sender *out, struct err *e);

/* Where mail of the transaction for an address goes, in `command`. False: as above. */
bool ask_recipient(struct session *s, struct str plain, struct directory_answer *out, struct err *e);

#endif
