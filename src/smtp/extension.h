/* What EHLO and LHLO offer, and to whom. */
#ifndef SMTP_EXTENSION_H
#define SMTP_EXTENSION_H
#include "smtp/session.h"

/* EXTENSION_BITs of what is offered to this session now. */
unsigned extension_offered(const struct session *s);

/* The answer to EHLO: our name, and a line for each. */
void extension_answer(struct session *s);

#endif
