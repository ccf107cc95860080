/* Password checks on a few threads, so that a hash that takes 20 ms holds up no one else's question. Checks
 * with the same tag that come while one is under way share its answer: a mail client opens many connections
 * at once. The queue is bounded: beyond it the server is too busy to log anybody in, and says so. */
#ifndef DIRECTORY_CHECKER_H
#define DIRECTORY_CHECKER_H
#include "base/loop.h"
#include "directory/scram.h"
#include "directory/verified.h"

#define CHECKER_THREADS_MAX 8    /* each takes 19 MiB while it works */
#define CHECKER_WAITING_MAX 1024 /* requests, those that share an answer too: 20 s of work for one core */

struct checker;
/* `done` is called in the loop's thread, once for each request that was taken. `scram` is the verifier's
 * text, where one was asked for and the password is good; else "". */
typedef void checker_done_fn(void *context, void *request, bool good, struct str scram);
struct checker *checker_new(struct loop *l, unsigned threads, checker_done_fn *done, void *context);

/* `salt`: a SCRAM verifier is wanted too, with this salt; NULL: none. False: too much waits already; the
 * request is still the caller's. */
bool checker_submit(struct checker *c, const unsigned char tag[VERIFIED_TAG_BYTES], struct str hash,
                    struct str password, const unsigned char *salt, void *request);

/* Waits for the checks that are being worked on and drops the others: `drop` gets each request. */
void checker_free(struct checker *c, void (*drop)(void *request));

#endif
