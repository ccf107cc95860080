/* One SMTP session: a struct and a loop. Inside the module; smtp.h is its face. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H
#include "account/delivery.h"
#include "base/generation.h"
#include "base/stream.h"
#include "config/config.h"
#include "directory/directory.h"
#include "gate/connection.h"
#include "queue/tls_received.h"
#include "smtp/guard.h"
#include "smtp/id.h"
#include "smtp/incoming.h"
#include "smtp/parse.h"
#include "smtp/received.h"

#include <stdatomic.h>

/* RFC 5321 section 4.5.3.1.4 asks for 512; the initial response of AUTH stands in a command line, and RFC
 * 4954 section 4 wants 12288 for it. */
#define SMTP_LINE_MAX  12288
#define SMTP_REPLY_MAX 512 /* with CRLF: RFC 5321 section 4.5.3.1.5 */

#define SMTP_COMMAND_MS  (5 * 60 * 1000) /* RFC 5321 section 4.5.3.2.7 */
#define SMTP_TLS_MS      (60 * 1000) /* a handshake is two round trips; slow lines and lost packets included */
#define SMTP_FAREWELL_MS (10 * 1000) /* for a last answer to somebody who may be gone */

/* Bounds without a message accepted in between; each accepted message sets them back. */
#define SMTP_ERRORS_MAX 20 /* bad commands: a program that speaks no SMTP, or one that tries things out */
#define SMTP_REFUSALS_MAX \
    100 /* refused recipients; RFC 5321 section 4.5.3.1.8: a sender may offer 100 at once */
#define SMTP_IDLING_MAX 100 /* commands that lead to no message: NOOP, RSET, VRFY, HELP, EHLO */
#define SMTP_LOGINS_MAX 3   /* failed passwords of a session; the directory counts per address */

/* What all sessions of the process share; owned by smtp.c. */
struct smtp_server {
    struct directory *directory;
    struct recent *recent;            /* NULL: each address is asked for each time */
    const struct generation *changes; /* of the directory; NULL: nobody tells */
    struct delivery_client *delivery;
    struct queue_client *queue;
    struct queue_tls *tls_memory; /* where reports about TLS are kept */
    struct tally *tally;          /* NULL: nobody is counted */
    unsigned holder;              /* who this process is in it */
    uid_t uid;                    /* of the server */
    _Atomic bool is_short;        /* of sessions: smtp/admission.h */
    int stop_fd;                  /* becomes readable when the process is to stop */
    _Atomic bool is_stopping;     /* set before that */
};

/* Recipients that one transaction may lead to, aliases expanded: config's `recipients` each lead to at most
 * DIRECTORY_TARGETS_MAX. */
#define SMTP_TARGETS_MAX 10000

/* An accepted RCPT. */
struct smtp_recipient {
    struct str address; /* without brackets, quoted as needed */
    struct envelope_recipient asked;
    size_t targets; /* that it leads to */
    bool is_told;   /* fate.c: a report of success is on its way */
};

/* Where the mail of one recipient goes. */
struct smtp_target {
    struct directory_target to;
    size_t recipient; /* that led here: its place in the transaction */
    size_t place;     /* fate.c: of those who get a copy each */
};

struct smtp_transaction {
    bool is_open; /* after MAIL */
    struct smtp_id id;
    uint64_t size;             /* as MAIL announced it (RFC 1870), 0: not */
    struct str sender;         /* without brackets, quoted as needed; "" for <> */
    struct str plain_sender;   /* as MAIL gave it, quotes removed */
    bool rewrites;             /* there are canonical maps */
    enum directory_send right; /* of our user, to the sender */
    struct envelope asked;     /* what MAIL asks beyond that */
    struct smtp_recipient *recipients;
    struct smtp_target *targets;
    size_t recipient_count, recipient_room, target_count, target_room;
    struct str solicit;      /* SOLICIT: its kinds of advertising (RFC 3865), "" for none */
    bool wants_each;         /* PRDR: an answer for each recipient */
    struct incoming *chunks; /* what BDAT has brought so far; NULL before the first */
    bool has_lost_chunk;     /* one was refused: so is the message (RFC 3030 section 2) */
    struct arena arena;      /* all of the above; reset with the transaction */
};

struct session {
    struct smtp_server *server;
    const struct config *config;
    struct connection connection; /* its fd belongs to `stream` */
    int gate_channel;
    struct stream stream;
    struct arena command; /* of the command under way */
    struct smtp_transaction transaction;
    char helo[SMTP_HELO_MAX + 1]; /* "" before EHLO or HELO */
    bool is_esmtp;
    bool is_authenticated; /* as `user` */
    struct directory_login user;
    struct directory_settings settings;        /* of who sends: as it was at the login, or the last MAIL */
    unsigned errors, refusals, idling, logins; /* see the bounds */
    struct guard guard;
    bool is_over;
};

/* Serves the connection until it ends and closes it. */
void session_run(struct smtp_server *server, const struct config *config, const struct connection *c,
                 int gate_channel);

/* --- for the verbs --- */

/* One line. Bytes that do not belong in a reply (they may come from a recipient's address or from another
 * process) become '?', and what passes SMTP_REPLY_MAX is cut. UTF-8 belongs there when the transaction has
 * SMTPUTF8 (RFC 6531 section 3.7.4). */
void session_reply(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of a text that is there. */
void session_reply_text(struct session *s, struct str text);
/* The same as session_reply, and one of SMTP_ERRORS_MAX is used up. */
void session_error(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same as session_reply, and the log says that a message or recipient was refused, and why. `recipient`
 * may be "". */
void session_refuse(struct session *s, struct str recipient, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The answer to a whole message that is refused: in LMTP the same line for each recipient (RFC 2033 section
 * 4.2), and one line in the log. */
void session_refuse_message(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A last reply; the session ends after it. */
void session_goodbye(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

void session_greet(struct session *s);
void session_forget_transaction(struct session *s);
struct str session_first_recipient(const struct session *s); /* "" before there is one */
bool session_may_authenticate(const struct session *s);      /* TLS, or loopback where the config says so */
const struct channel_bindings *session_bindings(const struct session *s); /* NULL without TLS */
bool session_is_submission_port(const struct session *s);
bool session_is_lmtp(const struct session *s);

/* How the message under way comes, for the trace line and the log. */
struct received_with session_with(const struct session *s);

/* The local part and domain as the directory wants them: without quotes. */
struct str session_plain_address(const struct smtp_path *p, struct arena *a);

/* --- the verbs of other files --- */
void smtp_auth(struct session *s, const struct smtp_command *c); /* auth.c */
void smtp_mail(struct session *s, const struct smtp_command *c); /* mail.c */
void smtp_rcpt(struct session *s, const struct smtp_command *c); /* rcpt.c */
void smtp_data(struct session *s, const struct smtp_command *c); /* transaction.c */
void smtp_bdat(struct session *s, const struct smtp_command *c);
void smtp_xclient(struct session *s, const struct smtp_command *c); /* xclient_verb.c */
void smtp_xqueue(struct session *s, const struct smtp_command *c);  /* queue_verb.c */

/* author.c: what of a submission's header hangs on who sends it. An incoming_wish's `look`; context: the
 * session. */
void smtp_complete_header(void *session, struct str header, struct submission_fix *fix);

#endif
