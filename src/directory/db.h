/* The directory's database, DATA/directory/directory.db: which domains are ours, who has an account, and
 * where addresses lead. The directory role reads it; the commands (golub account ...) change it beside the
 * running role, each through its own connection.
 *
 * Functions return false with words for the administrator: ERR_PERMANENT where the request is at fault
 * (exists already, is not there, refused), else as base/sql.h. Addresses go in as typed (directory/address.h)
 * and come out canonical. A database belongs to one thread at a time. */
#ifndef DIRECTORY_DB_H
#define DIRECTORY_DB_H
#include "base/arena.h"
#include "base/sql.h"
#include "config/config.h"
#include "directory/directory.h"
#include "directory/pattern.h"
#include "directory/scram.h"
#include "directory/srs.h"

extern const struct sql_schema DIRECTORY_SCHEMA;

struct directory_db {
    struct sql *sql;
    char separator;                 /* of foo+tag@; 0: none */
    struct pattern_cache *patterns; /* NULL until one is asked for */
    bool has_srs_key;
    unsigned char srs_key[SRS_KEY_BYTES];
};

/* The folder that the database lives in, alone, so that the directory role's sandbox can name it and nothing
 * else. In `a`. */
const char *directory_db_folder(struct str data, struct arena *a);

/* Opens or makes it (folder 0700) below the data directory `data`. */
struct directory_db *directory_db_open(struct str data, char separator, struct err *e);
/* The same, wherever it is. The file: */
const char *directory_db_path(struct str data, struct arena *a);
struct directory_db *directory_db_open_at(const struct sql_source *source, char separator, struct err *e);
void directory_db_close(struct directory_db *db);
void directory_db_clean(struct directory_db **db);
#define CLEAN_DIRECTORY_DB __attribute__((cleanup(directory_db_clean)))

/* --- quotas --- how much an account may hold: its own, or its domain's. The account's store keeps a copy,
 * which is what holds (mailbox/store.h): whoever changes one tells the stores too. */
#define DIRECTORY_QUOTA_UNSET INT64_C(-1)
struct directory_quota {
    int64_t bytes, messages; /* 0: no limit, though the domain may have one; UNSET: as the domain */
};
#define DIRECTORY_QUOTA_MAX ((int64_t)1 << 60) /* of either: an exbibyte */

/* --- settings (db_settings.c) --- of an account, or of all accounts of a domain that have none of their own.
 */
bool directory_account_settings(struct directory_db *db, struct str address, struct directory_settings *own,
                                struct directory_settings *of_domain, struct err *e);
/* Replaces all of them. */
bool directory_account_set(struct directory_db *db, struct str address, const struct directory_settings *own,
                           struct err *e);
bool directory_domain_settings(struct directory_db *db, struct str name, struct directory_settings *out,
                               struct err *e);
bool directory_domain_set(struct directory_db *db, struct str name, const struct directory_settings *s,
                          struct err *e);
struct directory_settings directory_settings_that_hold(const struct directory_settings *own,
                                                       const struct directory_settings *of_domain);

/* --- domains --- */
struct directory_domain {
    struct str name;
    int64_t created; /* seconds since 1970 UTC */
    int64_t accounts, aliases;
    struct directory_quota quota; /* of accounts that have none of their own */
    struct str alias_of;          /* "" for none */
    bool is_backup;
    int64_t recipients; /* of a backup: that are known; 0: whoever is written to */
};
/* The first domain also gets the account postmaster@ without a password: where mail for postmaster and abuse
 * at any of our domains goes that nobody else takes (RFC 5321 section 4.5.1, RFC 2142). */
bool directory_domain_add(struct directory_db *db, struct str name, struct err *e);
/* Another name of a domain of ours: NAME@name leads where NAME@other does. */
bool directory_domain_add_alias(struct directory_db *db, struct str name, struct str other, struct err *e);
/* Somebody else's domain, whose mail waits here when its own servers are down (a backup MX). With recipients,
 * only mail for those is taken; more can be added and taken away later, n = 0 takes all away. */
bool directory_domain_add_backup(struct directory_db *db, struct str name, struct err *e);
bool directory_backup_add(struct directory_db *db, struct str name, const struct str *recipients, size_t n,
                          struct err *e);
bool directory_backup_remove(struct directory_db *db, struct str name, const struct str *recipients, size_t n,
                             struct err *e);
