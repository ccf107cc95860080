#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static bool fill(const struct library *l, void *handle, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        void *call = dlsym(handle, l->calls[i]);
        if (!call)
            return err_set(e, ERR_PERMANENT, "%s has no %s: %s", l->name, l->calls[i], dlerror());
        /* The same bits (POSIX, dlsym): C has no cast from an object to a function. */
        memcpy((char *)l->table + i * sizeof call, &call, sizeof call);
    }
    return true;
}

bool library_open(const struct library *l, struct err *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void *first;
    pthread_mutex_lock(&lock);
    memcpy(&first, l->table, sizeof first);
    void *handle = first ? NULL : dlopen(l->name, RTLD_NOW | RTLD_LOCAL); /* for good */
    bool good = first || (handle ? fill(l, handle, e) : err_set(e, ERR_PERMANENT, "%s", dlerror()));
    pthread_mutex_unlock(&lock);
    return good;
}
