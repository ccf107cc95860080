/* What the directory has answered lately to questions that are asked all the time: for the moment of a burst
 * to one address, or from one account, who asks need not wake another process each time. Only good answers
 * are kept, for a second at most, and no longer than the directory says that nothing has changed; what was
 * not there is never remembered. Safe from any thread. */
#ifndef SMTP_RECENT_H
#define SMTP_RECENT_H
#include "directory/directory.h"

/* When a question came up: to be taken before the directory is asked. */
struct recent_moment {
    int64_t ms;          /* clock_ms() */
    uint64_t generation; /* of the directory: base/generation.h */
};

struct recent;
struct recent *recent_new(void);
void recent_free(struct recent *r);

/* Where mail for an address goes: kept where it holds for any sender, and leads to one local account or to
 * that very address elsewhere. find: the answer, in `a`; false: ask. */
bool recent_find(struct recent *r, struct str address, struct recent_moment now, struct arena *a,
                 struct directory_answer *out);
void recent_note(struct recent *r, struct str address, struct recent_moment now,
                 const struct directory_answer *answer);

/* What an account may do with an address, and what is set of it: kept where it may send. */
bool recent_find_sender(struct recent *r, int64_t account, struct str address, struct recent_moment now,
                        struct directory_sender *out);
void recent_note_sender(struct recent *r, int64_t account, struct str address, struct recent_moment now,
                        const struct directory_sender *sender);

#endif
