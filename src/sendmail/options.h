/* The command line of sendmail, as Postfix's sendmail(1) takes it: what programs that send mail on Unix give.
 * Pure. */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H
#include "base/err.h"

/* <sysexits.h>; programs look at them. */
enum sendmail_exit {
    SENDMAIL_OK = 0,
    SENDMAIL_USAGE = 64,
    SENDMAIL_DATA = 65,
    SENDMAIL_NO_INPUT = 66,
    SENDMAIL_NO_USER = 67,
    SENDMAIL_UNAVAILABLE = 69,
    SENDMAIL_SOFTWARE = 70,
    SENDMAIL_TEMPORARY = 75,
    SENDMAIL_FORBIDDEN = 77,
    SENDMAIL_CONFIG = 78,
};

enum sendmail_mode {
    SENDMAIL_SEND,       /* -bm */
    SENDMAIL_LIST,       /* -bp, mailq */
    SENDMAIL_NEWALIASES, /* -bi, -I, newaliases */
    SENDMAIL_SESSION,    /* -bs: SMTP on standard input and output */
    SENDMAIL_FLUSH,      /* -q */
};

struct sendmail_options {
    enum sendmail_mode mode;
    const char *config;       /* -C FILE; NULL: the usual place */
    const char *sender;       /* -f, -r; "" for <>; NULL: whoever calls */
    const char *name;         /* -F; NULL: as the password file has it */
    const char *notify, *ret; /* -N, -R: as in RCPT and MAIL, checked */
    const char *envelope_id;  /* -V */
    bool has_recipients;      /* -t: they are in the header */
    bool dot_is_text;         /* -i, -oi */
    bool is_verbose;          /* -v */
    int first_recipient;      /* in argv; argc when there is none */
};

/* `argv[0]` says which: sendmail, mailq or newaliases. False: *e, and wrong usage. */
bool sendmail_options_read(int argc, char *const *argv, struct sendmail_options *out, struct err *e);

/* What the program is called by its path: SENDMAIL_SEND, _LIST or _NEWALIASES; -1: none of these. */
int sendmail_mode_of(const char *path);

#endif
