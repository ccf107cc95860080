/* NOTIFY (RFC 5465), as scripts of two sessions: what one does, the other is told without asking. */
#include "check.h"
#include "imap_fixture.h"

#include "imap_notifications.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void notifications_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_by_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
