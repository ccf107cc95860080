/* One message on its way out of this process: what fate.c and its neighbours share. */
#ifndef SMTP_FATES_H
#define SMTP_FATES_H
#include "smtp/session.h"

/* Who share an answer: all recipients; or, with LMTP and PRDR, each for itself. */
struct group {
    bool has_it;                           /* somebody has the message for them, or the queue has */
    const struct delivery_recipient *told; /* of their accounts that failed, whose words they hear */
    size_t failed;                         /* such accounts */
    const struct delivery_recipient *last; /* of them: targets are sorted by place */
};

/* One message on its way out of this process. Each place gets it once: those of `local` come first, those of
 * `remote` follow. */
struct fates {
    struct session *s;
    struct incoming *message;
    struct delivery_recipient *local;
    const struct envelope_recipient **local_asked; /* one each */
    bool *is_ours; /* one each: it failed, and to settle that is our task now */
    struct queue_recipient *remote;
    size_t locals, remotes;
    size_t stored, deferred, refused; /* of the locals */
    struct group *groups;
    size_t group_count;
    int64_t queue_id; /* 0: nothing was queued */
};

/* fate_places.c: fills `local` and `remote`, everybody once, however many of the recipients lead there. The
 * targets are sorted, and each knows its place. */
void fates_sort(struct fates *f);

/* fate.c: makes them wait in the queue. False: *e says why, and it has nothing of it. */
bool fates_enqueue(struct fates *f, struct queue_recipient *recipients, size_t n, struct err *e);

/* fate_settle.c, after the deliveries: whom each group hears of, and what of the failures is our task now,
 * which goes to the queue. */
bool fates_settle(struct fates *f, struct err *e);

/* fate_tls_report.c, when the client has its answer: a report about TLS that came for us is read. */
void fates_read_report(struct fates *f);

/* fate_log.c: that it was accepted. */
void fates_log(const struct fates *f);

#endif
