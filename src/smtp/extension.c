#include "smtp/extension.h"

#include "message/timestamp.h"
#include "smtp/xclient.h"

typedef bool offer_fn(const struct session *s);
typedef void words_fn(const struct session *s, struct buf *line);

/* --- to whom --- */

static bool without_tls(const struct session *s)
{
    return !s->connection.tls.on && !connection_is_unix(&s->connection);
}

/* LMTP answers for each recipient anyway. */
static bool is_smtp(const struct session *s)
{
    return !session_is_lmtp(s);
}

static bool may_log_in(const struct session *s)
{
    return session_may_authenticate(s) && !s->is_authenticated;
}

static bool may_xclient(const struct session *s)
{
    return s->guard.may_xclient;
}

static bool with_tls(const struct session *s) /* RFC 8689 section 2 */
{
    return s->connection.tls.on;
}

static bool submits(const struct session *s) /* RFC 4865 section 3: for submission only */
{
    return s->is_authenticated || session_is_submission_port(s);
}

/* RFC 3461. A stranger's address may be forged, and a report of success to it is as bad as a bounce; a server
 * that is not offered DSN sends its own reports, to a sender whom it may know. */
static bool hears_reports(const struct session *s)
{
    return s->config->dsn_for_all || submits(s);
}

static bool refuses_advertising(const struct session *s)
{
    return s->config->unwanted_advertising.n > 0;
}

/* --- what stands behind the keyword --- */

static void size_words(const struct session *s, struct buf *line)
{
    buf_add_byte(line, ' ');
    buf_add_u64(line, s->config->message_size_max);
}

static void auth_words(const struct session *s, struct buf *line)
{
    buf_add_byte(line, ' ');
    sasl_add_names(line, "", " ", session_bindings(s));
}

/* The longest time, and the last moment. */
static void release_words(const struct session *s, struct buf *line)
{
    buf_addf(line, " %u ", s->config->hold_most_s);
    timestamp_add(line, clock_wall() + s->config->hold_most_s);
}

static void solicit_words(const struct session *s, struct buf *line)
{
    struct str rest = s->config->unwanted_advertising, one;
    char before = ' ';
    while (rest.n > 0) {
        str_cut(&rest, ' ', &one);
        if (one.n == 0)
            continue;
        buf_add_byte(line, before);
        buf_add(line, one);
        before = ',';
    }
}

static void limits_words(const struct session *s, struct buf *line)
{
    buf_add(line, STR(" RCPTMAX="));
    buf_add_u64(line, s->config->recipients_max);
}

static void xclient_words(const struct session *s, struct buf *line)
{
    (void)s;
    xclient_add_names(line);
}

/* A row without a keyword is not offered: its extension is not whole. */
static const struct extension {
    const char *keyword;
    offer_fn *is_offered; /* NULL: to everybody */
    words_fn *add_words;  /* NULL: none */
} EXTENSIONS[EXTENSION_COUNT] = {
    [EXTENSION_PIPELINING] = {"PIPELINING", NULL, NULL},
    [EXTENSION_SIZE] = {"SIZE", NULL, size_words},
    [EXTENSION_STARTTLS] = {"STARTTLS", without_tls, NULL},
    [EXTENSION_AUTH] = {"AUTH", may_log_in, auth_words},
    [EXTENSION_ENHANCEDSTATUSCODES] = {"ENHANCEDSTATUSCODES", NULL, NULL},
    [EXTENSION_8BITMIME] = {"8BITMIME", NULL, NULL},
    [EXTENSION_SMTPUTF8] = {"SMTPUTF8", NULL, NULL},
    [EXTENSION_DSN] = {"DSN", hears_reports, NULL},
    [EXTENSION_CHUNKING] = {"CHUNKING", NULL, NULL},
    [EXTENSION_XCLIENT] = {"XCLIENT", may_xclient, xclient_words},
    [EXTENSION_BINARYMIME] = {"BINARYMIME", NULL, NULL},
    [EXTENSION_REQUIRETLS] = {"REQUIRETLS", with_tls, NULL},
    [EXTENSION_DELIVERBY] = {"DELIVERBY", NULL, NULL},
    [EXTENSION_FUTURERELEASE] = {"FUTURERELEASE", submits, release_words},
    [EXTENSION_MT_PRIORITY] = {"MT-PRIORITY", NULL, NULL},
    [EXTENSION_NO_SOLICITING] = {"NO-SOLICITING", refuses_advertising, solicit_words},
    [EXTENSION_LIMITS] = {"LIMITS", NULL, limits_words},
    [EXTENSION_PRDR] = {"PRDR", is_smtp, NULL},
};

unsigned extension_offered(const struct session *s)
{
    unsigned offered = 0;
    for (unsigned i = 0; i < EXTENSION_COUNT; i++)
        if (EXTENSIONS[i].keyword && (!EXTENSIONS[i].is_offered || EXTENSIONS[i].is_offered(s)))
            offered |= EXTENSION_BIT(i);
    return offered;
}

/* "-" behind the code says that others follow: RFC 5321 section 4.2.1. */
static void begin_line(struct buf *line, bool is_last)
{
    buf_reset(line);
    buf_add(line, is_last ? STR("250 ") : STR("250-"));
}

void extension_answer(struct session *s)
{
    unsigned left = extension_offered(s);
    CLEAN_BUF struct buf line;
    buf_init(&line, SMTP_REPLY_MAX);
    begin_line(&line, left == 0);
    buf_add(&line, s->config->hostname);
    session_reply_text(s, buf_str(&line));
    for (unsigned i = 0; i < EXTENSION_COUNT; i++) {
        if (!(left & EXTENSION_BIT(i)))
            continue;
        left &= ~EXTENSION_BIT(i);
        begin_line(&line, left == 0);
        buf_add_c(&line, EXTENSIONS[i].keyword);
        if (EXTENSIONS[i].add_words)
            EXTENSIONS[i].add_words(s, &line);
        session_reply_text(s, buf_str(&line));
    }
}
