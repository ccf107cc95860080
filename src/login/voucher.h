/* What login says of a connection that it hands to an account, sealed: should the account give the connection
 * back, login knows by it that it is one of its own, where it came from, and what its TLS is, whatever has
 * become of the account's process meanwhile. Sealed with a key that lives as long as the role: after a
 * restart of login nothing is taken back. */
#ifndef LOGIN_VOUCHER_H
#define LOGIN_VOUCHER_H
#include "gate/connection.h"

#define VOUCHER_KEY_BYTES 32

void voucher_make_key(unsigned char key[VOUCHER_KEY_BYTES]);
void voucher_put(struct connection *c, const unsigned char key[VOUCHER_KEY_BYTES]);
bool voucher_is_good(const struct connection *c, const unsigned char key[VOUCHER_KEY_BYTES]);

#endif
