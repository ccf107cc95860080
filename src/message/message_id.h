/* Message-IDs in Message-ID, In-Reply-To and References (RFC 5322 section 3.6.4), as threading compares them
 * (RFC 5256 section 2.3: by bytes, quotes taken off). */
#ifndef MESSAGE_MESSAGE_ID_H
#define MESSAGE_MESSAGE_ID_H
#include "base/buf.h"

/* Takes the next "<id>" off the front of *rest: what stands between the angle brackets, without folding,
 * comments and quotes, put into `id` (emptied first). What is no Message-ID is passed over: In-Reply-To of
 * old mail holds phrases and addresses too. False: no more. */
bool message_id_take(struct str *rest, struct buf *id);

#endif
