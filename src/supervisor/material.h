/* What gates need for TLS: certificate chain and key as sealed memory files, and the key for session tickets
 * that all gates share, so that a session resumes on any of them. */
#ifndef SUPERVISOR_MATERIAL_H
#define SUPERVISOR_MATERIAL_H
#include "config/config.h"

#define TICKET_KEY_BYTES 80 /* OpenSSL's: 16 name, 32 HMAC, 32 AES */

struct material {
    int certificate, key; /* memfds, or -1 */
    unsigned char ticket_key[TICKET_KEY_BYTES];
};

/* Reads both files of the config, and makes a new ticket key unless `m` holds one. On failure `m` is as it
 * was. */
bool material_read(struct material *m, const struct config *c, struct err *e);

#endif
