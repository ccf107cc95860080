#include "smtp_peer.h"

#include "base/clock.h"
#include "base/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MS 20000

struct session {
    struct smtp_peer *peer;
    struct stream stream;
    SSL *ssl;
    char sender[200], recipients[500];
    bool drops;
};

/* --- TLS: a key and a certificate made on the spot --- */

static void *make_context(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"wrong.name", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    if (!X509_sign(cert, key, EVP_sha256()) || !SSL_CTX_use_certificate(c, cert) ||
        !SSL_CTX_use_PrivateKey(c, key))
        abort();
    X509_free(cert);
    EVP_PKEY_free(key);
    return c;
}

static ssize_t moved(struct session *s, int result, short *wants)
{
    int why = SSL_get_error(s->ssl, result);
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    *wants = why == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t tls_in(void *context, void *to, size_t n, short *wants)
{
    struct session *s = context;
    int got = SSL_read(s->ssl, to, (int)n);
    return got > 0 ? got : moved(s, got, wants);
}

static ssize_t tls_out(void *context, const void *from, size_t n, short *wants)
{
    struct session *s = context;
    int put = SSL_write(s->ssl, from, (int)n);
    return put > 0 ? put : moved(s, put, wants);
}

static const struct stream_transport TLS = {tls_in, tls_out};

static bool start_tls(struct session *s)
{
    stream_write(&s->stream, STR("220 go\r\n"));
    stream_flush(&s->stream, deadline_in(LINE_MS));
    if (s->peer->tls == PEER_BROKEN_TLS) {
        stream_write(&s->stream, STR("this is not TLS at all, sorry\r\n"));
        stream_flush(&s->stream, deadline_in(LINE_MS));
        return false;
    }
    s->ssl = SSL_new(s->peer->context);
    SSL_set_fd(s->ssl, s->stream.fd);
    for (int r; (r = SSL_accept(s->ssl)) != 1;) {
        short wants = 0;
        if (moved(s, r, &wants) == 0 || errno != EAGAIN)
            return false;
        struct pollfd p = {.fd = s->stream.fd, .events = wants};
        poll(&p, 1, LINE_MS);
    }
    s->stream.transport = &TLS;
    s->stream.context = s;
    return true;
}

/* --- SMTP --- */

static void say(struct session *s, const char *words)
{
    stream_writef(&s->stream, "%s\r\n", words);
}

static void hello(struct session *s)
{
    const struct smtp_peer *p = s->peer;
    say(s, "250-peer.test");
    if (!p->no_pipelining)
        say(s, "250-PIPELINING");
    if (p->tls != PEER_NO_TLS && !s->ssl)
        say(s, "250-STARTTLS");
    if (p->size_max > 0)
        stream_writef(&s->stream, "250-SIZE %u\r\n", p->size_max);
    if (p->offer)
        stream_writef(&s->stream, "250-%s\r\n", p->offer);
    say(s, "250 8BITMIME");
}

static void rcpt(struct session *s, struct str path)
{
    struct str to = str_slice(path, 0, str_find_byte(path, '>'));
    if (str_starts(to, STR("perm"))) {
        say(s, "550-5.1.1 There is nobody");
        say(s, "550 5.1.1 of that name");
    } else if (str_starts(to, STR("temp")) || (str_starts(to, STR("once")) && s->peer->once++ == 0)) {
        say(s, "450 4.2.0 Come again");
    } else {
        s->drops |= str_starts(to, STR("drop")) && s->peer->drops++ == 0;
        size_t used = strlen(s->recipients);
        snprintf(s->recipients + used, sizeof s->recipients - used, "<%.*s>", STR_ARGS(to));
        say(s, "250 2.1.5 fine");
    }
}

/* Says nothing more, until the other side has had enough. */
static void hang(struct session *s)
{
    struct pollfd p = {.fd = s->stream.fd, .events = POLLIN};
    char bytes[4096];
    stream_flush(&s->stream, deadline_in(LINE_MS));
    s->peer->hanging++;
    do
        poll(&p, 1, -1);
    while (recv(p.fd, bytes, sizeof bytes, 0) > 0);
}

static bool data(struct session *s)
{
    struct smtp_peer *p = s->peer;
    struct str line;
    bool bare;
    CLEAN_BUF struct buf body;
    buf_init(&body, BUF_MAX_DEFAULT);
    if (s->recipients[0] == '\0') {
        say(s, "554 5.5.1 no valid recipients");
        return true;
    }
    say(s, "354 go ahead");
    if (p->hangs == PEER_HANGS_IN_DATA) {
        hang(s);
        return false;
    }
    for (;;) {
        if (stream_read_line(&s->stream, 100000, deadline_in(LINE_MS), &line, &bare) != STREAM_OK || bare)
            return false;
        if (str_eq(line, STR(".")))
            break;
        buf_add(&body, str_starts(line, STR(".")) ? str_from_offset(line, 1) : line);
        buf_add_c(&body, "\r\n");
    }
    if (s->drops)
        return s->drops = false;
    pthread_mutex_lock(&p->lock);
    if (p->count < PEER_MESSAGES_MAX) {
        snprintf(p->messages[p->count].sender, sizeof s->sender, "%s", s->sender);
        snprintf(p->messages[p->count].recipients, sizeof s->recipients, "%s", s->recipients);
        p->messages[p->count].over_tls = s->ssl != NULL;
        buf_init(&p->messages[p->count].body, BUF_MAX_DEFAULT);
        buf_add(&p->messages[p->count].body, buf_str(&body));
        p->count++;
    }
    pthread_mutex_unlock(&p->lock);
    s->recipients[0] = '\0';
    say(s, "250 2.0.0 taken");
    return true;
}

static bool command(struct session *s, struct str line)
{
    if (str_starts(line, STR("EHLO")) && s->peer->no_ehlo) {
        say(s, "502 5.5.1 what?");
    } else if (str_starts(line, STR("EHLO"))) {
        hello(s);
        if (s->peer->hangs == PEER_HANGS_AFTER_EHLO) {
            hang(s);
            return false;
        }
    } else if (str_starts(line, STR("HELO"))) {
        s->peer->hellos++;
        say(s, "250 peer.test");
    } else if (str_eq(line, STR("STARTTLS"))) {
        return start_tls(s);
    } else if (str_starts(line, STR("MAIL FROM:<"))) {
        line = str_from_offset(line, 11);
        snprintf(s->sender, sizeof s->sender, "%.*s", (int)str_find_byte(line, '>'), line.p);
        s->recipients[0] = '\0';
        say(s, "250 2.1.0 fine");
    } else if (str_starts(line, STR("RCPT TO:<"))) {
        rcpt(s, str_from_offset(line, 9));
    } else if (str_eq(line, STR("DATA"))) {
        return data(s);
    } else if (str_eq(line, STR("RSET"))) {
        s->recipients[0] = '\0';
        say(s, "250 2.0.0 forgotten");
    } else {
        return false;
    }
    return true;
}

static void *serve(void *context)
{
    struct session *s = context;
    struct smtp_peer *p = s->peer;
    struct str line;
    const char *greeting = p->greeting;
    p->connections++; /* counted once it is decided how this one is greeted */
    bool goes_on = p->hangs != PEER_HANGS_AT_ONCE;
    if (goes_on)
        say(s, greeting ? greeting : "220 peer.test ready");
    else
        hang(s);
    while (goes_on && stream_read_line(&s->stream, 4096, deadline_in(LINE_MS), &line, NULL) == STREAM_OK) {
        bool had_tls = s->ssl;
        goes_on = command(s, line);
        p->tls_connections += !had_tls && s->ssl;
        p->resumed += !had_tls && s->ssl && SSL_session_reused(s->ssl);
    }
    SSL_free(s->ssl);
    stream_close(&s->stream);
    pthread_mutex_lock(&p->lock);
    p->sessions--;
    pthread_mutex_unlock(&p->lock);
    free(s);
    return NULL;
}

static void *listen_on(void *context)
{
    struct smtp_peer *p = context;
    int fd;
    while ((fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct session *s = calloc(1, sizeof *s);
        pthread_t thread;
        s->peer = p;
        stream_open(&s->stream, fd, STR(""));
        pthread_mutex_lock(&p->lock);
        p->sessions++;
        pthread_mutex_unlock(&p->lock);
        if (pthread_create(&thread, NULL, serve, s) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

void smtp_peer_start(struct smtp_peer *p)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    pthread_mutex_init(&p->lock, NULL);
    p->context = make_context();
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&here, size) != 0 || listen(p->listener, 100) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&here, &size) != 0)
        abort();
    p->port = ntohs(here.sin_port);
}

void smtp_peer_run(struct smtp_peer *p)
{
    if (pthread_create(&p->thread, NULL, listen_on, p) != 0)
        abort();
}

void smtp_peer_stop(struct smtp_peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    for (unsigned left = 1; left > 0;) {
        pthread_mutex_lock(&p->lock);
        left = p->sessions;
        pthread_mutex_unlock(&p->lock);
        usleep(1000);
    }
    for (size_t i = 0; i < p->count; i++)
        buf_free(&p->messages[i].body);
    SSL_CTX_free(p->context);
    pthread_mutex_destroy(&p->lock);
}

bool smtp_peer_wait(struct smtp_peer *p, size_t count)
{
    for (struct deadline d = deadline_in(20000); !deadline_passed(d); usleep(5000)) {
        pthread_mutex_lock(&p->lock);
        bool there = p->count >= count;
        pthread_mutex_unlock(&p->lock);
        if (there)
            return true;
    }
    return false;
}
