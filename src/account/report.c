#include "account/report.h"

#include "account/delivery.h"
#include "base/sealed.h"

static void read_report(struct str message, struct ipc_frame *answer)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_summary s;
    struct err e = ERR_INIT;
    bool is_good = tls_summary_of(message, &a, &s, &e);
    ipc_put_u8(answer, is_good);
    if (is_good)
        tls_summary_put(answer, &s);
    else
        ipc_put_str(answer, str_from_c(e.text));
}

bool report_answer(const struct ipc_frame *f, struct ipc_frame *answer)
{
    struct err e = ERR_INIT;
    struct ipc_reader in = ipc_read(f);
    uint64_t size = ipc_get_u64(&in);
    struct str bytes = ipc_get_str(&in);
    bool is_inline = f->nfds == 0;
    if (!ipc_done(&in) || f->nfds > 1 || (is_inline ? bytes.n != size : bytes.n != 0) ||
        size > TLS_SUMMARY_MAIL_MAX || (!is_inline && !sealed_read(f->fds[0], size, &bytes, &e)))
        return false;
    read_report(bytes, answer);
    if (!is_inline)
        sealed_release(bytes);
    return true;
}
