#include "base/thread.h"

#include "base/mem.h"

#include <pthread.h>

struct start {
    void (*fn)(void *context);
    void *context;
};

static void *run(void *start)
{
    struct start s = *(struct start *)start;
    free(start);
    s.fn(s.context);
    return NULL;
}

bool thread_start(void (*fn)(void *context), void *context)
{
    struct start *s = MEM_NEW(struct start);
    *s = (struct start){fn, context};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    bool started = pthread_create(&thread, &attributes, run, s) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        free(s);
    return started;
}
