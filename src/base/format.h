/* What printf does, for the directives that most texts are made of, at a fraction of its time: replies, trace
 * lines and log values are several of these a message. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H
#include <stdarg.h>
#include <stddef.h>

/* As vsnprintf(3): writes at most `room` bytes, the last one a NUL, and returns how many the whole text has
 * without it. A format with other directives than %s %.*s %c %d %u %x (with l, ll or z, and a width that
 * begins with 0) and %% is vsnprintf's. 0 if that fails. */
size_t format_text(char *to, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
