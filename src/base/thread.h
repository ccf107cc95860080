/* Threads of sessions: one a connection, so that protocol code reads top to bottom. Their stacks are small
 * and nothing joins them: a session ends by returning. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H
#include <stdbool.h>
#include <stddef.h>

/* Thousands of sessions share an address space, and none needs more: what is large lies on the heap. The
 * sanitizers put red zones around every variable and ask for more. */
#ifdef GOLUB_SANITIZED
#define THREAD_STACK_BYTES ((size_t)1024 * 1024)
#else
#define THREAD_STACK_BYTES ((size_t)256 * 1024)
#endif

/* Runs fn(context) in a thread of its own. False: there is no room for another one now. */
bool thread_start(void (*fn)(void *context), void *context);

/* Threads that stay for a moment when their work is done, and take the next: where sessions are short, making
 * and ending a thread costs more than what it does. They last as long as the process. */
struct threads;

struct threads *threads_new(void);

/* As thread_start, in a thread that waits for work if there is one. */
bool threads_start(struct threads *all, void (*fn)(void *context), void *context);

#endif
