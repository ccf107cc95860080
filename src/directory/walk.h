/* One address on its way to where it leads, as the files that follow it see it: look_up.c finds what stands
 * at an address, resolve.c follows it, post.c says who may write to it, forward.c under which sender it goes
 * on. Results of the int kind: 1 found, 0 not, -1 error. */
#ifndef DIRECTORY_WALK_H
#define DIRECTORY_WALK_H
#include "directory/db_parts.h"
#include "directory/pattern.h"
#include "directory/trail.h"

/* What stands at an address. */
enum place_state { PLACE_OPEN, PLACE_DISABLED, PLACE_ENDED };
struct place {
    struct str key;         /* under which it was found */
    int64_t alias, account; /* 0: none */
    enum place_state alias_state, account_state;
    unsigned post;  /* DIRECTORY_POST_ bits of the alias */
    bool has_quota; /* the account */
    struct str detail;
    const struct pattern_match *match; /* what $1 of its targets is; NULL: no pattern */
};

/* A domain of ours. */
struct home {
    int64_t id;
    struct str alias_of; /* another one's name, whose addresses are these; "" for none */
    bool is_backup, has_patterns;
};

struct walk {
    struct directory_db *db;
    const struct directory_question *question;
    struct arena *a;
    struct directory_answer *out;
    struct directory_trail *trail; /* NULL: nobody asks how */
    struct err *e;
    int64_t now;                       /* seconds since 1970 */
    int64_t path[DIRECTORY_DEPTH_MAX]; /* the aliases that led here */
    unsigned depth;
    unsigned steps;     /* targets looked at, all steps together */
    struct str sender;  /* the question's, as canonical maps make it */
    struct str via;     /* domain of the alias that leads on */
    struct str refusal; /* of the last place that takes no mail; "" for none */
    bool has_canonical; /* there are such maps; known after the first look-up */
    bool is_canonical;  /* the address has been through them */
    enum { SENDER_UNSEEN, SENDER_OURS, SENDER_FOREIGN } sender_is;
};

/* --- look_up.c --- */
/* Exactly this key. */
int walk_look_up(struct walk *w, struct str key, struct place *p);
/* foo+a+b: foo+a with b, else foo with a+b. The longest name that exists wins. */
int walk_look_up_untagged(struct walk *w, const struct directory_address *address, struct place *p);
/* What takes an address of this domain that does not stand there itself: in the order of what is more exact.
 */
int walk_look_further(struct walk *w, const struct directory_address *address, const struct home *home,
                      struct place *p);
int walk_look_up_postmaster(struct walk *w, struct place *p);
int walk_home(struct walk *w, struct str domain, struct home *out);
/* Whether the owner of a domain that we are a backup for has such a recipient. */
int walk_backup_takes(struct walk *w, const struct home *home, const struct directory_address *address);

/* --- post.c --- after the alias has been followed: whether the question's sender may write to it. */
bool walk_may_post(struct walk *w, const struct place *p, bool *may);

/* --- forward.c --- */
/* The sender under which mail goes on to another server: *out is "" where it stays as it is. */
bool walk_forward_sender(struct walk *w, struct str *out);
/* An address that srs_forward made here: *back is where it came from. A return address that is not good any
 * more leaves words in w->refusal. */
int walk_take_srs(struct walk *w, struct str address, struct str *back);
/* Through the canonical maps: *to is what the address becomes; 0: it stays. Also sets w->sender. */
int walk_canonical(struct walk *w, const struct directory_address *address, struct directory_address *to);

#endif
