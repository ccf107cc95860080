#include "queue/dsn.h"

#include "message/date.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/utf8.h"
#include "queue/dsn_text.h"

#include <string.h>

/* --- status codes --- */

/* class "." subject "." detail, of one, up to three and up to three digits (RFC 3463 section 2), at the front
 * of `s` and followed by white space or the end. */
static bool take_status(struct str s, struct str *status)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = 0, most = part == 0 ? 1 : 3;
        while (at < s.n && digits < most && ascii_is_digit(s.p[at])) {
            at++;
            digits++;
        }
        if (digits == 0 || (part < 2 && (at >= s.n || s.p[at++] != '.')))
            return false;
    }
    if (at < s.n && !ascii_is_space(s.p[at]))
        return false;
    *status = str_slice(s, 0, at);
    return true;
}

/* A reply of another host begins with three digits; ours do not. */
static bool has_code(struct str reply)
{
    return reply.n >= 3 && ascii_is_digit(reply.p[0]) && ascii_is_digit(reply.p[1]) &&
           ascii_is_digit(reply.p[2]) && (reply.n == 3 || ascii_is_space(reply.p[3]));
}

void dsn_status(const struct dsn_recipient *r, enum dsn_action action, char status[DSN_STATUS_MAX])
{
    static const char *const USUAL[DSN_ACTIONS] = {"5.0.0", "4.0.0", "2.0.0", "2.0.0", "2.0.0"};
    struct str words = has_code(r->reply) ? str_trim(str_from_offset(r->reply, 3)) : r->reply, found;
    memcpy(status, USUAL[action], sizeof "5.0.0");
    if (r->expired) { /* "delivery time expired": RFC 3464 section 2.3.4 wants the 4 here */
        memcpy(status, "4.4.7", sizeof "4.4.7");
    } else if (take_status(words, &found) && found.p[0] == status[0] && found.n < DSN_STATUS_MAX) {
        memcpy(status, found.p, found.n);
        status[found.n] = '\0';
    }
}

/* --- words from outside --- */

/* Nobody may write lines or fields of the report: printable characters only. `utf8`: UTF-8 may stay. */
static void add_clean(struct buf *out, struct str s, bool utf8)
{
    utf8 = utf8 && decode_is_utf8(s);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_add_byte(out, (c >= ' ' && c < 127) || (c > 127 && utf8) ? s.p[i] : '?');
    }
}

/* The same with breaks at spaces, so that no line passes about 76 characters; `indent` begins each further
 * line. */
static void add_wrapped(struct buf *out, struct str s, struct str indent, bool utf8)
{
    enum { WIDTH = 70, LONGEST = 900 }; /* a "word" over LONGEST is cut: RFC 5322 section 2.1.1 allows 998 */
    size_t column = 0;
    while (s.n > 0) {
        struct str word;
        str_cut(&s, ' ', &word);
        if (word.n == 0)
            continue;
        if (column > 0 && column + word.n + 1 > WIDTH) {
            buf_add_c(out, "\r\n");
            buf_add(out, indent);
            column = 0;
        } else if (column > 0) {
            buf_add_byte(out, ' ');
            column++;
        }
        word = str_slice(word, 0, LONGEST);
        add_clean(out, word, utf8);
        column += word.n;
    }
}

static void add_moment(struct buf *out, int64_t at, int zone)
{
    date_add_rfc5322(out, at, zone);
}

/* --- the text for people --- */

static void add_phrase(struct buf *out, const struct dsn *d, enum dsn_phrase phrase)
{
    buf_add_c(out, dsn_phrase(d->language, phrase));
}

static void add_opening(struct buf *out, const struct dsn *d)
{
    static const enum dsn_phrase SAYS[DSN_ACTIONS] = {DSN_SAYS_FAILED, DSN_SAYS_DELAYED, DSN_SAYS_RELAYED,
                                                      DSN_SAYS_DELIVERED, DSN_SAYS_EXPANDED};
    add_phrase(out, d, DSN_OPENING);
    add_clean(out, d->hostname, false);
    buf_add_c(out, ".\r\n\r\n");
    if (d->is_deadline)
        add_phrase(out, d, d->action == DSN_FAILED ? DSN_SAYS_EXPIRED : DSN_SAYS_LATE);
    add_phrase(out, d, SAYS[d->action]);
    if (d->action != DSN_DELAYED)
        return;
    add_moment(out, d->until, d->zone);
    add_phrase(out, d, DSN_SAYS_DELAYED_END);
}