bool directory_backup_list(struct directory_db *db, struct str name, struct arena *a, struct str **v,
                           size_t *n, struct err *e);
/* Only an empty one that is nobody's other name, and not the first. */
bool directory_domain_remove(struct directory_db *db, struct str name, struct err *e);
bool directory_domain_set_quota(struct directory_db *db, struct str name, const struct directory_quota *quota,
                                struct err *e);
bool directory_domain_list(struct directory_db *db, struct arena *a, struct directory_domain **v, size_t *n,
                           struct err *e); /* the first one first */

/* --- accounts --- */
struct directory_account {
    int64_t id; /* never used again */
    struct str address;
    struct str hash; /* "" for none: nobody can log in */
    bool enabled;
    int64_t created;
    struct str scram; /* directory/scram.h; "" until the password has been seen */
    struct directory_quota quota,
        own_quota; /* what holds, UNSET for no limit; and what was set for it alone */
};
/* False with the words that directory_account_add would have: before a password is asked for. */
bool directory_account_may_add(struct directory_db *db, struct str address, struct err *e);
bool directory_account_add(struct directory_db *db, struct str address, struct str hash, int64_t *id,
                           struct err *e);
bool directory_account_find(struct directory_db *db, struct str address, struct arena *a,
                            struct directory_account *out, struct err *e);
bool directory_account_list(struct directory_db *db, struct arena *a, struct directory_account **v, size_t *n,
                            struct err *e); /* by domain and name */
/* Also forgets the SCRAM verifier, which is another password's now. */
bool directory_account_set_hash(struct directory_db *db, struct str address, struct str hash, struct err *e);
/* Nothing happens where the account's hash is another by now. */
bool directory_account_set_scram(struct directory_db *db, struct str address, struct str hash,
                                 struct str scram, struct err *e);
/* What scram_salt is keyed with. Made when it is first asked for. */
bool directory_scram_key(struct directory_db *db, unsigned char key[SCRAM_KEY_BYTES], struct err *e);
bool directory_account_set_quota(struct directory_db *db, struct str address,
                                 const struct directory_quota *quota, struct err *e);
/* A disabled account cannot log in; its mail is still taken. */
bool directory_account_enable(struct directory_db *db, struct str address, bool enabled, struct err *e);
/* Also as a target of aliases; those that led to it alone go with it. The postmaster of the first domain
 * stays. The mailbox folder DATA/account/ID is the caller's to delete. */
bool directory_account_remove(struct directory_db *db, struct str address, int64_t *id, struct err *e);

/* --- aliases --- an address that leads to others. `@domain` catches what else is unknown there; wildcards
 * and regular expressions (directory/pattern.h) take what they fit. An alias goes before an account of the
 * same name, and may name itself among its targets: then the account gets a copy. */
#define DIRECTORY_PATTERNS_MAX \
    100 /* of a domain: all of them are looked at for an address that is not there */

enum {                              /* who may write to it; 0: anybody */
       DIRECTORY_POST_MEMBERS = 1,  /* whom it leads to */
       DIRECTORY_POST_ACCOUNTS = 2, /* who has logged in here */
       DIRECTORY_POST_LISTED = 4,   /* posters: addresses and "@domain"s */
};
struct directory_alias {
    int64_t id;
    struct str address, target; /* a row a target */
    bool enabled;
    int64_t ends; /* seconds since 1970; 0: never */
    unsigned post;
    struct str posters; /* with POST_LISTED: joined by ", " */
};
/* Adds targets to an alias, new or not. Targets in our domains must lead somewhere. */
bool directory_alias_add(struct directory_db *db, struct str address, const struct str *targets, size_t n,
                         struct err *e);
/* n = 0: the alias whole. */
bool directory_alias_remove(struct directory_db *db, struct str address, const struct str *targets, size_t n,
                            struct err *e);
bool directory_alias_list(struct directory_db *db, struct arena *a, struct directory_alias **v, size_t *n,
                          struct err *e);
/* Those of one alias; n = 0: there is none of that name. */
bool directory_alias_targets(struct directory_db *db, struct str address, struct arena *a, struct str **v,
                             size_t *n, struct err *e);
/* Takes mail or not, and until when (seconds since 1970, 0 for ever): the alias of that name, or else the
 * account. */
