/* The sessions that sleep: keeper holds their connections while the account's process is gone. With each go
 * at most PARKED_BYTES_MAX bytes, of which keeper knows only what to do with them: what to send now and then,
 * what to send at the end, and what to give back. It reads nothing from a connection; that there is something
 * to read rouses the session.
 *
 * The bytes lie in memory that a fork does not pass on: an account's process sees nothing of other accounts.
 */
#ifndef KEEPER_PARKED_H
#define KEEPER_PARKED_H
#include "base/loop.h"

/* Of one session, all that goes with its connection: an address, two peers, what TLS agreed on, a tag, the
 * numbers of a view and two short lines. Most take about 400; a session that needs more stays awake. */
#define PARKED_BYTES_MAX    ((size_t)896)
/* At once: more than one machine's gates hold. Descriptors may allow fewer. */
#define PARKED_MAX          ((size_t)40000)
/* A session that was given to so many processes which died before they took it is what kills them. */
#define PARKED_ATTEMPTS_MAX 3

/* As an account asks for it. */
struct parked_request {
    int fd;                  /* of the connection */
    int64_t wake_at_ms;      /* on the monotonic clock: it has to be looked after then, whatever happens */
    uint32_t still_every_ms; /* `still` is sent so often; 0: never */
    struct str still, bye;   /* what to send then; what to send when the server stops */
    struct str address;      /* the account's, for the title of its next process */
    struct str state;        /* given back as it is */
};

/* Both halves of ACCOUNT_FRAME_PARK's wire form. The descriptor is lent by put and taken by get, whose
 * strings are slices of the frame. False: that is no such frame. */
void parked_request_put(struct ipc_frame *f, const struct parked_request *r);
bool parked_request_get(struct ipc_frame *f, struct parked_request *r);

struct parking; /* all of them */
struct parked;  /* one, in its owner's list */

/* At most `max` at once. `roused` is told when a session has to be given to its account, or has ended: with
 * the owner that parked_add named. Lives as long as the process. */
struct parking *parking_new(struct loop *l, size_t max, void (*roused)(void *owner));

/* Takes one over, with its descriptor. False: that is no socket, it needs too much, or there are too many;
 * the descriptor is still the caller's. */
bool parked_add(struct parking *p, struct parked **list, void *owner, const struct parked_request *r);

/* Whether one of the list waits to be given to a process. */
bool parked_is_roused(const struct parked *list);

/* For a process that is awake: the next that it has not been given; NULL: it has all. parked_put writes the
 * ACCOUNT_FRAME_THAW for it; parked_given says that the frame was sent. */
struct parked *parked_next(struct parked *list);
void parked_put(const struct parked *s, struct ipc_frame *f);
void parked_given(struct parked *s);

#define PARKED_NO_NUMBER 0 /* in a THAW: of one that keeper did not take */

/* The process has session `number`, which is forgotten here. False: it was not given that one. */
bool parked_taken(struct parked **list, uint64_t number);

/* The process is gone: what it had been given and not taken sleeps again. */
void parked_return(struct parked **list);

/* Says goodbye to those that no process has been given. */
void parked_end(struct parked **list);

/* The address that the first of a list came with: a copy for the caller to free. */
char *parked_address(const struct parked *list);

#endif
