/* The delivery id, one a transaction, that every place keeps: accounts know a repeated attempt by it, and
 * every line of the log about a message, from MAIL on, has it. */
#ifndef SMTP_ID_H
#define SMTP_ID_H
#include "account/delivery.h"

struct smtp_id {
    unsigned char bytes[DELIVERY_ID_BYTES];
    char hex[2 * DELIVERY_ID_BYTES + 1]; /* "" before MAIL */
};

struct smtp_id smtp_id_new(void); /* nobody can guess it */

#endif
