/* Bytes on their way from process to process, such as a message. Few of them travel in the frame itself:
 * making, sealing, passing and checking a memfd takes ten system calls in two processes, which is more than
 * copying a few pages. Many travel in a sealed memfd (base/sealed.h). */
#ifndef BASE_PARCEL_H
#define BASE_PARCEL_H
#include "base/ipc.h"

#define PARCEL_INLINE_MAX ((size_t)32 * 1024) /* with room in a frame for what is said about them */

struct parcel {
    int fd;           /* sealed; -1: all of it is in `bytes` */
    struct str bytes; /* with fd -1 */
    uint64_t size;    /* in bytes, wherever they are */
};
#define PARCEL_NONE              \
    {                            \
        .fd = -1, .bytes = { 0 } \
    }

/* One of bytes in memory, which are lent to it. More than PARCEL_INLINE_MAX do not fit in a frame. */
struct parcel parcel_of(struct str bytes);
/* It has come, and not gone to anybody: false for PARCEL_NONE. */
static inline bool parcel_is_there(const struct parcel *p)
{
    return p->fd >= 0 || p->bytes.p;
}

/* As fields of a frame: u64 size, str bytes; or with "" for bytes, its first descriptor. It is lent until the
 * frame has been sent. */
void parcel_put(struct ipc_frame *f, const struct parcel *p);
/* What parcel_put wrote, `f` being what `in` reads: its own copy, for parcel_free. What cannot be makes the
 * reader bad, and PARCEL_NONE of it. */
struct parcel parcel_get(struct ipc_reader *in, struct ipc_frame *f);

/* All its bytes, until parcel_release. False: see sealed_read. */
bool parcel_read(const struct parcel *p, struct str *bytes, struct err *e);
void parcel_release(const struct parcel *p, struct str bytes);

/* Of one that owns what it holds. It is PARCEL_NONE then. */
void parcel_free(struct parcel *p);

#endif
