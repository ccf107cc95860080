/* Whole SMTP and LMTP sessions over a socketpair, and a world in which they stand: what other processes would
 * answer is told by the functions of smtp_fixture.c, which take the place of the clients of directory,
 * accounts and queue.
 *
 * NAME@ours.test is a local account with the number of its first letter; team@ is ana@, bob@ and x@far.test;
 * pair@ is bob@ and full@; full- names fail for now, bad- names for good; quota- names have room for 1000
 * bytes; loop@ loops; unknown@ is not there; group@ refuses; forward@ is z@far.test under a sender of its
 * own; who writes to rewrites@ finds canonical maps. ana@ours.test has the password "secret", and may write
 * on behalf of boss@ours.test. */
#ifndef TEST_UNIT_SMTP_FIXTURE_H
#define TEST_UNIT_SMTP_FIXTURE_H
#include "smtp/session.h"

#define WAIT_MS    20000
#define STORED_MAX (1 << 20)

struct world {
    char bytes[STORED_MAX]; /* of the last message that was delivered or queued */
    size_t size;
    unsigned delivered, queued; /* recipients, all messages together */
    unsigned reported;          /* of the queued: QUEUE_REFUSED */
    unsigned retried;           /* of the queued: local accounts */
    struct envelope asked;      /* of the last queued message; `id` is in `envid` */
    char envid[ENVELOPE_ID_MAX + 1];
    unsigned notify; /* of its last recipient, and `original` */
    char original[ENVELOPE_ORIGINAL_MAX + 1];
    char forwarded_as[400];    /* the last recipient's own sender */
    char sender[400], to[400]; /* of the last; `to` of all queued or delivered recipients, joined by spaces */
    bool queue_is_down, directory_is_down;
    struct directory_settings settings; /* of whoever sends */
    char events[4000];                  /* a line each, in their order: see the scripts of smtp_scripts.h */
};
extern struct world world;

struct client {
    struct smtp_server server;
    const struct config *config;
    struct connection connection;
    int gate[2]; /* the session's end, ours */
    int fd;
    char line[600]; /* the last line read */
    struct buf in;
    _Atomic bool has_ended;
};

/* A client's connection to `service`, from `peer`; the greeting has been read. */
void dial(struct client *c, enum service service, const char *peer, bool tls);
void dial_stranger(struct client *c); /* on 25, after EHLO */
void dial_user(struct client *c);     /* ana@ours.test on 465 */
void hang_up(struct client *c);
void quits(struct client *c); /* QUIT where the session is still there */
void expect_closed(struct client *c);

bool next_line(struct client *c); /* the next line, in c->line; false at the end of the connection */
/* Reads a reply and compares the beginning of its last line. */
void hears(struct client *c, const char *want);
void sends(struct client *c, struct str bytes);
void says(struct client *c, const char *line, const char *want);
/* The reply to EHLO (or LHLO) holds this line. */
bool offers(struct client *c, const char *what);
void envelope(struct client *c, const char *to); /* MAIL FROM:<x@far.test>, RCPT */

#endif
