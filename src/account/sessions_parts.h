/* What the files about an account's sessions share. All but the protocols runs in the main thread. */
#ifndef ACCOUNT_SESSIONS_PARTS_H
#define ACCOUNT_SESSIONS_PARTS_H
#include "account/session.h"
#include "account/sessions.h"
#include "base/thread.h"
#include "imap/doze.h"

#define SESSION_SEND_MS 1000 /* keeper reads at once */

struct session {
    struct account_session s; /* first: what the protocol sees */
    struct sessions *all;
    struct session *next, **back;
    bool is_pop3, pop3_locked, has_maildrop;
    bool is_frozen;           /* it has no thread, and its connection is open */
    struct loop_watch *dozes; /* it is frozen, and its client watched: account/sessions_doze.c; NULL: no */
    struct loop_timer *still;
    uint32_t patience_ms;
    char *tag; /* NULL: it slept */
    char *guest;
    struct str already; /* of the client, behind its login command; malloc'd */
    struct str thawed;  /* malloc'd */
};

struct sessions {
    struct host *host;
    struct threads *threads; /* of sessions: clients that log in anew for each look at a mailbox are common */
    struct session *first;
    size_t count;
    atomic_bool stopping, freezing;
    size_t frozen;
    struct loop_timer *freeze_end; /* while freezing */
    int commits;                   /* eventfd, written to by the store while */
    unsigned commits_wanted;       /* by so many */
    size_t dozing;
    struct imap_news news;         /* for them */
    pthread_mutex_t maildrop_lock; /* over maildrop_taken */
    pthread_cond_t maildrop_free;
    bool maildrop_taken; /* by a POP3 session (RFC 1939 section 4) */
};

/* --- sessions.c --- */
/* Starts its thread. False: there is no room for one. */
bool sessions_run(struct session *s);
void sessions_remove(struct session *s);
/* For one that cannot go on. */
void sessions_lose(struct session *s, const char *why);

/* --- sessions_sleep.c --- */
void sessions_park_if_all_are_frozen(struct sessions *all);
void sessions_frozen(void *session);                          /* posted by its thread, which has ended */
uint32_t sessions_least_patience(const struct sessions *all); /* 0: sessions do not sleep */
/* The store says of commits whether somebody wants to know of them: each true is followed by a false. */
void sessions_want_commits(struct sessions *all, bool wants);

void sessions_hear_of_commit(void *sessions, uint32_t events); /* all->commits is readable */

/* --- sessions_doze.c --- sessions in IDLE whose client is watched here, without a thread, and told of mail.
 */
/* Of one that is new, and has slept, or that is frozen. False: it needs its thread. */
bool sessions_doze(struct session *s);
/* Lets it stay frozen, unwatched: it goes to keeper, or gets its thread. */
void sessions_end_doze(struct session *s);
/* A commit may have brought something for those that doze. */
void sessions_tell_dozing(struct sessions *all);
/* Gives it its thread. */
void sessions_wake(struct session *s);

#endif
