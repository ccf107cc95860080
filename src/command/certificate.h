/* Keys and certificates that golub makes itself: a private CA, a certificate from it, a DKIM key. All PEM.
 * Existing files are never overwritten. Errors are ERR_PERMANENT (a file exists, is no certificate) or
 * ERR_TEMPORARY. */
#ifndef COMMAND_CERTIFICATE_H
#define COMMAND_CERTIFICATE_H
#include "base/arena.h"
#include "base/err.h"

/* ca.pem and ca.key in `dir`: P-256, ten years. */
bool certificate_make_ca(const char *dir, struct str hostname, struct err *e);

/* The certificate (and key) of `hostname`, also for localhost, 127.0.0.1 and ::1, from the CA in `dir`, at
 * the two paths. */
bool certificate_issue(const char *dir, struct str hostname, const char *certificate, const char *key,
                       struct err *e);

/* RSA with 2048 bits: the longest that every verifier takes (RFC 8301 section 3.2). */
bool certificate_make_dkim_key(const char *path, struct err *e);

#endif
