#include "relay/https.h"

#include "base/library.h"
#include "base/mem.h"
#include "relay/tls.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS    (20 * 1000)
#define ADDRESSES_MAX 8

/* The calls of libcurl that are made here, in a table that is filled at the start: base/library.h. */
#define LIBCURL_CALLS(X) \
    X(easy_cleanup)      \
    X(easy_getinfo)      \
    X(easy_init)         \
    X(easy_perform)      \
    X(easy_setopt)       \
    X(easy_strerror)     \
    X(global_init)       \
    X(slist_append)      \
    X(slist_free_all)

static struct {
#define LIBCURL_CALL(name) __typeof__ (&curl_##name)(name);
    LIBCURL_CALLS(LIBCURL_CALL)
#undef LIBCURL_CALL
} curl;

static bool open_library(struct err *e)
{
#define LIBCURL_NAME(name) "curl_" #name,
    static const char *const CALLS[] = {LIBCURL_CALLS(LIBCURL_NAME)};
#undef LIBCURL_NAME
    static const struct library LIBCURL = {"libcurl.so.4", CALLS, sizeof CALLS / sizeof *CALLS, &curl};
    return library_open(&LIBCURL, e);
}

bool https_start(struct err *e)
{
    if (!open_library(e))
        return false;
    return curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
           err_set(e, ERR_INTERNAL, "libcurl does not start");
}

const char *https_addresses(const struct route_resolver *dns, struct str host, struct arena *a)
{
    CLEAN_BUF struct buf out;
    size_t n = 0;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct route_families found = route_ask_families(dns, host, a);
    const struct dns_answer *const FAMILIES[] = {&found.v6, &found.v4};
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; FAMILIES[f]->status == DNS_FOUND && i < FAMILIES[f]->count && n < ADDRESSES_MAX;
             i++, n++)
            buf_addf(&out, f == 0 ? "%s[%.*s]" : "%s%.*s", n > 0 ? "," : "",
                     STR_ARGS(FAMILIES[f]->records[i].data));
    return n > 0 ? arena_copy_c(a, buf_str(&out)) : NULL;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *context)
{
    struct buf *out = context;
    return buf_add(out, str_from(bytes, size * n)) ? size * n : 0;
}

static size_t drop_bytes(char *bytes, size_t size, size_t n, void *context)
{
    (void)bytes, (void)context;
    return size * n;
}

static void set_trust(CURL *c)
{
    struct str pem = tls_authorities();
    struct curl_blob blob = {(char *)(uintptr_t)pem.p, pem.n, CURL_BLOB_NOCOPY};
    curl.easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
    curl.easy_setopt(c, CURLOPT_CAPATH, NULL);
    curl.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl.easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_bounds(CURL *c, const struct https_request *r)
{
    curl.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* RFC 8461 section 3.3 */
    curl.easy_setopt(c, CURLOPT_PROXY, "");          /* whatever the environment says */
    curl.easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl.easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    curl.easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.easy_setopt(c, CURLOPT_USERAGENT, "golub");
}

/* A parameter of the type (charset) does not matter. */
static bool is_type(CURL *c, const char *expected)
{
    const char *type = NULL;
    size_t n = strlen(expected);
    curl.easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
    return type && strncasecmp(type, expected, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

static enum https_result judge(CURL *c, const struct https_request *r, CURLcode code, const char *words,
                               const struct buf *out, struct err *e)
{
    long status = 0;
    curl.easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        err_set(e, ERR_TEMPORARY, "%s", words[0] ? words : curl.easy_strerror(code));
        return HTTPS_NOT_TRUSTED;
    }
    bool is_post = r->body.n > 0;
    if (code == CURLE_WRITE_ERROR && out->overflow)
        err_set(e, ERR_TEMPORARY, "the answer has more than %zu bytes", out->max);
    else if (code != CURLE_OK)
        err_set(e, ERR_TEMPORARY, "%s", words[0] ? words : curl.easy_strerror(code));
    else if (is_post ? status < 200 || status > 299 : status != 200)
        err_set(e, ERR_TEMPORARY, "the web server answers with status %ld", status);
    else if (!is_post && !is_type(c, r->media_type))
        err_set(e, ERR_TEMPORARY, "the answer is not of type %s", r->media_type);
    else
        return HTTPS_GOOD;
    return HTTPS_NO_ANSWER;
}

enum https_result https_send(const struct https_request *r, struct buf *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    char words[CURL_ERROR_SIZE] = "";
    CURL *c = curl.easy_init();
    if (!c)
        abort(); /* out of memory */
    struct curl_slist *resolve =
        curl.slist_append(NULL, arena_printf(&a, "%s:%u:%s", r->host, r->port, r->addresses).p);
    struct curl_slist *headers = NULL;
    set_trust(c);
    set_bounds(c, r);
    curl.easy_setopt(c, CURLOPT_URL, r->url);
    curl.easy_setopt(c, CURLOPT_RESOLVE, resolve);
    curl.easy_setopt(c, CURLOPT_ERRORBUFFER, words);
    curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, r->body.n > 0 ? drop_bytes : take_bytes);
    curl.easy_setopt(c, CURLOPT_WRITEDATA, out);
    if (r->body.n > 0) {
        headers = curl.slist_append(NULL, arena_printf(&a, "Content-Type: %s", r->media_type).p);
        headers = curl.slist_append(headers, "Expect:"); /* no waiting for a "go on" */
        curl.easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl.easy_setopt(c, CURLOPT_POSTFIELDS, r->body.p);
        curl.easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    }
    CURLcode code = curl.easy_perform(c);
    enum https_result result = judge(c, r, code, words, out, e);
    curl.easy_cleanup(c);
    curl.slist_free_all(resolve);
    curl.slist_free_all(headers);
    return result;
}
