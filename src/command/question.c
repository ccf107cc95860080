#include "command/question.h"

#include "base/clock.h"
#include "dns/libunbound.h"

#include <poll.h>

#define PATIENCE_MS (10 * 1000)
#define CLASS_IN    1

static void answered(void *context, int error, struct ub_result *result)
{
    struct question *q = context;
    q->is_done = true;
    q->result = error == 0 ? result : NULL;
}

void questions_ask(struct ub_ctx *ctx, struct question *q, size_t n)
{
    struct deadline d = deadline_in(PATIENCE_MS);
    struct pollfd p = {.fd = unbound.fd(ctx), .events = POLLIN};
    for (size_t i = 0; i < n; i++)
        if (unbound.resolve_async(ctx, q[i].name, q[i].type, CLASS_IN, &q[i], answered, &q[i].id) != 0)
            q[i].is_done = true;
    for (size_t done = 0; done < n && !deadline_passed(d);) {
        if (poll(&p, 1, deadline_left_ms(d)) > 0)
            unbound.process(ctx);
        for (done = 0; done < n && q[done].is_done;)
            done++;
    }
    for (size_t i = 0; i < n; i++)
        if (!q[i].is_done)
            unbound.cancel(ctx, q[i].id);
}

bool question_answered(const struct question *q)
{
    return q->result && (q->result->rcode == 0 || q->result->rcode == 3) && !q->result->bogus;
}

size_t question_count(const struct question *q)
{
    size_t n = 0;
    while (question_answered(q) && q->result->havedata && q->result->data[n])
        n++;
    return n;
}
