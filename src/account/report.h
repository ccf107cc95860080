/* Reports about TLS that others send (RFC 8460), read for smtp: gzip and JSON from strangers are parsed here,
 * where whoever takes the process over by them finds one mailbox and no network. */
#ifndef ACCOUNT_REPORT_H
#define ACCOUNT_REPORT_H
#include "base/ipc.h"

/* Answers a DELIVERY_FRAME_REPORT (account/delivery.h). False: it is none. */
bool report_answer(const struct ipc_frame *f, struct ipc_frame *answer);

#endif
