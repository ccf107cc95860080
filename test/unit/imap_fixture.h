/* Whole IMAP sessions over a socket pair and a real store, as scripts: what the client sends, what the server
 * must answer.
 *
 *   C: line      sent with CRLF          C2: the same on a second session, and so on
 *   U2: ben@example.test    before anything else of the second session: it is a guest's, not the owner's
 *   S: line      must come next          S2:
 *                ~ matches a run without spaces, ... at the end anything
 *   S> line      the same after untagged lines that do not matter
 *
 * $UIDVALIDITY in a client's line is the one that a server told last.
 */
#ifndef TEST_UNIT_IMAP_FIXTURE_H
#define TEST_UNIT_IMAP_FIXTURE_H
#include "account/session.h"
#include "config/config.h"

#include <pthread.h>

#define IMAP_SESSIONS_MAX 4
#define IMAP_MESSAGE_SIZE 100000 /* message_size_max of these tests */
#define IMAP_WAIT_MS      20000  /* a server that says nothing this long is stuck */

struct imap_client {
    struct stream stream;
    struct account_session host;
    pthread_t thread;
    struct str user; /* "": the owner */
    bool is_open;
};

struct imap_fixture {
    char dir[64];
    unsigned account; /* in PostgreSQL: see engine.h */
    struct store *store;
    struct config config;
    atomic_bool stopping;
    uint32_t uidvalidity;
    struct imap_client clients[IMAP_SESSIONS_MAX]; /* opened by the first line for them */
};

struct imap_script {
    const char *name;
    unsigned messages; /* in INBOX before: of imap_messages.h, in turn */
    const char *lines[80];
};

void imap_open_fixture(struct imap_fixture *f);
void imap_close_fixture(struct imap_fixture *f);
/* The account's tables, for statements of a test's own. */
struct sql *imap_open_sql(struct imap_fixture *f);
/* Into INBOX, received on 17-Jul-1996 02:44:25 -0700 as in the RFC's examples. */
void imap_deliver(struct imap_fixture *f, struct str message);

/* A line of a script; `name` is for the words of a failure. */
void imap_run_line(struct imap_fixture *f, const char *name, const char *line);
/* All of it, with a fixture of its own. */
void imap_run_script(const struct imap_script *s);

bool imap_matches(struct str line, const char *pattern);
struct str
imap_read_answer(struct imap_client *c); /* "<closed>" at the end, "<silence>" after IMAP_WAIT_MS */
void imap_send_line(struct imap_client *c, const char *line);

#endif
