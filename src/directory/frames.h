/* The frames between the directory and its clients. */
#ifndef DIRECTORY_FRAMES_H
#define DIRECTORY_FRAMES_H
#include "directory/directory.h"

enum directory_frame {
    DIRECTORY_FRAME_RESOLVE = 1, /* str address, u8 is_mail, str sender, u64 user */
    DIRECTORY_FRAME_ANSWER,      /* u8 fate, str words (LOOP), str reply, str sender, u8 is_for_sender, u8
                                    rewrites, u32 n, n x (u8      is_local, u8 has_quota, u64 account, str address,
                                    str      detail, str sender) */
    DIRECTORY_FRAME_VERIFY,      /* str user, str password, str peer; from smtp and login only */
    DIRECTORY_FRAME_VERDICT,     /* u8 verdict, u64 account, str address, u32 wait in seconds */
    DIRECTORY_FRAME_SENDER,      /* u64 account, str address */
    DIRECTORY_FRAME_SENDER_IS,   /* u8 enum directory_send, LIMIT_RATES x (u8 is_set, u32 count, u32 seconds),
                              u8 language, from 1 on; 0: not set */
    DIRECTORY_FRAME_FAILED,      /* str why: no answer now */
    /* SCRAM's two steps; from smtp and login only */
    DIRECTORY_FRAME_SCRAM_FIRST,  /* str client-first-message, str peer */
    DIRECTORY_FRAME_SCRAM_SALTED, /* u8 verdict (good, wait), u32 wait, u64 exchange, str nonce, str salt, u32
                                     iterations */
    DIRECTORY_FRAME_SCRAM_FINAL,  /* u64 exchange, str client-final-message, str peer */
    DIRECTORY_FRAME_SCRAM_VERDICT, /* as VERDICT, and str signature */
    /* shared mailboxes; from keeper only, which says for whom it asks */
    DIRECTORY_FRAME_SHARE,       /* u64 owner, u32 n, n x str guest; the answer is OWNERS with none */
    DIRECTORY_FRAME_SHARED_WITH, /* u64 guest, str owner or "" */
    DIRECTORY_FRAME_OWNERS,      /* u32 n, n x (u64 account, str address) */
    DIRECTORY_FRAME_CANONICAL,   /* u8 kind, str address; from smtp */
    DIRECTORY_FRAME_CANONICALS,  /* str address, "" where it stays */
    /* the way out; from relay and queue */
    DIRECTORY_FRAME_ROUTE,     /* str sender, str domain */
    DIRECTORY_FRAME_ROUTE_SET, /* u8 is_set, u8 is_lmtp, u8 by_mx, u8 tls, u32 port, str host, str user, str
                                  password, str source_ipv4, str source_ipv6 */
};

/* An answer as it travels. get: false for what is no well-formed answer; strings are copied into `a`. */
void directory_answer_put(struct ipc_frame *f, const struct directory_answer *answer, struct str words);
bool directory_answer_get(const struct ipc_frame *f, struct arena *a, struct directory_answer *answer,
                          struct str *words);

void directory_sender_put(struct ipc_frame *f, const struct directory_sender *s);
bool directory_sender_get(const struct ipc_frame *f, struct directory_sender *s);

void directory_route_put(struct ipc_frame *f, const struct directory_route *r);
bool directory_route_get(const struct ipc_frame *f, struct arena *a, struct directory_route *r);

#endif
