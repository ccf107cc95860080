#include "smtp/incoming.h"

#include "account/delivery.h"
#include "base/sealed.h"
#include "message/header.h"
#include "message/utf8.h"
#include "smtp/solicit.h"

#include <unistd.h>

/* This much is gathered before it is written: ordinary messages take one write. */
#define GATHER_BYTES ((size_t)64 * 1024)

#define USUAL_BYTES ((size_t)6 * 1024) /* of a message without attachments: room that is taken at once */
#define ADDED_BYTES 256                /* to a submission's header: Date, Message-ID, Sender */

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
static const char UTF8_HEADER[] =
    "550 5.6.7 The header has bytes over 127: encode them (RFC 2047), or say SMTPUTF8 in MAIL";
static const char ADVERTISING[] =
    "550 5.7.1 Its Solicitation field says that it is advertising of a kind that is not wanted here";
static const char BINARY_HEADER[] = "550 5.6.0 The header of the message is not lines that end in CRLF";

static void refuse(struct incoming *m, const char *reply)
{
    if (!m->refusal)
        m->refusal = reply;
    buf_free(&m->gathered);
}

/* What has come so far, before the header is done: behind our trace line. */
static struct str gathered_content(const struct incoming *m)
{
    return str_from_offset(buf_str(&m->gathered), m->wish.trace.n);
}

/* Is the empty line that ends the header here? Every line ends in CRLF, or the message is refused anyway. */
static bool header_is_whole(struct incoming *m)
{
    static const struct str END = STR_INIT("\r\n\r\n");
    struct str there = gathered_content(m);
    size_t from = m->searched > END.n ? m->searched - END.n : 0;
    m->searched = there.n;
    return str_starts(there, STR("\r\n")) || str_find(str_from_offset(there, from), END) != STR_NONE;
}

/* What is asked of the header before anything is added to it. Returns its Received lines. */
static unsigned note_fields(struct incoming *m, struct str rest)
{
    struct header_field f;
    unsigned hops = 0;
    while (header_next(&rest, &f)) {
        if (str_eq_nocase(f.name, STR("Received")))
            hops++;
        else if (m->message_id.n == 0 && str_eq_nocase(f.name, STR("Message-ID")))
            m->message_id =
                arena_copy(m->arena, str_slice(header_unfold(f.value, m->arena), 0, INCOMING_MESSAGE_ID_MAX));
        else if (m->wish.is_ours && str_eq_nocase(f.name, STR("From")) && m->froms++ == 0)
            m->from = arena_copy(m->arena, f.value);
    }
    return hops;
}

static bool is_advertising(struct incoming *m, struct str header)
{
    struct header_field f;
    return m->wish.unwanted.n > 0 && header_find(header, STR("Solicitation"), &f) &&
           solicit_unwanted(header_unfold(f.value, m->arena), m->wish.unwanted).n > 0;
}

/* What the bytes of the header must be. */
static void check_bytes(struct incoming *m, struct str there)
{
    struct data_scanner lines = DATA_SCANNER_INIT;
    size_t end = str_starts(there, STR("\r\n")) ? 0 : str_find(there, STR("\r\n\r\n"));
    struct str header = str_slice(there, 0, end == STR_NONE ? end : end + 2);
    m->header_is_8bit = m->is_8bit && !utf8_is_ascii(header);
    if (m->wish.is_binary) { /* no other program must see another end of it */
        data_check(&lines, header);
        if (lines.fault != DATA_CLEAN)
            refuse(m, BINARY_HEADER);
    }
    if (m->header_is_8bit && m->wish.utf8_only_when_asked && !m->wish.is_utf8)
        refuse(m, UTF8_HEADER);
}

/* What the header must be, however the body may look. */
static bool is_good_header(struct incoming *m, struct str there)
{
    if (m->is_8bit || m->wish.is_binary) /* of others nothing is asked */
        check_bytes(m, there);
    if (!m->refusal && is_advertising(m, there))
        refuse(m, ADVERTISING);
    if (!m->refusal && note_fields(m, there) > m->wish.hops_max)
        refuse(m, LOOPS);
    return !m->refusal;
}

/* A submission's header gets what it lacks, and loses what is nobody's business. */
static void complete_header(struct incoming *m, struct str there)
{
    struct buf whole;
    struct submission_fix *fix = &m->wish.fix;
    buf_init(&whole, BUF_MAX_DEFAULT);
    buf_room(&whole, m->gathered.n + ADDED_BYTES);
    buf_add(&whole, m->wish.trace);
    if (m->wish.look)
        m->wish.look(m->wish.context, there, fix);
    size_t replaced = submission_fix_header(there, fix, &whole);
    if (m->message_id.n == 0) /* then it has just got one */
        m->message_id = arena_printf(m->arena, "<%.*s@%.*s>", STR_ARGS(fix->unique), STR_ARGS(fix->hostname));
    buf_add(&whole, str_from_offset(there, replaced));
    buf_free(&m->gathered);
    m->gathered = whole;
}

static void finish_header(struct incoming *m)
{
    struct str there = gathered_content(m);
    if (!is_good_header(m, there))
        return;
    if (m->wish.is_ours)
        complete_header(m, there);
    m->header_done = true;
}

