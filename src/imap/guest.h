/* A guest session: this user's session in the process of another account's owner, as the user's own session
 * talks to it. What it sends comes from another process, and is only passed on or parsed with care. */
#ifndef IMAP_GUEST_H
#define IMAP_GUEST_H
#include "imap/shared.h"

/* A response line: SEARCH of a million messages, COPYUID of as many. Only such lines make it long. */
#define GUEST_LINE_MAX ((size_t)16 * 1024 * 1024)

struct imap_guest {
    struct imap_guest *next;
    struct str owner; /* in an arena of its own */
    struct stream stream;
    struct arena arena;
};

/* The one to this owner, opened if it is not there. NULL: nobody of that address shares anything with this
 * user (ERR_PERMANENT), or it cannot be reached now (ERR_TEMPORARY). */
struct imap_guest *imap_guest_open(struct imap_session *s, struct str owner, struct err *e);
/* Forgets it: it broke, or is not needed any more. */
void imap_guest_close(struct imap_session *s, struct imap_guest *g);

/* Untagged responses of a guest, one by one. `line` without its line end; where it ends in a literal, the
 * bytes and the rest are still to be read. False: the connection to the guest is of no more use. */
typedef bool guest_heard_fn(void *context, struct imap_session *s, struct imap_guest *g, struct str line);
/* Passes it on to the client. */
guest_heard_fn imap_guest_pass;
/* Passes over it. */
guest_heard_fn imap_guest_skip;
/* The `n` bytes of a literal, and the line behind them; in `out`. */
bool imap_guest_literal(struct imap_guest *g, uint64_t n, struct buf *out, struct str *rest);

/* A command of ours: what has been written to g->stream behind "golub ", whose line end this adds. *answer:
 * what stands behind the tag, "OK ..."; in the session's arena. False: the guest is lost. */
bool imap_guest_do(struct imap_session *s, struct imap_guest *g, guest_heard_fn *heard, void *context,
                   struct str *answer);
/* The same for a whole one. */
bool imap_guest_say(struct imap_session *s, struct imap_guest *g, guest_heard_fn *heard, void *context,
                    struct str *answer, const char *format, ...) __attribute__((format(printf, 6, 7)));
void imap_guest_begin(struct imap_guest *g);
void imap_guest_send(struct imap_guest *g, struct str bytes);

/* The command that the client has sent, as it came; answered by the guest in our stead. *was_ok: with OK. */
enum imap_status imap_guest_relay(struct imap_session *s, struct imap_guest *g, bool *was_ok);

#endif
