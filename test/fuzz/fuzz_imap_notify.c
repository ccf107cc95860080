/* The arguments of NOTIFY: what is taken obeys the rules of RFC 5465 section 5 and lies within its bounds;
 * what MessageNew asks for can be read again as it is kept. */
#include "imap/notify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_events(unsigned events)
{
    bool has_new = events & NOTIFY_NEW, has_expunge = events & NOTIFY_EXPUNGE;
    check(has_new == has_expunge && (has_new || !(events & NOTIFY_FLAGS)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct imap_session s = {.enabled = size % 2 ? ENABLED_IMAP4REV2 : 0};
    struct imap_cursor c = {.in = str_from(data, size)};
    struct notify_request q;
    bool good = imap_take_notify(&s, &c, &q);
    check(c.at <= size && (good || c.problem != NULL) && q.n <= NOTIFY_GROUPS_MAX);
    if (good) {
        check(c.at == size && !(q.selected & ~(unsigned)NOTIFY_MESSAGES));
        check_events(q.selected);
        for (size_t i = 0; i < q.n; i++) {
            check_events(q.v[i].events);
            check(q.v[i].filter.n <= FILTER_NAMES_MAX);
            check(q.v[i].filter.kind != FILTER_SELECTED && q.v[i].filter.kind != FILTER_SELECTED_DELAYED);
        }
        struct imap_cursor again = {.in = q.new_attributes};
        struct fetch_request fetch;
        check(q.new_attributes.n == 0 ||
              (imap_take_fetch_request(&again, &s.arena, &fetch) && imap_take_end(&again)));
    }
    arena_free(&s.arena);
    return 0;
}
