/* What the directory has answered lately about addresses that are asked for all the time: for the moment of a
 * burst to one address, who asks need not wake another process each time. Only good answers of one local
 * account that hold for any sender are kept, for a second at most, and no longer than the directory says that
 * nothing has changed (base/generation.h: `generation` is its number, read before it is asked); what was not
 * there is never remembered. Safe from any thread. */
#ifndef SMTP_RECENT_H
#define SMTP_RECENT_H
#include "directory/directory.h"

struct recent;
struct recent *recent_new(void);
void recent_free(struct recent *r);
/* The answer, in `a`; false: ask. */
bool recent_find(struct recent *r, struct str address, int64_t now_ms, uint64_t generation, struct arena *a,
                 struct directory_answer *out);
void recent_note(struct recent *r, struct str address, int64_t now_ms, uint64_t generation,
                 const struct directory_answer *answer);

#endif
