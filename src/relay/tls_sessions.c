#include "relay/tls_sessions.h"

#include "base/mem.h"
#include "relay/name_hash.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define PLACES 1024 /* servers; a session takes about 2 KiB, with its certificate more */
#define USE_S                                                                                    \
    3600 /* as Postfix: a server whose certificate is withdrawn is asked for another one so soon \
          */

struct place {
    uint64_t key;
    SSL_SESSION *session; /* NULL: none */
};

struct tls_sessions {
    pthread_mutex_t lock;
    int index; /* of the key, in a connection's data */
    struct place places[PLACES];
};

/* Two names that have all bits in common would try each other's sessions, which their servers then refuse.
 * Never 0. */
static uint64_t key_of(struct str name)
{
    return name_hash(NAME_HASH_BEGIN, name) | 1;
}

/* OpenSSL's: a session can be kept. 1: it is ours now. */
static int take(SSL *ssl, SSL_SESSION *session)
{
    struct tls_sessions *all = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint64_t key = (uint64_t)(uintptr_t)SSL_get_ex_data(ssl, all->index);
    if (key == 0 || SSL_SESSION_is_resumable(session) != 1)
        return 0;
    pthread_mutex_lock(&all->lock);
    struct place *p = &all->places[key % PLACES];
    SSL_SESSION *old = p->session;
    *p = (struct place){.key = key, .session = session};
    pthread_mutex_unlock(&all->lock);
    SSL_SESSION_free(old);
    return 1;
}

struct tls_sessions *tls_sessions_new(struct err *e)
{
    struct tls_sessions *all = MEM_NEW(struct tls_sessions);
    pthread_mutex_init(&all->lock, NULL);
    all->index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (all->index >= 0)
        return all;
    err_set(e, ERR_INTERNAL, "OpenSSL has no room for a session's name");
    free(all);
    return NULL;
}

void tls_sessions_attach(struct tls_sessions *all, SSL_CTX *c)
{
    SSL_CTX_set_app_data(c, all);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, take);
}

void tls_sessions_use(struct tls_sessions *all, SSL *ssl, struct str name)
{
    uint64_t key = key_of(name);
    SSL_set_ex_data(ssl, all->index, (void *)(uintptr_t)key);
    pthread_mutex_lock(&all->lock);
    struct place *p = &all->places[key % PLACES];
    SSL_SESSION *session = p->key == key ? p->session : NULL;
    if (session)
        p->session = NULL;
    pthread_mutex_unlock(&all->lock);
    if (session && time(NULL) - SSL_SESSION_get_time(session) <= USE_S)
        SSL_set_session(ssl, session); /* if it cannot be used, the handshake is a whole one */
    SSL_SESSION_free(session);
}
