#include "queue/dsn.h"

#include "message/date.h"
#include "message/header.h"

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
    struct str words = has_code(r->reply) ? str_trim(str_from_offset(r->reply, 3)) : r->reply, found;
    char class = action == DSN_DELAYED ? '4' : '5';
    memcpy(status, "5.0.0", sizeof "5.0.0");
    status[0] = class;
    if (r->expired) { /* "delivery time expired": RFC 3464 section 2.3.4 wants the 4 here */
        memcpy(status, "4.4.7", sizeof "4.4.7");
    } else if (take_status(words, &found) && found.p[0] == class && found.n < DSN_STATUS_MAX) {
        memcpy(status, found.p, found.n);
        status[found.n] = '\0';
    }
}

/* --- the text for people --- */

struct advice {
    const char *status; /* a prefix */
    const char *text;
};
/* The first that fits. */
static const struct advice ADVICE[] = {
    {"5.1.10", "That domain says that it takes no mail at all."},
    {"5.1.2", "There is no such domain. Please check the part after the @ for a typing error."},
    {"5.1.1", "There is no such address there. Please check it for a typing error."},
    {"5.1", "The address does not seem to be right. Please check it for a typing error."},
    {"5.2.2", "The mailbox is full. The recipient has to make room before you send the message again."},
    {"5.2", "The mailbox does not take this message at present."},
    {"5.3.4", "The message is too large for the other server. Please send it in parts, or share it in\r\n"
              "    another way."},
    {"5.7", "The other server does not want this message, by its own rules. If you think that it should,\r\n"
            "    please reach the recipient in another way and ask for help there."},
    {"4.4.7", "We tried again and again for as long as we keep a message, without success."},
};

static const char *advice_for(const char *status)
{
    for (size_t i = 0; i < sizeof ADVICE / sizeof *ADVICE; i++)
        if (strncmp(status, ADVICE[i].status, strlen(ADVICE[i].status)) == 0)
            return ADVICE[i].text;
    return NULL;
}

/* Text from outside, as printable ASCII: nobody may write lines or fields of the report. */
static void add_plain(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        buf_add_byte(out, c >= ' ' && c < 127 ? c : '?');
    }
}

/* The same with breaks at spaces, so that no line passes about 76 characters; `indent` begins each further
 * line. */
static void add_wrapped(struct buf *out, struct str s, struct str indent)
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
        add_plain(out, word);
        column += word.n;
    }
}

static void add_moment(struct buf *out, int64_t at, int zone)
{
    date_add_rfc5322(out, at, zone);
}

static void add_opening(struct buf *out, const struct dsn *d)
{
    buf_add_c(out, "This is the mail system at ");
    add_plain(out, d->hostname);
    buf_add_c(out, ".\r\n\r\n");
    if (d->action == DSN_FAILED) {
        buf_add_c(out, d->count == 1
                           ? "Your message could not be delivered to the recipient below. It will not be\r\n"
                             "tried again.\r\n"
                           : "Your message could not be delivered to the recipients below. It will not be\r\n"
                             "tried again.\r\n");
        return;
    }
    buf_add_c(out, "Your message has not been delivered to the address below yet. There is nothing\r\n"
                   "that you need to do: we keep trying until\r\n    ");
    add_moment(out, d->until, d->zone);
    buf_add_c(out, "\r\nand tell you if that was in vain.\r\n");
}

static void add_person_text(struct buf *out, const struct dsn *d)
{
    add_opening(out, d);
    for (size_t i = 0; i < d->count; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        char status[DSN_STATUS_MAX];
        dsn_status(r, d->action, status);
        buf_add_c(out, "\r\n<");
        add_plain(out, r->address);
        buf_add_c(out, ">\r\n    ");
        const char *advice = d->action == DSN_FAILED ? advice_for(status) : NULL;
        if (advice)
            buf_addf(out, "%s\r\n    ", advice);
        if (r->host.n > 0) {
            add_plain(out, r->host);
            buf_add_c(out, " said:\r\n    ");
        }
        add_wrapped(out, r->reply, STR("    "));
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "\r\nThe header of your message and details for experts are attached.\r\n");
}

/* --- the fields for programs (RFC 3464 section 2) --- */

