#include "smtp/incoming.h"

#include "account/delivery.h"
#include "base/sealed.h"
#include "message/header.h"
#include "smtp/data.h"

#include <string.h>
#include <unistd.h>

/* This much is gathered before it is written: ordinary messages take one write. */
#define GATHER_BYTES ((size_t)64 * 1024)

static const char TOO_LARGE[] =
    "552 5.3.4 Message is larger than this server takes (SIZE in the answer to EHLO)";
static const char HEADER_TOO_LARGE[] = "552 5.3.4 The header of the message is larger than 1 MiB";
static const char LOOPS[] = "554 5.4.6 Too many Received lines: the message goes in circles";
static const char NO_MEMORY[] = "452 4.3.1 No memory for the message; try again later";
static const char *const FAULTS[] = {
    [DATA_BARE_CR] = "550 5.6.11 A CR without LF stands in the message: send lines that end in CRLF",
    [DATA_BARE_LF] = "550 5.6.11 An LF without CR stands in the message: send lines that end in CRLF",
    [DATA_NUL] = "550 5.6.11 A NUL byte stands in the message: send it in base64",
};

struct receiver {
    const struct incoming_wish *wish;
    struct incoming *out;
    struct arena *arena;
    struct buf gathered; /* content that is not yet in the memfd; begins with the header until header_done */
    size_t searched;     /* bytes of it that hold no end of the header */
    bool header_done;
};

static void refuse(struct receiver *r, const char *reply)
{
    if (!r->out->refusal)
        r->out->refusal = reply;
    buf_free(&r->gathered);
}

static bool has_8bit(struct str s)
{
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        all |= word;
    }
    for (; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return (all & UINT64_C(0x8080808080808080)) != 0;
}

/* Is the empty line that ends the header here? Every line ends in CRLF, or the message is refused anyway. */
static bool header_is_whole(struct receiver *r)
{
    static const struct str END = STR_INIT("\r\n\r\n");
    struct str there = buf_str(&r->gathered);
    size_t from = r->searched > END.n ? r->searched - END.n : 0;
    r->searched = there.n;
    return str_starts(there, STR("\r\n")) || str_find(str_from_offset(there, from), END) != STR_NONE;
}

/* What is asked of the header before anything is added to it. */
static void note_fields(struct receiver *r)
{
    struct header_field f;
    struct str rest = buf_str(&r->gathered);
    while (header_next(&rest, &f)) {
        if (r->out->message_id.n == 0 && str_eq_nocase(f.name, STR("Message-ID")))
            r->out->message_id =
                arena_copy(r->arena, str_slice(header_unfold(f.value, r->arena), 0, INCOMING_MESSAGE_ID_MAX));
        else if (r->wish->fix && str_eq_nocase(f.name, STR("From")) && r->out->froms++ == 0)
            r->out->from = arena_copy(r->arena, f.value);
    }
}

/* Puts the trace line in front of the header, and lets a submission's header be completed. */
static void finish_header(struct receiver *r)
{
    struct str there = buf_str(&r->gathered);
    struct buf whole;
    size_t replaced = 0;
    if (header_count_received(there) > r->wish->hops_max) {
        refuse(r, LOOPS);
        return;
    }
    note_fields(r);
    buf_init(&whole, BUF_MAX_DEFAULT);
    buf_room(&whole, r->wish->trace.n + there.n);
    buf_add(&whole, r->wish->trace);
    if (r->wish->fix) {
        replaced = submission_fix_header(there, r->wish->fix, &whole);
        if (r->out->message_id.n == 0) /* then it has just got one */
            r->out->message_id = arena_printf(r->arena, "<%.*s@%.*s>", STR_ARGS(r->wish->fix->unique),
                                              STR_ARGS(r->wish->fix->hostname));
    }
    buf_add(&whole, str_from_offset(there, replaced));
    buf_free(&r->gathered);
    r->gathered = whole;
    r->header_done = true;
}

static void write_gathered(struct receiver *r)
{
    if (r->out->memfd < 0)
        r->out->memfd = sealed_open("message", NULL);
    if (r->out->memfd < 0 || !sealed_write(r->out->memfd, buf_str(&r->gathered), NULL)) {
        refuse(r, NO_MEMORY);
        return;
    }
    r->out->size += r->gathered.n;
    buf_reset(&r->gathered);
}

static void take_content(struct receiver *r, struct str content)
{
    r->out->content += content.n;
    if (r->out->refusal)
        return;
    if (r->out->content > r->wish->size_max) {
        refuse(r, TOO_LARGE);
        return;
    }
    r->out->is_8bit = r->out->is_8bit || has_8bit(content);
    buf_add(&r->gathered, content);
    if (r->gathered.n < GATHER_BYTES)
        return;
    if (!r->header_done && header_is_whole(r))
        finish_header(r);
    if (r->header_done)
        write_gathered(r);
    else if (r->gathered.n > INCOMING_HEADER_MAX)
        refuse(r, HEADER_TOO_LARGE);
}

/* The end has come: what is still gathered is all of a small message, or becomes the rest of the memfd. */
static void finish(struct receiver *r)
{
    if (!r->out->refusal && !r->header_done)
        finish_header(r); /* a message that is all header, or smaller than GATHER_BYTES */
    if (!r->out->refusal && r->out->memfd < 0 && r->gathered.n <= DELIVERY_INLINE_MAX) {
        r->out->small = r->gathered;
        r->out->size = r->gathered.n;
        buf_init(&r->gathered, BUF_MAX_DEFAULT);
        return;
    }
    if (!r->out->refusal)
        write_gathered(r);
    if (!r->out->refusal && !sealed_close_writing(r->out->memfd, NULL))
        refuse(r, NO_MEMORY);
}

enum stream_result incoming_receive(struct stream *s, const struct incoming_wish *wish, struct arena *a,
                                    struct incoming *out)
{
    *out = (struct incoming){.memfd = -1, .from = STR(""), .message_id = STR("")};
    struct receiver r = {.wish = wish, .out = out, .arena = a};
    struct data_scanner scanner = DATA_SCANNER_INIT;
    struct deadline all = deadline_in(INCOMING_ALL_MS);
    enum stream_result got = STREAM_OK;
    buf_init(&r.gathered, BUF_MAX_DEFAULT); /* bounded by INCOMING_HEADER_MAX and one block */
    while (scanner.state != DATA_END && got == STREAM_OK) {
        struct str block, content;
        /* What is buffered is read without a look at the clock, so a client that never pauses needs one. */
        got = deadline_passed(all)
                  ? STREAM_TIMEOUT
                  : stream_peek(s, deadline_sooner(all, deadline_in(INCOMING_BLOCK_MS)), &block);
        if (got != STREAM_OK)
            break;
        size_t taken = 0;
        while (taken < block.n && scanner.state != DATA_END) {
            taken += data_scan(&scanner, str_from_offset(block, taken), &content);
            take_content(&r, content);
        }
        stream_take(s, taken);
    }
    if (scanner.fault != DATA_CLEAN)
        out->refusal = FAULTS[scanner.fault];
    if (got == STREAM_OK)
        finish(&r);
    buf_free(&r.gathered);
    if (got != STREAM_OK || out->refusal)
        incoming_free(out);
    return got;
}

void incoming_free(struct incoming *m)
{
    if (m->memfd >= 0)
        close(m->memfd);
    m->memfd = -1;
    buf_free(&m->small);
}

int incoming_memfd(struct incoming *m, struct err *e)
{
    if (m->memfd < 0)
        m->memfd = sealed_from("message", buf_str(&m->small), e);
    return m->memfd;
}
