/* Mail that carries a report about TLS (RFC 8460 section 5.3), once it is stored: what it says is kept. */
#include "base/log.h"
#include "base/sealed.h"
#include "smtp/fates.h"
#include "trust/tls_report.h"

#define FLUSH_MS 1000 /* of the answer, which does not wait for what is done here */

/* The address that `golub dns` prints for reports. */
static bool is_for_reports(struct str address)
{
    size_t at = str_rfind_byte(address, '@');
    return at != STR_NONE && str_eq_nocase(str_slice(address, 0, at), STR(TLS_REPORT_MAILBOX));
}

/* Who has it of those whom it is for; NULL: nobody here. Another server, where such an address may lead,
 * keeps the report for us to read by hand. */
static const struct delivery_recipient *find_reader(const struct fates *f)
{
    const struct smtp_transaction *t = &f->s->transaction;
    for (size_t i = 0; i < t->target_count && f->locals > 0; i++) {
        const struct smtp_target *x = &t->targets[i];
        if (x->to.is_local && f->local[x->place].fate == DELIVERY_STORED &&
            is_for_reports(t->recipients[x->recipient].address))
            return &f->local[x->place];
    }
    return NULL;
}

static bool is_report(const struct incoming *m)
{
    struct str bytes = buf_str(&m->small);
    struct err e = ERR_INIT;
    if (m->memfd < 0 || bytes.n > 0)
        return tls_report_is_mail(bytes);
    if (!sealed_read(m->memfd, m->size, &bytes, &e))
        return false;
    bool is = tls_report_is_mail(bytes);
    sealed_release(bytes);
    return is;
}

static void log_summary(const struct fates *f, const struct tls_summary *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct tls_summary_domain *d = &s->domains[i];
        LOG_AT(d->failed > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "message.tls_report",
               F_C("id", f->s->transaction.id.hex), F_STR("organization", s->organization),
               F_STR("report", s->report), F_STR("begin", s->begin), F_STR("end", s->end),
               F_STR("domain", d->domain), F_INT("good", d->good), F_INT("failed", d->failed),
               F_STR("failures", d->failures));
    }
}

static bool read_and_keep(const struct fates *f, const struct delivery_recipient *reader, struct err *e)
{
    const struct smtp_server *server = f->s->server;
    struct tls_summary s;
    struct delivery_message m = {
        .memfd = f->message->memfd, .bytes = buf_str(&f->message->small), .size = f->message->size};
    if (m.size > TLS_SUMMARY_MAIL_MAX)
        return err_set(e, ERR_PERMANENT, "over %zu bytes", TLS_SUMMARY_MAIL_MAX);
    if (!delivery_read_report(server->delivery, &m, reader, &f->s->command, &s, e))
        return false;
    log_summary(f, &s);
    return queue_tls_received(server->tls_memory, &s, e);
}

void fates_read_report(struct fates *f)
{
    struct err e = ERR_INIT;
    const struct delivery_recipient *reader = find_reader(f);
    if (!reader || !is_report(f->message))
        return;
    stream_flush(&f->s->stream, deadline_in(FLUSH_MS));
    if (!read_and_keep(f, reader, &e))
        LOG_INFO("message.tls_report_unread", F_C("id", f->s->transaction.id.hex), F_C("reason", e.text));
}
