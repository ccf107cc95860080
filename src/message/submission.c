#include "message/submission.h"

#include "message/date.h"
#include "message/header.h"

static bool is_bcc(struct str name)
{
    return str_eq_nocase(name, STR("Bcc")) || str_eq_nocase(name, STR("Resent-Bcc"));
}

/* What is added stands on top, where no broken last line of the client's header can swallow it. */
static void add_missing(const struct submission_fix *fix, bool has_date, bool has_id, struct buf *out)
{
    if (fix->sender.n > 0) {
        buf_add(out, STR("Sender: <"));
        buf_add(out, fix->sender);
        buf_add(out, STR(">\r\n"));
    }
    if (!has_date) {
        buf_add(out, STR("Date: "));
        date_add_rfc5322(out, fix->now, fix->zone);
        buf_add(out, STR("\r\n"));
    }
    if (!has_id) {
        buf_add(out, STR("Message-ID: <"));
        buf_add(out, fix->unique);
        buf_add_byte(out, '@');
        buf_add(out, fix->hostname);
        buf_add(out, STR(">\r\n"));
    }
}

size_t submission_fix_header(struct str message, const struct submission_fix *fix, struct buf *out)
{
    bool has_date = false, has_id = false;
    struct header_field f;
    struct str rest = message;
    while (header_next(&rest, &f)) {
        /* An empty value is as good as none (RFC 6409 sections 8.2 and 8.3). */
        bool has_value = str_trim(f.value).n > 0;
        has_date = has_date || (has_value && str_eq_nocase(f.name, STR("Date")));
        has_id = has_id || (has_value && str_eq_nocase(f.name, STR("Message-ID")));
    }
    size_t replaced = message.n - rest.n;

    add_missing(fix, has_date, has_id, out);
    bool ends_line = true;
    rest = message;
    while (header_next(&rest, &f)) {
        bool is_empty_one =
            str_trim(f.value).n == 0 && ((!has_date && str_eq_nocase(f.name, STR("Date"))) ||
                                         (!has_id && str_eq_nocase(f.name, STR("Message-ID"))));
        bool is_other_sender = fix->sender.n > 0 && str_eq_nocase(f.name, STR("Sender"));
        if (is_bcc(f.name) || is_empty_one || is_other_sender)
            continue;
        enum rewrite_class class = fix->rewrite_count > 0 ? rewrite_class(f.name) : REWRITE_NONE;
        if (class == REWRITE_NONE)
            buf_add(out, f.whole);
        else
            rewrite_field(f.whole, class, fix->rewrites, fix->rewrite_count, out);
        ends_line = str_ends(f.whole, STR("\n"));
    }
    if (!ends_line)
        buf_add(out, STR("\r\n"));
    buf_add(out, STR("\r\n"));
    return replaced;
}

unsigned header_count_received(struct str message)
{
    unsigned n = 0;
    struct header_field f;
    while (header_next(&message, &f))
        n += str_eq_nocase(f.name, STR("Received"));
    return n;
}
