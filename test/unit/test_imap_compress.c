/* COMPRESS=DEFLATE (RFC 4978). */
#include "base/stream_deflate.h"

#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

static void run(struct imap_fixture *f, const char *line)
{
    imap_run_line(f, "compress", line);
}

static void what_is_no_compress_is_bad(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    run(&f, "C: a COMPRESS");
    run(&f, "S: a BAD ...");
    run(&f, "C: a COMPRESS GZIP");
    run(&f, "S: a BAD ...");
    run(&f, "C: a COMPRESS DEFLATE now");
    run(&f, "S: a BAD ...");
    run(&f, "C: b NOOP"); /* still plain */
    run(&f, "S: b OK ...");
    imap_close_fixture(&f);
}

/* The example of section 3, and then a session that goes on as any other. */
static void a_session_goes_on_compressed(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_deliver(&f, MESSAGE_PLAIN);
    run(&f, "C: c compress deflate");
    run(&f, "S: c OK DEFLATE active");
    stream_deflate(&f.clients[0].stream);
    run(&f, "C: d COMPRESS DEFLATE");
    run(&f, "S: d NO [COMPRESSIONACTIVE] ...");
    run(&f, "C: s EXAMINE INBOX");
    while (!imap_matches(imap_read_answer(&f.clients[0]), "s OK ..."))
        ;
    run(&f, "C: e FETCH 1 BODY.PEEK[TEXT]");
    run(&f, "S: * 1 FETCH (BODY[TEXT] {55}");
    run(&f, "S: Hello Joe, do you think we can meet at 3:30 tomorrow?");
    run(&f, "S: )");
    run(&f, "S: e OK ...");
    run(&f, "C: f APPEND Drafts {3}");
    run(&f, "S: + OK");
    run(&f, "C: abc");
    run(&f, "S: f OK ...");
    run(&f, "C: g IDLE");
    run(&f, "S: + idling");
    imap_deliver(&f, MESSAGE_PLAIN);
    run(&f, "S: * 2 EXISTS");
    run(&f, "S: * 2 RECENT");
    run(&f, "C: DONE");
    run(&f, "S: g OK ...");
    run(&f, "C: h LOGOUT");
    run(&f, "S: * BYE ...");
    run(&f, "S: h OK ...");
    run(&f, "S: <closed>");
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_compress_is_bad),
        cmocka_unit_test(a_session_goes_on_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
