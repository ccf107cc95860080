/* What keeps a session's client within bounds: strangers that speak out of turn, say a name that cannot be
 * theirs, fail too often or dawdle, and users whose account sends more than a person does. Who is trusted
 * ([smtp] trusted) meets none of it. What a client may do in all is in smtp/limits.h. */
#ifndef SMTP_GUARD_H
#define SMTP_GUARD_H
#include "smtp/limits.h"

struct session;

/* Of one session; in struct session. */
struct guard {
    struct limits limits;
    bool may_xclient;     /* by the address that it came from */
    bool has_lent_login;  /* `user` came by XCLIENT */
    bool is_trusted;      /* nobody minds what it does */
    bool is_known;        /* it has sent good mail before: no delays */
    unsigned offences;    /* answers that told of a fault */
    int64_t held_back_ms; /* of GUARD_TARPIT_ALL_MS */
    int64_t progress_ms;  /* when it last did what it came for */
};

/* So many faults cost nothing: people mistype, and mailing lists have dead addresses. Then each answer waits
 * a second longer, up to [smtp] tarpit, but no session more than this in all: it takes a thread meanwhile. */
#define GUARD_FREE_OFFENCES 3
#define GUARD_TARPIT_ALL_MS ((int64_t)5 * 60 * 1000)

/* Without a message begun for so long the session ends, however busy it looks: 1,000 recipients at one a
 * second, twice. */
#define GUARD_PROGRESS_MS ((int64_t)30 * 60 * 1000)
/* While room is short, a stranger's next command must come within: Postfix's smtpd_timeout under stress. */
#define GUARD_SHORT_MS    (10 * 1000)

void guard_begin(struct session *s); /* after the session knows its connection */
void guard_changes_client(
    struct session *s); /* XCLIENT: connection.peer, and perhaps `user`, are others' now */
void guard_end(struct session *s);

/* Before the greeting. False: the client spoke first (RFC 5321 section 4.3.1), has been told, and the session
 * is over. */
bool guard_awaits_greeting(struct session *s);

/* By when the next command must have come; passed: it has taken too long already. */
struct deadline guard_patience(const struct session *s);

/* The bytes before the first command. False: no SMTP (a TLS handshake), it was told, and the session is over.
 */
bool guard_hears_smtp(struct session *s);

/* A line that is no command. False: it is one of HTTP, by which a browser can be made to talk to mail servers
 * ("cross-protocol attack"); the session is over. */
bool guard_takes_for_smtp(struct session *s, struct str line);

/* A command that must be the last of its group (RFC 2920 section 3.1), or came from a client that said HELO.
 * False: more was sent behind it without waiting for its answer; the session is over. */
bool guard_is_in_step(struct session *s, bool must_be_last);

/* Before an answer that tells of a fault: holds it back, longer each time. */
void guard_slow_down(struct session *s);

/* At MAIL and RCPT. False: refused, and the client was told. */
bool guard_lets_mail(struct session *s);
bool guard_lets_rcpt(struct session *s);

/* What happened. */
bool guard_authenticated(struct session *s); /* false: the account holds too many connections; it was told */
void guard_recipient_refused(struct session *s);
void guard_progressed(struct session *s); /* a message is on its way in */
void guard_accepted(struct session *s);   /* before the counts of faults are set back */

#endif
