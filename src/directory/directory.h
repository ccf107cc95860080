/* The directory as its clients (smtp, login, queue, keeper) see it: whose address is this, is this the
 * password. Calls block, go to the directory process by IPC, and are safe from any thread. */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H
#include "base/arena.h"
#include "base/ipc.h"
#include "config/config.h"
#include "sasl/sasl.h"

#define ADDRESS_MAX           320 /* 64 + "@" + 255: RFC 5321 section 4.5.3.1 */
#define DIRECTORY_TARGETS_MAX 500 /* addresses that one alias may lead to, all steps together */
#define DIRECTORY_DEPTH_MAX   10  /* aliases that lead to aliases */

struct role;
struct directory; /* a client */
struct directory *directory_client(struct role *r);

/* --- whose address --- */
/* What is asked, of a message that is on its way. */
struct directory_question {
    struct str address; /* as it stood in RCPT: local-part@domain, quotes removed, A-label or U-label domain,
                           any case; or "postmaster" alone (RFC 5321 section 4.5.1) */
    struct str sender;  /* of the envelope, quotes removed; "" for <> */
    int64_t user;       /* the account that has logged in and sends it; 0: nobody has */
    bool is_mail;       /* false: only where the address leads; sender and user do not count */
};

enum directory_fate {
    DIRECTORY_LOCAL,   /* every target is listed: local accounts and remote addresses */
    DIRECTORY_REMOTE,  /* the domain is not ours: one remote target, the address itself */
    DIRECTORY_UNKNOWN, /* our domain, no such address: 550 5.1.1 */
    DIRECTORY_LOOP, /* aliases that go round, or more than the bounds above: 550 5.4.6 with the words in err
                     */
    DIRECTORY_REFUSED, /* there is such an address, but it takes no mail, or none of this sender: 550 and
                          `reply` */
};

struct directory_target {
    bool is_local;
    bool has_quota;     /* local: it may be full */
    int64_t account;    /* local */
    struct str address; /* local: the account's canonical address; remote: where to send */
    struct str detail;  /* "tag" of foo+tag@, "" for none */
    struct str sender;  /* remote, a forward: the sender that the message must have there (directory/srs.h),
                           quotes removed; "": the message's own */
};

struct directory_answer {
    enum directory_fate fate;
    struct directory_target *targets;
    size_t count;
    struct str
        reply; /* UNKNOWN, LOOP, REFUSED: an enhanced status and words, "5.7.2 only its members may ..." */
    struct str sender;  /* of mail: what a canonical map makes of the sender; "": it stays */
    bool is_for_sender; /* another sender, or one who has logged in or not, may get another answer */
    bool rewrites;      /* there are canonical maps (directory_canonical) */
};

/* Where mail for an address goes. False: no answer (ERR_TEMPORARY). */
bool directory_ask(struct directory *d, const struct directory_question *q, struct arena *a,
                   struct directory_answer *out, struct err *e);
/* The same, where there is no message: who may write there is not asked, and no sender is made. */
bool directory_resolve(struct directory *d, struct str address, struct arena *a, struct directory_answer *out,
                       struct err *e);

/* Maps that make one address of another: golub rewrite. */
enum directory_canonical { DIRECTORY_CANONICAL_SENDER, DIRECTORY_CANONICAL_RECIPIENT };
/* What `address` becomes, in `a`; "" where it stays. False: no answer. */
bool directory_canonical(struct directory *d, enum directory_canonical kind, struct str address,
                         struct arena *a, struct str *out, struct err *e);

/* --- passwords --- */
enum directory_verdict {
    DIRECTORY_GOOD,
    DIRECTORY_WRONG, /* unknown user, wrong password, disabled account: nobody outside learns which */
    DIRECTORY_WAIT,  /* too many failures from this address: *wait_s seconds to go */
    DIRECTORY_NO_ANSWER,
};

struct directory_login {
    int64_t account;
    char address[ADDRESS_MAX + 1]; /* the account's canonical address */
    unsigned wait_s;               /* WAIT, and WRONG that went too far: before the next attempt */
};

/* `user` as typed: NAME@DOMAIN, any case (an alias of one account serves as well). `peer` is the client's
 * address, for throttling. Takes the same time whether the user exists or not. */
