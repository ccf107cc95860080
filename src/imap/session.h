/* What the commands of one logged-in session share. The session (session.c) reads a command, finds it in its
 * table, lets its handler do it and write the untagged data, tells what else has happened in the selected
 * mailbox, and sends the tagged answer that the handler chose. */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H
#include "account/session.h"
#include "imap/enabled.h"
#include "imap/read.h"
#include "imap/view.h"

/* RFC 3501 section 5.4: at least 30 minutes of silence before the server hangs up. The same for IDLE, whose
 * clients start anew every 29 minutes (RFC 2177 section 3). */
#define IMAP_AUTOLOGOUT_MS ((int64_t)30 * 60 * 1000)
/* In IDLE an "* OK" now and then: middleboxes forget connections that are quiet for five minutes or more, and
 * a client that is gone is noticed. */
#define IMAP_STILL_HERE_MS ((int64_t)4 * 60 * 1000)
#define IMAP_STILL_HERE    "* OK Still here\r\n"
#define IMAP_GOING_DOWN    "The server is going down, connect again in a moment"
/* For the rest of a command once it has begun, and between two pieces of a literal: a client that stalls here
 * is broken, not idle. */
#define IMAP_COMMAND_MS    ((int64_t)5 * 60 * 1000)
/* Commands in a row that were BAD: whoever sends this many speaks something else. */
#define IMAP_BAD_MAX       20

/* Names that a guest has subscribed to: its own account bounds them more tightly. */
#define GUEST_SUBSCRIBED_MAX ((size_t)1024 * 1024)

enum imap_status {
    IMAP_OK,
    IMAP_NO,
    IMAP_BAD,
    IMAP_RELAYED, /* a guest session has answered: see imap/shared.h */
    IMAP_LOST,    /* the connection is of no more use: no answer */
};

/* Whoever adds a member decides in park.c what becomes of it when the session sleeps. */
struct imap_session {
    struct account_session *host;
    struct stream *stream;
    struct store *store;
    struct str user;   /* the account's address, or that of a guest to whom its owner has given rights */
    bool is_from_afar; /* as in struct account_session */
    bool is_owner;     /* the user is the account's owner; else see imap/rights.h for what may be done */
    struct imap_reader reader;
    struct arena arena;     /* of the command under way */
    char tag[IMAP_TAG_MAX]; /* its tag: outlives what its handler does to the two above */
    size_t tag_size;
    bool by_uid;          /* the command under way is UID something */
    unsigned enabled;     /* of enum imap_enabled; change it with imap_enable */
    struct str answer;    /* the words of its tagged answer, with a response code in front if it has one */
    uint32_t limited_uid; /* the least that the command under way took, when there were too many; 0: all */
    bool answers_modseq;  /* HIGHESTMODSEQ in front of them, as it is once the client has been told all */

    bool is_selected;
    bool is_read_only;       /* EXAMINE, or no right to change anything */
    unsigned rights;         /* of the user on it, of enum mailbox_right */
    uint64_t rights_version; /* of the store when they were looked up */
    int64_t mailbox;         /* when selected */
    struct {
        int64_t mailbox; /* 0: none */
        uint64_t version;
        unsigned rights;
    } owned; /* what the owner may do in the mailbox that was asked for last: ACLs hardly ever change */
    struct imap_view view;
    struct imap_set saved;         /* "$", see imap/saved.h */
    struct imap_context *contexts; /* see imap/context.h */
    uint64_t contexts_seen;        /* the modseq up to which they are right */
    struct imap_notify *notify;    /* see imap/notify.h; NULL: NOTIFY was not used */
    bool must_tell;        /* the command under way expunges: what came of it is told, whatever NOTIFY says */
    struct imap_range own; /* uids that the command under way has added to the selected mailbox */

    /* Other people's mailboxes: imap/shared.h */
    struct imap_guest *guests, *at_guest; /* open ones; the one whose mailbox is selected */
    uint64_t shared_version;              /* of the rights that the directory was told of */
    struct buf subscribed; /* a guest's own subscriptions, as long as it is here: "name\n" each */

    bool starts_deflate; /* once the command under way is answered */
    bool is_ending;      /* LOGOUT, or BYE was said */
    unsigned bad_in_a_row;
    uint64_t commands; /* for the log */
};

