#include "smtp/id.h"

#include "base/log.h"

#include <errno.h>
#include <sys/random.h>

struct smtp_id smtp_id_new(void)
{
    struct smtp_id id = {0};
    while (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
        if (errno != EINTR)
            log_die("smtp.random", "getrandom failed: errno %d", errno);
    str_write_hex(id.bytes, sizeof id.bytes, id.hex);
    return id;
}
