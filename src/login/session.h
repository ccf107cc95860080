/* A connection before login: what IMAP and POP3 share. It runs in a thread of its own. */
#ifndef LOGIN_SESSION_H
#define LOGIN_SESSION_H
#include "base/stream.h"
#include "directory/directory.h"
#include "gate/connection.h"
#include "keeper/keeper.h"
#include "login/delay.h"

/* From connecting to being logged in, TLS included. RFC 3501 section 5.4 wants 30 minutes of patience, but
 * after login; nobody types commands here. */
#define LOGIN_MS               ((int64_t)60 * 1000)
/* Wrong passwords on one connection: a mail client asks its user after one or two. */
#define LOGIN_FAILURES_MAX     5
/* Lines that are no command: whoever sends this many speaks something else (a browser, a scanner). */
#define LOGIN_BAD_COMMANDS_MAX 10

struct login_session {
    struct role *role;
    const struct config *config;
    struct directory *directory;
    struct keeper *keeper;
    struct login_delays *delays;
    int gate;                         /* channel to the gate that it came from; lent */
    int stop;                         /* readable once the server is going down; lent */
    const unsigned char *voucher_key; /* VOUCHER_KEY_BYTES; lent */
    struct str unauthenticated; /* IMAP: the tag of the UNAUTHENTICATE that brought it back; "": a new one */
    struct connection connection;
    struct stream stream; /* over connection.fd, which it closes */
    struct deadline until;
    unsigned failures, bad_commands;
    bool is_given_away; /* the account has the connection, or may have it: not a byte more is read or sent */
};

/* The two protocols, from the greeting on. They return when the connection is handed over or is over. */
void login_imap(struct login_session *s);
void login_pop3(struct login_session *s);

bool login_is_pop3(const struct login_session *s);
/* Whether a password may be sent now: over TLS, or from loopback if the config says so. */
bool login_may_send_password(const struct login_session *s);

/* Waits until the client has sent something; STREAM_WOKEN: the server is going down. */
enum stream_result login_wait(struct login_session *s);

enum login_result {
    LOGIN_HANDED_OVER, /* the account speaks from now on: no further word from us */
    LOGIN_LOST,        /* nobody knows who has the connection: no further word either */
    LOGIN_WRONG,
    LOGIN_WAIT,        /* too many failures from this address; a pause has been made */
    LOGIN_TOO_OFTEN,   /* POP3: before config's login_delay has passed */
    LOGIN_UNAVAILABLE, /* the directory or the account is not there now */
};

/* Checks the password and hands the connection over with what the client has sent behind its command. Writes
 * the log line; does not answer the client, who is told `words` (static or in the session). */
struct login_answer {
    enum login_result result;
    char words[96];
};
struct login_answer login_attempt(struct login_session *s, struct str user, struct str password,
                                  struct str tag);

/* AUTHENTICATE and AUTH (sasl/sasl.h): the exchange, and then the same. SASL_DONE or SASL_PROVEN: *answer
 * says what came of it. SASL_FOREIGN and SASL_UNBOUND are failed logins too, and *answer has the words. */
enum sasl_result login_authenticate(struct login_session *s, struct sasl *x, const struct str *initial,
                                    struct str tag, struct login_answer *answer);

/* What the connection may be bound to, for sasl_init; NULL without TLS. */
const struct channel_bindings *login_bindings(const struct login_session *s);

/* STARTTLS and STLS, once the answer to it stands in the stream: drops whatever else the client has sent
 * (RFC 3501 section 6.2.1, RFC 2595 section 4), and puts TLS under the stream. False: the connection is over.
 */
bool login_starttls(struct login_session *s);

#endif