static void write_gathered(struct incoming *m)
{
    if (m->memfd < 0)
        m->memfd = sealed_open("message", NULL);
    if (m->memfd < 0 || !sealed_write(m->memfd, buf_str(&m->gathered), NULL)) {
        refuse(m, NO_MEMORY);
        return;
    }
    m->size += m->gathered.n;
    buf_reset(&m->gathered);
}

static void take_content(struct incoming *m, struct str content)
{
    m->content += content.n;
    if (m->refusal)
        return;
    if (m->content > m->wish.size_max) {
        refuse(m, TOO_LARGE);
        return;
    }
    m->is_8bit = m->is_8bit || !utf8_is_ascii(content);
    buf_add(&m->gathered, content);
    if (m->gathered.n < GATHER_BYTES)
        return;
    if (!m->header_done && header_is_whole(m))
        finish_header(m);
    if (m->header_done)
        write_gathered(m);
    else if (gathered_content(m).n > INCOMING_HEADER_MAX)
        refuse(m, HEADER_TOO_LARGE);
}

void incoming_begin(struct incoming *m, const struct incoming_wish *wish, struct arena *a)
{
    *m = (struct incoming){
        .memfd = -1,
        .from = STR(""),
        .message_id = STR(""),
        .wish = *wish,
        .arena = a,
        .scanner = DATA_SCANNER_INIT,
        .began_ms = clock_ms(),
    };
    buf_init(&m->gathered, BUF_MAX_DEFAULT); /* bounded by INCOMING_HEADER_MAX and one block */
    buf_room(&m->gathered, wish->trace.n + USUAL_BYTES);
    buf_add(&m->gathered, wish->trace); /* in its place at once: most messages are copied once */
}

struct deadline incoming_due(int64_t began_ms, uint64_t bytes)
{
    uint64_t earned_ms = bytes / INCOMING_RATE_LEAST * 1000, most_ms = INCOMING_ALL_MS - INCOMING_BLOCK_MS;
    return (struct deadline){began_ms + INCOMING_BLOCK_MS +
                             (int64_t)(earned_ms < most_ms ? earned_ms : most_ms)};
}

/* What is buffered is read without a look at the clock, so a client that never pauses needs one. */
static enum stream_result next_block(struct stream *s, int64_t began_ms, uint64_t bytes, struct str *block)
{
    struct deadline due = incoming_due(began_ms, bytes);
    return deadline_passed(due) ? STREAM_TIMEOUT
                                : stream_peek(s, deadline_sooner(due, deadline_in(INCOMING_BLOCK_MS)), block);
}

enum stream_result incoming_data(struct incoming *m, struct stream *s)
{
    struct str block, content;
    while (m->scanner.state != DATA_END) {
        enum stream_result got = next_block(s, m->began_ms, m->content, &block);
        if (got != STREAM_OK)
            return got;
        size_t taken = 0;
        while (taken < block.n && m->scanner.state != DATA_END) {
            taken += data_scan(&m->scanner, str_from_offset(block, taken), &content);
            take_content(m, content);
        }
        stream_take(s, taken);
    }
    return STREAM_OK;
}

enum stream_result incoming_chunk(struct incoming *m, struct stream *s, uint64_t octets)
{
    struct str block;
    while (octets > 0) {
        enum stream_result got = next_block(s, m->began_ms, m->content, &block);
        if (got != STREAM_OK)
            return got;
        if (block.n > octets)
            block = str_slice(block, 0, (size_t)octets);
        if (!m->wish.is_binary)
            data_check(&m->scanner, block);
        if (m->scanner.fault != DATA_CLEAN)
            refuse(m, FAULTS[m->scanner.fault]);
        take_content(m, block);
        stream_take(s, block.n);
        octets -= block.n;
    }
    return STREAM_OK;
}

enum stream_result incoming_discard(struct stream *s, uint64_t octets)
{
    int64_t began_ms = clock_ms();
    uint64_t taken = 0;
    struct str block;
    while (octets > 0) {
        enum stream_result got = next_block(s, began_ms, taken, &block);
        if (got != STREAM_OK)
            return got;
        size_t n = block.n < octets ? block.n : (size_t)octets;
        stream_take(s, n);
        octets -= n;
        taken += n;
    }
    return STREAM_OK;
}

/* What is still gathered is all of a small message, or becomes the rest of the memfd. */
static void seal(struct incoming *m)
{
    if (!m->header_done)
        finish_header(m); /* a message that is all header, or smaller than GATHER_BYTES */
    if (!m->refusal && m->memfd < 0 && m->gathered.n <= DELIVERY_INLINE_MAX) {
        m->small = m->gathered;
        m->size = m->gathered.n;
        buf_init(&m->gathered, BUF_MAX_DEFAULT);
        return;
    }
    if (!m->refusal)
        write_gathered(m);
    if (!m->refusal && !sealed_close_writing(m->memfd, NULL))
        refuse(m, NO_MEMORY);
}

void incoming_end(struct incoming *m)
{
    data_check_end(&m->scanner);
    if (m->scanner.fault != DATA_CLEAN)
        m->refusal = FAULTS[m->scanner.fault]; /* whatever else is wrong: the sender is to learn of this */
    if (!m->refusal)
        seal(m);
    buf_free(&m->gathered);
    if (m->refusal)
        incoming_free(m);
}

void incoming_free(struct incoming *m)
{
    if (m->memfd >= 0)
        close(m->memfd);
    m->memfd = -1;
    buf_free(&m->small);
    buf_free(&m->gathered);
}
