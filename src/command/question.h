/* Questions to DNS from a command, all at once, asked as the server itself asks. */
#ifndef COMMAND_QUESTION_H
#define COMMAND_QUESTION_H
#include "base/str.h"

struct ub_ctx;
struct ub_result;

/* One question; questions_ask brings its answer. */
struct question {
    const char *name;
    int type;
    int id;
    bool is_done;
    struct ub_result *result; /* NULL: no answer. ub_resolve_free it */
};
/* Waits a few seconds for all together: a report is wanted, not the last word. */
void questions_ask(struct ub_ctx *ctx, struct question *q, size_t n);
/* There is an answer that is not forged; "no such record" is one too. */
bool question_answered(const struct question *q);
size_t question_count(const struct question *q); /* of its records */

#endif
