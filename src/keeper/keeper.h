/* keeper as its clients see it: it knows which accounts are awake, forks an account process for one that is
 * not, and hands things to it. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H
#include "gate/connection.h"

struct role;
/* The role. Link keeper_role_dep: it brings the account process that keeper forks. */
int keeper_main(struct role *r);

struct keeper; /* a client; safe from any thread */
struct keeper *keeper_client(struct role *r);

/* A channel on which the account takes deliveries (account/delivery.h). -1: ERR_TEMPORARY. */
int keeper_open_delivery(struct keeper *k, int64_t account, struct str address, struct deadline d,
                         struct err *e);

/* Hands a logged-in connection over: after true it belongs to the account, which answers the login command.
 * The descriptor is lent; the caller closes it. False with ERR_TEMPORARY: it was refused, and the caller says
 * so to the client. False with ERR_INTERNAL: nobody knows whether the account has it (keeper was too slow, or
 * died), so the caller must close it without another word, for the account may be speaking already. */
struct keeper_login {
    struct connection *connection;
    bool is_pop3;
    int64_t account;
    struct str address;
    struct str tag;      /* IMAP */
    struct str buffered; /* bytes already read from the client, at most KEEPER_BUFFERED_MAX */
};
#define KEEPER_BUFFERED_MAX 65536
bool keeper_hand_over(struct keeper *k, const struct keeper_login *l, struct deadline d, struct err *e);

/* Frames client -> keeper. Replies: KEEPER_FRAME_DONE with the fd where one was asked for, or
 * KEEPER_FRAME_FAILED, str why. */
enum keeper_frame {
    KEEPER_FRAME_DELIVERY = 1, /* u64 account, str address */
    KEEPER_FRAME_LOGIN, /* u64 account, str address, u8 is_pop3, str tag, str buffered, connection, fd */
    KEEPER_FRAME_DONE,
    KEEPER_FRAME_FAILED,
    KEEPER_FRAME_UNAUTHENTICATED, /* keeper to login, on a channel of keeper's making: a connection that an
                                     account gives back: str tag, str buffered, connection, fd */
};

/* Frames keeper <-> account on the account's control socket. Questions of the account are answered as above.
 */
enum keeper_account_frame {
    ACCOUNT_FRAME_DELIVERY = 16, /* fd: a delivery channel */
    ACCOUNT_FRAME_SESSION, /* u8 is_pop3, str tag, str buffered, str guest ("" is the owner), connection, fd
                            */
    ACCOUNT_FRAME_IDLE, /* account: nothing to do for a while; u64: how many things keeper has handed to it */
    ACCOUNT_FRAME_LEAVE,           /* keeper: that number is right, exit. Without this it asks again */
    ACCOUNT_FRAME_STOP,            /* keeper: the server is going down */
    ACCOUNT_FRAME_UNAUTHENTICATED, /* account: a connection that is nobody's again, for login: str tag, str
                                      buffered, connection, fd */
    /* shared mailboxes (keeper/shared.h): questions of the account */
    ACCOUNT_FRAME_SHARE,       /* u32 n, n x str guest: with whom it shares from now on */
    ACCOUNT_FRAME_SHARED_LIST, /* who shares with it -> u32 n, n x str address */
    ACCOUNT_FRAME_SHARED_OPEN, /* str owner -> fd: a session in the owner's process */
    ACCOUNT_FRAME_PARK,  /* account: hold this session while I am gone (keeper/parked.h); fd. What cannot be
                            held comes back as any other */
    ACCOUNT_FRAME_THAW,  /* keeper: u64 number, str state; fd: one that was parked. It is still keeper's, and
                            another process's if this one dies, until this one says TAKEN */
    ACCOUNT_FRAME_TAKEN, /* account: u64 number */
};

#endif