static void add_person_recipient(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    char status[DSN_STATUS_MAX];
    dsn_status(r, d->action, status);
    buf_add_c(out, "\r\n<");
    add_clean(out, r->address, true);
    buf_add_c(out, ">\r\n");
    const char *advice = d->action == DSN_FAILED && !d->is_deadline ? dsn_advice(d->language, status) : NULL;
    if (advice)
        buf_addf(out, "    %s\r\n", advice);
    if (r->reply.n == 0)
        return;
    buf_add_c(out, "    ");
    if (r->host.n > 0) {
        add_clean(out, r->host, false);
        add_phrase(out, d, DSN_SAID);
        buf_add_c(out, "\r\n    ");
    }
    add_wrapped(out, r->reply, STR("    "), true);
    buf_add_c(out, "\r\n");
}

static void add_person_text(struct buf *out, const struct dsn *d)
{
    add_opening(out, d);
    for (size_t i = 0; i < d->count; i++)
        add_person_recipient(out, d, &d->recipients[i]);
    buf_add_c(out, "\r\n");
    add_phrase(out, d,
               d->is_whole ? DSN_ATTACHED_MESSAGE
               : d->is_cut ? DSN_ATTACHED_CUT
                           : DSN_ATTACHED_HEADER);
}

/* --- the fields for programs (RFC 3464 section 2) --- */

static void add_per_message(struct buf *out, const struct dsn *d, bool utf8)
{
    if (d->envelope_id.n > 0) { /* RFC 3461 section 6.3: as it was before it was xtext */
        buf_add_c(out, "Original-Envelope-Id: ");
        add_clean(out, d->envelope_id, utf8);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "Reporting-MTA: dns; ");
    add_clean(out, d->hostname, false);
    buf_addf(out, "\r\nX-Golub-Queue-ID: %lld\r\nArrival-Date: ", (long long)d->queue_id);
    add_moment(out, d->arrived, d->zone);
    buf_add_c(out, "\r\n");
}

