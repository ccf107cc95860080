/* The messages of SCRAM (RFC 5802 sections 5 and 7, RFC 7677), the server's side. Pure: the secrets are with
 * the directory (directory/scram.h), the rest of an exchange is sasl.c's. */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/channel_binding.h"

#define SCRAM_MESSAGE_MAX                                                                      \
    ((size_t)2048)           /* of the client, decoded: a name, two nonces, a proof, a binding \
                              */
#define SCRAM_NONCE_MIN   8  /* bytes of the client's: less is no nonce */
#define SCRAM_NONCE_BYTES 18 /* of ours, before base64: 144 bits */
#define SCRAM_KEY_BYTES   32 /* SHA-256 */

/* gs2-cbind-flag */
enum scram_flag {
    SCRAM_CANNOT_BIND, /* "n" */
    SCRAM_MIGHT_BIND,  /* "y": the client could, but believes that we cannot */
    SCRAM_BINDS,       /* "p=..." */
};

enum scram_fault {
    SCRAM_GOOD,
    SCRAM_MALFORMED,
    SCRAM_UNSUPPORTED, /* a channel binding that is not known, or a mandatory extension */
};

/* client-first-message. Slices of the message, or of the arena. */
struct scram_first {
    enum scram_flag flag;
    enum channel_binding_type binding; /* with SCRAM_BINDS */
    struct str header;                 /* gs2-header: what "c=" must repeat */
    struct str authzid, user;          /* "=2C" and "=3D" undone; authzid "" for none */
    struct str bare;                   /* client-first-message-bare */
    struct str nonce;
};
enum scram_fault scram_read_first(struct str message, struct arena *a, struct scram_first *out);

/* server-first-message, base64 of the salt and the nonce included. */
struct scram_salted {
    struct str nonce; /* the client's and ours */
    struct str salt;  /* bytes */
    uint32_t iterations;
};
struct str scram_write_salted(const struct scram_salted *s, struct arena *a);

/* client-final-message */
struct scram_final {
    struct str binding; /* what "c=" says, decoded */
    struct str nonce;
    struct str bare; /* client-final-message-without-proof */
    unsigned char proof[SCRAM_KEY_BYTES];
};
enum scram_fault scram_read_final(struct str message, struct arena *a, struct scram_final *out);

#endif