enum directory_verdict directory_verify(struct directory *d, struct str user, struct str password,
                                        const char *peer, struct directory_login *out);

/* The two steps of SCRAM (sasl/scram.h), with the client's messages as they came. GOOD or WAIT from the
 * first; *out lives in `a`. After GOOD from the second, *signature is what the client must be shown. */
struct directory_scram {
    uint64_t exchange;
    struct scram_salted salted;
};
enum directory_verdict directory_scram_first(struct directory *d, struct str message, const char *peer,
                                             struct arena *a, struct directory_scram *out, unsigned *wait_s);
enum directory_verdict directory_scram_final(struct directory *d, uint64_t exchange, struct str message,
                                             const char *peer, unsigned char signature[SCRAM_KEY_BYTES],
                                             struct directory_login *out);

/* A whole SASL exchange over a connection (sasl/sasl.h), with whatever the directory is to be asked in it.
 * SASL_DONE, or SASL_PROVEN: *verdict and *out are as of directory_verify. Any other result: it broke off
 * before there was something to check, or the client called a good verdict off; x->user may be known. */
enum sasl_result directory_authenticate(struct directory *d, struct sasl *x, struct stream *s,
                                        const char *prompt, const struct str *initial, const char *peer,
                                        struct deadline until, enum directory_verdict *verdict,
                                        struct directory_login *out);

/* May this account send as this address: its own, an alias that leads to it alone, a tagged form of those, or
 * one that it was given the right to (golub account send-as)? ON_BEHALF: only with a Sender field that names
 * itself (RFC 5322 section 3.6.2). */
enum directory_send { DIRECTORY_SEND_NOT, DIRECTORY_SEND_ON_BEHALF, DIRECTORY_SEND_AS };
/* What an administrator has set of an account, or of its domain where the account says nothing (golub account
 * limit, golub account language): it goes before golub.conf. */
struct directory_settings {
    struct {
        bool is_set;
        struct tally_limit limit; /* in place of [limit account] */
    } rates[LIMIT_RATES];
    enum config_language language; /* of reports to it */
};
#define DIRECTORY_SETTINGS_INIT            \
    {                                      \
        .language = CONFIG_LANGUAGE_UNSET, \
    }
struct directory_sender {
    enum directory_send right;
    struct directory_settings settings;
};
/* The right of this account to this address, and what is set of the account. account 0, for a program of this
 * machine: no right, and what is set of the account that has the address. */
bool directory_sender(struct directory *d, int64_t account, struct str address, struct directory_sender *out,
                      struct err *e);

/* --- the way out --- what the administrator set for mail that leaves: golub route, golub domain. */
enum directory_tls {                        /* the least that a connection must have */
                     DIRECTORY_TLS_ANY,     /* as the destination publishes it: DANE, MTA-STS, else what is
                                               offered */
                     DIRECTORY_TLS_ENCRYPT, /* some TLS */
                     DIRECTORY_TLS_VERIFY,  /* a certificate for the host's name, by a known authority */
                     DIRECTORY_TLS_DANE,    /* TLSA records that hold */
                     DIRECTORY_TLS_NONE,    /* never: a host on a wire of our own */
};
struct directory_route {
    bool is_set; /* false: by MX */
    bool is_lmtp;
    bool by_mx; /* `host` is a domain whose MX records are to be asked */
    enum directory_tls tls;
    struct str host; /* name, numeric address, or a unix socket's absolute path with is_lmtp; "" with by_mx
                        false: the MX of the domain itself, and only what else is set here holds */
    uint16_t port;   /* 0: 25, or 24 with is_lmtp */
    struct str user, password;           /* "" for no AUTH */
    struct str source_ipv4, source_ipv6; /* numeric, of ours; "" for any */
};
/* For mail from `sender` ("" for <>) to a recipient at `domain`. A line of golub.conf for this very domain
 * goes first; then the sender's routes before the domain's, the domain's before `*`, and golub.conf's `*`
 * before the directory's. What one leaves unsaid (where to, the TLS level, a source) the next one says. Only
 * relay is told the login. Strings live in `a`. False: no answer (ERR_TEMPORARY). */
const char *directory_tls_name(enum directory_tls tls); /* "encrypt" */
bool directory_route(struct directory *d, struct str sender, struct str domain, struct arena *a,
                     struct directory_route *out, struct err *e);

#endif