/* How handlers end: `return imap_ok(s, "STATUS done")`. The words are ASCII without CR or LF. */
enum imap_status imap_ok(struct imap_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum imap_status imap_no(struct imap_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum imap_status imap_bad(struct imap_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* BAD with what the cursor found wrong, and where. */
enum imap_status imap_bad_syntax(struct imap_session *s, const struct imap_cursor *at);
/* NO with the response code of RFC 5530 that fits; a failure of ours goes to the log. */
enum imap_status imap_no_store(struct imap_session *s, enum store_result r, const struct err *e);

/* The soft warning of RFC 9208 section 4.3.1, behind messages that were added. */
void imap_warn_of_quota(struct imap_session *s);

/* "* BYE words", and the session ends. */
void imap_bye(struct imap_session *s, const char *words);

/* Tells what has happened in the selected mailbox; ends the session with BYE when it was deleted. */
void imap_sync(struct imap_session *s, bool may_expunge);
void imap_deselect(struct imap_session *s);
/* The command under way has added these to a mailbox: if it is the selected one, NOTIFY need not describe
 * them (RFC 5465 section 5.2). */
void imap_note_own(struct imap_session *s, int64_t mailbox, uint32_t first_uid, uint32_t last_uid);
/* Switches on what ENABLE or a command asks for, and what it implies; tells HIGHESTMODSEQ when it must (RFC
 * 7162 section 3.1). */
enum store_result imap_enable(struct imap_session *s, unsigned what, struct err *e);
/* Their names, with a space in front of each. */
void imap_add_enabled(struct buf *out, unsigned enabled);

/* MESSAGELIMIT (limit.c). Keeps of the ascending uids of a command the last ones that it may work on; the
 * answer tells the least of them. For commands that do all or nothing: whether there are too many, and their
 * answer. */
void imap_limit(struct imap_session *s, uint32_t **uids, size_t *n);
bool imap_is_over_limit(const struct imap_session *s, size_t n);
enum imap_status imap_no_limit(struct imap_session *s);
void imap_tell_limit(struct imap_session *s); /* with the tagged OK that is about to be sent */

/* IDLE's wait, until the client says something or `logout`; also where a session that slept goes on. */
enum imap_status imap_idle(struct imap_session *s, struct deadline logout);

/* Clears the wake-up of host->wake_fd. */
void imap_clear_wake(struct imap_session *s);

/* A set of messages of the selected mailbox: sequence numbers, or uids in a UID command; resolved. A sequence
 * number that is not in use is a problem (RFC 3501 section 9, seq-number). "$" is what SEARCH saved (RFC
 * 5182), and may be empty. */
bool imap_take_messages(struct imap_session *s, struct imap_cursor *c, struct imap_set *set);

/* Mailbox names are UTF-8 on the wire after ENABLE IMAP4rev2 or UTF8=ACCEPT, modified UTF-7 before it. */
bool imap_uses_utf8(const struct imap_session *s);
/* A name or a pattern, as it was sent, in UTF-8. False: it is not in the form that this session uses. */
bool imap_decode_mailbox(const struct imap_session *s, struct str sent, struct buf *utf8);
/* A mailbox name in UTF-8, with INBOX spelled so. */
bool imap_take_mailbox(struct imap_session *s, struct imap_cursor *c, struct str *name);
void imap_add_mailbox(struct imap_session *s, struct buf *out, struct str utf8_name);
/* The same for one in the form of imap_shown_name (imap/shared.h). */
void imap_add_shown(const struct imap_session *s, struct buf *out, struct str utf8_name);
/* IMAP4rev2: "* LIST () "/" name", with OLDNAME where the server spells it otherwise than the client did (RFC
 * 9051 section 6.3.9.7). */
void imap_tell_name(struct imap_session *s, struct str name, struct str asked);

/* "MAILBOXID (F7)", the response code and the item of STATUS (RFC 8474 section 4), in the arena. */
struct str imap_mailbox_id_code(struct imap_session *s, int64_t mailbox);

/* The handlers: arguments from behind the command's name to the end. */
typedef enum imap_status imap_handler(struct imap_session *s, struct imap_cursor *c);
imap_handler imap_do_capability, imap_do_noop, imap_do_logout, imap_do_id, imap_do_enable, imap_do_namespace;
imap_handler imap_do_select, imap_do_examine, imap_do_close, imap_do_unselect;
imap_handler imap_do_create, imap_do_delete, imap_do_rename, imap_do_subscribe, imap_do_unsubscribe;
imap_handler imap_do_status, imap_do_list, imap_do_lsub;
imap_handler imap_do_idle;
imap_handler imap_do_fetch, imap_do_store;
imap_handler imap_do_search, imap_do_sort, imap_do_thread, imap_do_esearch, imap_do_cancelupdate;
imap_handler imap_do_notify;
imap_handler imap_do_getmetadata, imap_do_setmetadata;
imap_handler imap_do_getquota, imap_do_getquotaroot, imap_do_setquota;
imap_handler imap_do_getacl, imap_do_setacl, imap_do_deleteacl, imap_do_listrights, imap_do_myrights;
imap_handler imap_do_copy, imap_do_move, imap_do_expunge;
imap_handler imap_do_uidbatches, imap_do_unauthenticate;

/* APPEND and REPLACE take their messages from the stream themselves. imap_append_is_due: what has been read
 * so far is one of them up to a literal that is a message or a piece of one; the handler then does the rest.
 */
bool imap_append_is_due(struct imap_session *s);
imap_handler imap_do_append, imap_do_replace;

/* COMPRESS asks for it, the session does it behind the answer. */
imap_handler imap_do_compress;
void imap_start_deflate(struct imap_session *s);

#endif