bool directory_address_enable(struct directory_db *db, struct str address, bool enabled, struct err *e);
bool directory_address_end(struct directory_db *db, struct str address, int64_t ends, struct err *e);
/* Who may write to an alias; posters for POST_LISTED. */
bool directory_alias_post(struct directory_db *db, struct str address, unsigned post,
                          const struct str *posters, size_t n, struct err *e);

/* --- rights to send as others (db_right.c) --- */
struct directory_right {
    struct str whom; /* an address, or "@domain" */
    bool on_behalf;
};
bool directory_right_set(struct directory_db *db, struct str account, struct str whom, bool on_behalf,
                         struct err *e);
bool directory_right_remove(struct directory_db *db, struct str account, struct str whom, struct err *e);
bool directory_right_list(struct directory_db *db, struct str account, struct arena *a,
                          struct directory_right **v, size_t *n, struct err *e);

/* --- canonical maps (db_canonical.c) --- `from` and `to`: addresses, or both "@domain". */
struct directory_rewrite {
    enum directory_canonical kind;
    struct str from, to;
};
bool directory_rewrite_set(struct directory_db *db, const struct directory_rewrite *r, struct err *e);
bool directory_rewrite_remove(struct directory_db *db, enum directory_canonical kind, struct str from,
                              struct err *e);
bool directory_rewrite_list(struct directory_db *db, struct arena *a, struct directory_rewrite **v, size_t *n,
                            struct err *e);

/* --- routes (db_route.c) --- */
struct directory_route_entry {
    struct str sender; /* an address, "@domain", or "" for any */
    struct str domain; /* of the recipient; "*" for any */
    bool has_tls;      /* route.tls is said */
    struct directory_route route;
};
/* Replaces what there is for this sender and domain. A route may leave things unsaid: host "", no TLS level,
 * no source. */
bool directory_route_set(struct directory_db *db, const struct directory_route_entry *r, struct err *e);
bool directory_route_remove(struct directory_db *db, struct str sender, struct str domain, struct err *e);
bool directory_route_list(struct directory_db *db, struct arena *a, struct directory_route_entry **v,
                          size_t *n, struct err *e); /* by domain and sender */
/* As directory_route. `c` NULL: without golub.conf's. `trail` may be NULL (directory/trail.h). */
struct directory_trail;
bool directory_db_route(struct directory_db *db, const struct config *c, struct str sender, struct str domain,
                        struct arena *a, struct directory_route *out, struct directory_trail *trail,
                        struct err *e);

/* --- shared mailboxes (db_share.c) --- */
/* Accounts that share with one other: a guest's list asks each of them. */
#define DIRECTORY_OWNERS_MAX 200
struct directory_owner {
    int64_t account;
    struct str address;
};
/* From now on `owner` shares with these: canonical addresses, or "anyone". */
bool directory_db_share(struct directory_db *db, int64_t owner, const struct str *guests, size_t n,
                        struct err *e);
/* Who shares with this account, by address; `owner` "": all, else that one if it does. */
bool directory_db_shared_with(struct directory_db *db, int64_t guest, struct str owner, struct arena *a,
                              struct directory_owner **v, size_t *n, struct err *e);

/* --- answers (resolve.c, senders.c, login_name.c) --- */
/* As directory_ask and directory_resolve. With LOOP, and when it returns false, *e has the words. `trail` may
 * be NULL. */
bool directory_db_answer(struct directory_db *db, const struct directory_question *q,
                         struct directory_trail *trail, struct arena *a, struct directory_answer *out,
                         struct err *e);
bool directory_db_resolve(struct directory_db *db, struct str address, struct arena *a,
                          struct directory_answer *out, struct err *e);
/* As directory_sender. */
bool directory_db_sender(struct directory_db *db, int64_t account, struct str address,
                         struct directory_sender *out, struct err *e);
bool directory_db_send_right(struct directory_db *db, int64_t account, struct str address,
                             enum directory_send *out, struct err *e);
bool directory_db_may_send_as(struct directory_db *db, int64_t account, struct str address, bool *may,
                              struct err *e);
/* Whose password `user` asks to be checked against: the account of that address, or the one account that an
 * alias leads to; no tags, no catch-all. found = false: nobody's. */
bool directory_db_login(struct directory_db *db, struct str user, struct arena *a, bool *found,
                        struct directory_account *out, struct err *e);

#endif
