#include "smtp/id.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Ids that the kernel is asked for together. Up to 256 bytes come in a call that nothing interrupts. */
#define AT_ONCE 16

static void fill(void *to, size_t n)
{
    while (getrandom(to, n, 0) != (ssize_t)n)
        if (errno != EINTR)
            log_die("smtp.random", "getrandom failed: errno %d", errno);
}

struct smtp_id smtp_id_new(void)
{
    static _Thread_local unsigned char coming[AT_ONCE][DELIVERY_ID_BYTES];
    static _Thread_local size_t left;
    struct smtp_id id = {0};
    if (left == 0) {
        fill(coming, sizeof coming);
        left = AT_ONCE;
    }
    memcpy(id.bytes, coming[--left], sizeof id.bytes);
    str_write_hex(id.bytes, sizeof id.bytes, id.hex);
    return id;
}
