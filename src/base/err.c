#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
    if (!e)
        return false;
    va_list args;
    va_start(args, format);
    e->kind = kind;
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool err_prefix(struct err *e, const char *format, ...)
{
    if (!e)
        return false;
    char words[ERR_TEXT_MAX], joined[2 * ERR_TEXT_MAX + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "%s: %s", words, e->text);
    snprintf(e->text, sizeof e->text, "%.*s", ERR_TEXT_MAX - 1, joined);
    return false;
}
