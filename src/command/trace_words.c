#include "command/trace_words.h"

#include "base/buf.h"

/* {key} is a field; {key|words} is that, or the words where it is empty. A part in brackets is left out where
 * one of its fields is empty or 0. `role` NULL: whoever says it. */
static const struct {
    const char *role, *event, *words;
} WORDS[] = {
    {"smtp", "message.accepted",
     "accepted from {peer} (HELO {helo}, {with}[, {tls} {cipher}][, user {user}]): {from|<>} to {to}, {size} "
     "bytes[, Message-ID {msgid}][; stored in {where}][; {relayed} to be sent on, number {queue} in the "
     "queue][; {deferred} to be tried again][; {refused} refused]"},
    {"smtp", "message.refused",
     "refused[ for {to}], from {from|<>} at {peer} (HELO {helo}[, user {user}]): {reply}"},
    {"smtp", "message.recipients", "its recipients, as they were asked for: {to}"},
    {NULL, "message.recipient_refused", "refused for {to}: {reply}[; {then}]"},
    {NULL, "message.tls_report",
     "a report of {organization|nobody} about TLS with {domain|no domain}, {begin} to {end}: {good} sessions "
     "good, "
     "{failed} failed[: {failures}]"},
    {NULL, "message.tls_report_unread", "a report about TLS that could not be read: {reason}"},
    {NULL, "message.lost", "lost on its way in from {peer}, {from|<>} to {to}: {why}"},
    {"account", "message.stored", "stored for {address} in {where}, UID {uid}, {size} bytes"},
    {"account", "message.refused", "not stored[ for {address}]: {error}"},
    {NULL, "queue.accepted",
     "taken into the queue as number {queue}, from {from|<>}, {size} bytes, for {recipients} to be "
     "delivered"},
    {NULL, "queue.not_stored", "not taken into the queue: {reason}"},
    {NULL, "queue.delivered", "stored for {to}[ in {where}] by the queue: {reply}"},
    {NULL, "queue.not_delivered", "not stored for {to} by the queue: {reply}"},
    {NULL, "queue.deferred", "to be tried again for {to}[ after {next}]: {reply}"},
    {NULL, "queue.failed", "given up for {to}[, at {host}]: {reply}"},
    {NULL, "queue.expired", "given up for {to} after too long a time[, last at {host}]: {reply}"},
    {NULL, "queue.held", "held for {to} by {by}"},
    {NULL, "queue.released", "released for {to} by {by}"},
    {NULL, "queue.retried", "to be tried at once for {to}, by {by}"},
    {NULL, "queue.dropped", "dropped for {to} by {by}"},
    {NULL, "queue.redirected", "redirected from {to} to {into} by {by}"},
    {NULL, "queue.report",
     "report to {to}: number {about} has {action} for {recipients} recipients; it is number {queue} in the "
     "queue"},
    {NULL, "queue.report_undeliverable",
     "a report that cannot be delivered to {to} is dropped[, {host}]: {reply}"},
    {NULL, "relay.no_route", "no way to {domain} now: {reason}"},
    {NULL, "relay.sent", "sent to {to} by {host}[ ({address})], TLS {tls}: {reply}"},
    {NULL, "relay.deferred", "not sent to {to} yet[, by {host}][ ({address})]: {reply}"},
    {NULL, "relay.failed", "not sent to {to} for good[, by {host}][ ({address})]: {reply}"},
    {NULL, "relay.tls_failed", "no TLS with {host}[ ({address})]: {reason}"},
    {NULL, "relay.not_open", "no connection with {host}[ ({address})]: {reason}"},
};

static const char *find(const struct trace_line *l)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (str_eq(l->event, str_from_c(WORDS[i].event)) &&
            (!WORDS[i].role || str_eq(l->role, str_from_c(WORDS[i].role))))
            return WORDS[i].words;
    return NULL;
}

static void add_clean(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_add_byte(out, c < ' ' || c == 127 ? ' ' : text.p[i]);
    }
}

/* The field at the front of *template, which is an opening brace. False: it is empty, or 0. */
static bool add_field(struct str *template, const struct trace_line *l, struct buf *out)
{
    struct str key, fallback = STR("");
    *template = str_from_offset(*template, 1);
    str_cut(template, '}', &key);
    size_t bar = str_find_byte(key, '|');
    if (bar != STR_NONE) {
        fallback = str_from_offset(key, bar + 1);
        key = str_slice(key, 0, bar);
    }
    struct str value = trace_line_get(l, key);
    add_clean(out, value.n > 0 ? value : fallback);
    return value.n > 0 && !str_eq(value, STR("0"));
}

static void fill(struct str template, const struct trace_line *l, struct buf *out)
{
    size_t optional = STR_NONE; /* where the part in brackets began */
    bool has_all = true;
    while (template.n > 0) {
        char c = template.p[0];
        if (c == '{') {
            has_all &= add_field(&template, l, out);
            continue;
        }
        template = str_from_offset(template, 1);
        if (c == '[') {
            optional = out->n;
            has_all = true;
        } else if (c == ']') {
            if (!has_all)
                buf_truncate(out, optional);
        } else {
            buf_add_byte(out, c);
        }
    }
}

/* What has no words here yet is shown as it was said. */
static void add_fields(const struct trace_line *l, struct buf *out)
{
    add_clean(out, l->event);
    for (size_t i = 0; i < l->count; i++) {
        buf_add_byte(out, ' ');
        add_clean(out, l->fields[i].key);
        buf_add_byte(out, '=');
        add_clean(out, l->fields[i].value);
    }
}

struct str trace_words(const struct trace_line *l, struct arena *a)
{
    CLEAN_BUF struct buf out;
    const char *template = find(l);
    buf_init(&out, 2 * TRACE_LINE_MAX);
    if (template)
        fill(str_from_c(template), l, &out);
    else
        add_fields(l, &out);
    return arena_copy(a, buf_str(&out));
}