static void add_per_message(struct buf *out, const struct dsn *d)
{
    buf_add_c(out, "Reporting-MTA: dns; ");
    add_plain(out, d->hostname);
    buf_addf(out, "\r\nX-Golub-Queue-ID: %lld\r\nArrival-Date: ", (long long)d->queue_id);
    add_moment(out, d->arrived, d->zone);
    buf_add_c(out, "\r\n");
}

static void add_per_recipient(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    char status[DSN_STATUS_MAX];
    dsn_status(r, d->action, status);
    buf_add_c(out, "\r\n");
    if (r->original.n > 0 && !str_eq(r->original, r->address)) {
        buf_add_c(out, "Original-Recipient: rfc822; ");
        add_plain(out, r->original);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "Final-Recipient: rfc822; ");
    add_plain(out, r->address);
    buf_addf(out, "\r\nAction: %s\r\nStatus: %s\r\n", d->action == DSN_FAILED ? "failed" : "delayed", status);
    if (r->host.n > 0) {
        buf_add_c(out, "Remote-MTA: dns; ");
        add_plain(out, r->host);
        buf_add_c(out, "\r\n");
    }
    if (r->reply.n > 0) {
        buf_add_c(out, has_code(r->reply) ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-golub; ");
        add_wrapped(out, r->reply, STR("    "));
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

/* --- the message's own header --- */

/* Whole fields, as many as fit; every line ends in CRLF. True: there were bytes over 127. */
static bool add_header(struct buf *out, struct str header)
{
    struct header_field f;
    size_t room = DSN_HEADER_MAX;
    bool is_8bit = false;
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
            for (size_t i = 0; i < line.n; i++)
                is_8bit |= (unsigned char)line.p[i] > 127;
        }
    }
    return is_8bit;
}

static void add_own_header(struct buf *out, const struct dsn *d)
{
    struct header_field id;
    buf_add_c(out, "Date: ");
    add_moment(out, d->now, d->zone);
    buf_add_c(out, "\r\nFrom: Mail Delivery System <postmaster@");
    add_plain(out, d->hostname);
    buf_add_c(out, ">\r\nTo: <");
    add_plain(out, d->to);
    buf_addf(out, ">\r\nSubject: %s\r\nMessage-ID: <",
             d->action == DSN_FAILED ? "Your message could not be delivered" : "Your message is delayed");
    add_plain(out, d->unique);
    buf_add_byte(out, '@');
    add_plain(out, d->hostname);
    buf_add_c(out, ">\r\n");
    if (header_find(d->header, STR("Message-ID"), &id)) {
        enum { LONGEST_ID = 500 }; /* longer is no Message-ID that any client threads by */
        struct str value = str_trim(id.value);
        if (value.n > 0 && value.n <= LONGEST_ID) {
            buf_add_c(out, "References: ");
            add_plain(out, value);
            buf_add_c(out, "\r\n");
        }
    }
    buf_add_c(out, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 section 5 */
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"=_");
    add_plain(out, d->unique);
    buf_add_c(out, "\"\r\n");
}

static void add_boundary(struct buf *out, const struct dsn *d, const char *end)
{
    buf_add_c(out, "\r\n--=_");
    add_plain(out, d->unique);
    buf_addf(out, "%s\r\n", end);
}

void dsn_build(const struct dsn *d, struct buf *out, bool *is_8bit)
{
    CLEAN_BUF struct buf header;
    buf_init(&header, DSN_HEADER_MAX * 2);
    *is_8bit = add_header(&header, d->header);

    add_own_header(out, d);
    if (*is_8bit)
        buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
    add_boundary(out, d, "");
    buf_add_c(out, "Content-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
    add_person_text(out, d);
    add_boundary(out, d, "");
    buf_add_c(out, "Content-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n");
    add_per_message(out, d);
    for (size_t i = 0; i < d->count; i++)
        add_per_recipient(out, d, &d->recipients[i]);
    add_boundary(out, d, "");
    buf_add_c(out, "Content-Description: Header of the message\r\nContent-Type: text/rfc822-headers\r\n");
    if (*is_8bit)
        buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_c(out, "\r\n");
    buf_add(out, buf_str(&header));
    add_boundary(out, d, "--");
}
