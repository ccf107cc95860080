/* An error with words. The place that knows the most fills it once; it travels up to whoever answers the
 * client and writes the log. The kind decides how SMTP, IMAP and the queue answer. */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include "base/str.h"

enum err_kind {
    ERR_NONE,
    ERR_TEMPORARY, /* may work later: disk full, a peer that is down, a lock */
    ERR_PERMANENT, /* will not work as asked: no such mailbox, too large, refused */
    ERR_INTERNAL,  /* our own fault: a broken database, a frame that nobody should have sent */
};

#define ERR_TEXT_MAX 512 /* longer texts are cut */

struct err {
    enum err_kind kind;
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT     \
    {                \
        ERR_NONE, "" \
    }

/* Fills *e (NULL: nobody wants the words) and returns false, so that a failing function may
 * `return err_set(e, ERR_PERMANENT, "...")`. The text names the thing, the place and the way out. */
bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts words in front of the text: "opening the queue: disk full". */
bool err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
