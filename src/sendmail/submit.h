/* Handing a message to the server over its socket for programs of this machine, in SMTP. */
#ifndef SENDMAIL_SUBMIT_H
#define SENDMAIL_SUBMIT_H
#include "sendmail/options.h"

#include "base/arena.h"
#include "base/err.h"

struct sendmail_letter {
    struct str sender;      /* as between < and > */
    struct str *recipients; /* the same */
    size_t count;
    struct str text; /* lines that end in CRLF */
    bool is_8bit;
    const char *notify, *ret, *envelope_id; /* NULL: not said */
    bool is_verbose;                        /* what is said goes to standard error */
};

/* A connected socket; -1: *e, and nobody serves it now (ERR_TEMPORARY). */
int sendmail_connect(struct str path, struct err *e);

/* What the server refused: a recipient, or "" for the message or its sender. `reply` is its answer. */
typedef void sendmail_refused_fn(void *context, struct str recipient, const char *reply);

/* Closes `fd`. `refused` is told of every refusal; where all is well the result is SENDMAIL_OK, else it says
 * what the last one was. Recipients who may be tried again (the server's answer was a temporary one, or there
 * was none) are left in l->recipients, all others have been taken out. */
enum sendmail_exit sendmail_submit(int fd, struct sendmail_letter *l, sendmail_refused_fn *refused,
                                   void *context);

/* The address as it must stand between < and >; "" is the null sender. False: it cannot be written. */
bool sendmail_path(struct str local, struct str domain, struct arena *a, struct str *path);

/* -bs: what comes on standard input goes to the server, and its answers to standard output, until either
 * ends. */
enum sendmail_exit sendmail_pass(int fd);

#endif