static void add_per_recipient(struct buf *out, const struct dsn *d, const struct dsn_recipient *r, bool utf8)
{
    static const char *const ACTIONS[DSN_ACTIONS] = {"failed", "delayed", "relayed", "delivered", "expanded"};
    char status[DSN_STATUS_MAX];
    dsn_status(r, d->action, status);
    buf_add_c(out, "\r\n");
    if (r->original.n > 0) { /* RFC 3461 section 6.3: if and only if there was an ORCPT */
        struct str address = r->original, type;
        str_cut(&address, ';', &type);
        buf_add_c(out, "Original-Recipient: ");
        add_clean(out, type, false);
        buf_add_c(out, "; ");
        add_clean(out, address, utf8);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, utf8_is_ascii(r->address) ? "Final-Recipient: rfc822; " : "Final-Recipient: utf-8; ");
    add_clean(out, r->address, utf8);
    buf_addf(out, "\r\nAction: %s\r\nStatus: %s\r\n", ACTIONS[d->action], status);
    if (r->host.n > 0) {
        buf_add_c(out, "Remote-MTA: dns; ");
        add_clean(out, r->host, false);
        buf_add_c(out, "\r\n");
    }
    if (r->reply.n > 0) {
        buf_add_c(out, has_code(r->reply) ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-golub; ");
        add_wrapped(out, r->reply, STR("    "), utf8);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "Last-Attempt-Date: ");
    add_moment(out, d->now, d->zone);
    buf_add_c(out, "\r\n");
    if (d->action == DSN_DELAYED) {
        buf_add_c(out, "Will-Retry-Until: ");
        add_moment(out, d->until, d->zone);
        buf_add_c(out, "\r\n");
    }
}

/* --- the message --- */

/* Whole fields, as many as fit; every line ends in CRLF. */
static void add_header(struct buf *out, struct str header)
{
    struct header_field f;
    size_t room = DSN_HEADER_MAX;
    while (header_next(&header, &f)) {
        if (f.whole.n > room)
            break;
        room -= f.whole.n;
        struct str rest = f.whole, line;
        while (rest.n > 0) {
            str_cut(&rest, '\n', &line);
            if (str_ends(line, STR("\r")))
                line.n--;
            buf_add(out, line);
            buf_add_c(out, "\r\n");
        }
    }
}

static void add_references(struct buf *out, const struct dsn *d)
{
    enum { LONGEST_ID = 500 }; /* longer is no Message-ID that any client threads by */
    struct header_field id;
    if (!header_find(d->message, STR("Message-ID"), &id))
        return;
    struct str value = str_trim(id.value);
    if (value.n == 0 || value.n > LONGEST_ID)
        return;
    buf_add_c(out, "References: ");
    add_clean(out, value, false);
    buf_add_c(out, "\r\n");
}

static void add_own_header(struct buf *out, const struct dsn *d)
{
    buf_add_c(out, "Date: ");
    add_moment(out, d->now, d->zone);
    buf_add_c(out, "\r\nFrom: ");
    dsn_add_words(out, dsn_phrase(d->language, DSN_FROM));
    buf_add_c(out, " <postmaster@");
    add_clean(out, d->hostname, false);
    buf_add_c(out, ">\r\nTo: <");
    add_clean(out, d->to, true);
    buf_add_c(out, ">\r\nSubject: ");
    dsn_add_words(out, dsn_phrase(d->language, (enum dsn_phrase)((int)DSN_SUBJECT_FAILED + (int)d->action)));
    buf_addf(out, "\r\nContent-Language: %s\r\nMessage-ID: <", config_language_tag(d->language));
    add_clean(out, d->unique, false);
    buf_add_byte(out, '@');
    add_clean(out, d->hostname, false);
    buf_add_c(out, ">\r\n");
    add_references(out, d);
    buf_add_c(out, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 section 5 */
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"=_");
    add_clean(out, d->unique, false);
    buf_add_c(out, "\"\r\n");
}

/* --- the parts --- */

static void add_boundary(struct buf *out, const struct dsn *d, const char *end)
{
    buf_add_c(out, "\r\n--=_");
    add_clean(out, d->unique, false);
    buf_addf(out, "%s\r\n", end);
}

/* With the transfer encoding that its bytes ask for. */
static void add_part(struct buf *out, const struct dsn *d, const char *description, const char *type,
                     struct str content)
{
    add_boundary(out, d, "");
    buf_addf(out, "Content-Description: %s\r\nContent-Type: %s\r\n", description, type);
    if (!utf8_is_ascii(content))
        buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_c(out, "\r\n");
    buf_add(out, content);
}

/* RFC 6533: with addresses that are not ASCII, and a way back that takes them. */
static bool is_global(const struct dsn *d)
{
    bool is = !utf8_is_ascii(d->to) || (d->is_utf8 && !utf8_is_ascii(d->envelope_id));
    for (size_t i = 0; i < d->count; i++)
        is |= d->is_utf8 &&
              (!utf8_is_ascii(d->recipients[i].address) || !utf8_is_ascii(d->recipients[i].original));
    return is;
}

static void add_message(struct buf *out, const struct dsn *d)
{
    CLEAN_BUF struct buf header;
    buf_init(&header, DSN_HEADER_MAX * 2);
    if (d->is_whole) {
        bool is_global = d->is_utf8 && !utf8_is_ascii(str_slice(d->message, 0, header_size(d->message)));
        add_part(out, d, "Your message", is_global ? "message/global" : "message/rfc822", d->message);
        return;
    }
    add_header(&header, d->message);
    bool is_global = d->is_utf8 && !utf8_is_ascii(buf_str(&header));
    add_part(out, d, "Header of the message", is_global ? "message/global-headers" : "text/rfc822-headers",
             buf_str(&header));
}

void dsn_build(const struct dsn *d, struct buf *out, bool *is_8bit, bool *needs_utf8)
{
    CLEAN_BUF struct buf text, parts;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_init(&parts, BUF_MAX_DEFAULT);
    bool utf8 = is_global(d);

    add_person_text(&text, d);
    add_part(&parts, d, "Notification",
             utf8_is_ascii(buf_str(&text)) ? "text/plain; charset=us-ascii" : "text/plain; charset=utf-8",
             buf_str(&text));
    buf_reset(&text);
    add_per_message(&text, d, utf8);
    for (size_t i = 0; i < d->count; i++)
        add_per_recipient(&text, d, &d->recipients[i], utf8);
    add_part(&parts, d, "Delivery report",
             utf8 ? "message/global-delivery-status" : "message/delivery-status", buf_str(&text));
    add_message(&parts, d);
    add_boundary(&parts, d, "--");

    *is_8bit = !utf8_is_ascii(buf_str(&parts));
    *needs_utf8 = utf8;
    add_own_header(out, d);
    if (*is_8bit)
        buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add(out, buf_str(&parts));
}
