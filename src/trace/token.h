/* What a line of the trace can be found by: addresses (and their domains), Message-IDs, the numbers of the
 * queue, delivery ids. Each is a hash, in which case does not count. Pure. */
#ifndef TRACE_TOKEN_H
#define TRACE_TOKEN_H
#include "trace/line.h"

typedef void trace_token_fn(void *context, uint64_t token);

/* Every token of a line; one may come twice. */
void trace_tokens(const struct trace_line *l, trace_token_fn *each, void *context);

/* Sets of tokens: sorted, each once. */
struct trace_tokens {
    uint64_t *v;
    size_t n, room;
};
void trace_tokens_free(struct trace_tokens *t);
#define CLEAN_TOKENS __attribute__((cleanup(trace_tokens_free)))
void trace_tokens_add(struct trace_tokens *t, uint64_t token); /* at the end: sort when all are in */
void trace_tokens_sort(struct trace_tokens *t);
bool trace_tokens_have(const struct trace_tokens *t, uint64_t token);
/* Whether a line has any of them. */
bool trace_tokens_match(const struct trace_tokens *t, const struct trace_line *l);

uint64_t trace_token_delivery(struct str id); /* 32 hexadecimal digits */
uint64_t trace_token_queue(uint64_t id);

/* Is it a delivery id; what a line says of its message: its delivery id ("" for none), its number in the
 * queue (0: none). */
bool trace_is_delivery(struct str s);
struct str trace_line_delivery(const struct trace_line *l);
uint64_t trace_line_queue(const struct trace_line *l);

/* What somebody asks for: ADDRESS, @DOMAIN, <MESSAGE-ID>, a delivery id or a number of the queue. False: none
 * of them. What has an @ may be an address or a Message-ID and is looked for as both. */
bool trace_tokens_of_question(struct str typed, struct trace_tokens *out);

#endif
