/* The directory's process as its files see it. All of it belongs to the loop's thread. */
#ifndef DIRECTORY_SERVICE_H
#define DIRECTORY_SERVICE_H
#include "config/config.h"
#include "directory/checker.h"
#include "directory/db.h"
#include "directory/exchanges.h"
#include "directory/password.h"
#include "directory/throttle.h"
#include "role/role.h"

struct directory_service;
/* Who is on the other end of a channel. */
struct client {
    struct directory_service *service;
    enum role_kind kind;
};

struct directory_service {
    struct role *role;
    struct loop *loop;
    struct role_target store; /* where db leads, with PostgreSQL */
    struct directory_db *db;
    struct throttle *throttle;
    struct verified *verified;
    struct checker *checker;
    struct exchanges *exchanges;
    struct client clients[ROLE_COUNT];    /* one a kind serves all channels of its kind */
    char nobodys_hash[PASSWORD_HASH_MAX]; /* checked when there is no account, so that this takes as long */
    unsigned char salt_key[SCRAM_KEY_BYTES];
    int changes_fd; /* of changes.c; -1: nothing is watched */
};

#define PEER_TEXT_MAX 64 /* of a numeric address, with room */

/* --- answers --- */
void directory_reply(struct loop_channel *c, struct ipc_frame *reply, uint32_t id);
void directory_fail(struct loop_channel *c, uint32_t id, const char *why);
void directory_fail_and_log(struct loop_channel *c, uint32_t id, const struct err *e);

/* --- changes.c --- whoever keeps answers is told when the database has been changed. */
int directory_changes_open(const char *folder); /* before the sandbox: for changes_fd */
void directory_changes_watch(struct directory_service *s);

/* --- questions.c --- */
void directory_serve_resolve(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f);
void directory_serve_sender(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f);
void directory_serve_canonical(struct directory_service *s, struct loop_channel *c,
                               const struct ipc_frame *f);
void directory_serve_route(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f,
                           enum role_kind asking);

/* --- logins.c: passwords --- */
void directory_serve_verify(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f);
checker_done_fn directory_password_checked;

/* As directory_db_login, with the name prepared by SASLprep. */
bool directory_find_user(struct directory_service *s, struct str user, struct arena *a, bool *found,
                         struct directory_account *out, struct err *e);
/* Who is to be counted for an attempt; false: the frame is none. */
bool directory_throttle_key(struct directory_service *s, struct str peer, struct str user,
                            unsigned char key[THROTTLE_KEY_BYTES]);
/* The fields of a verdict. */
void directory_put_verdict(struct ipc_frame *f, enum directory_verdict verdict,
                           const struct directory_login *login);

/* --- scram_logins.c --- */
void directory_serve_scram_first(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f);
void directory_serve_scram_final(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f);

/* --- shares.c --- */
void directory_serve_share(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f);
void directory_serve_shared_with(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f);

#endif
