/* golub check: the parts of the report. */
#ifndef COMMAND_CHECK_H
#define COMMAND_CHECK_H
#include "config/config.h"
#include "directory/db.h"

enum check_level { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

/* One line of the report on standard output; errors are counted for the exit code. */
void check_say(enum check_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

void check_listeners(const struct config *c);
void check_certificate(const struct config *c);
void check_dns(const struct config *c, const struct directory_domain *domains, size_t n);

#endif
