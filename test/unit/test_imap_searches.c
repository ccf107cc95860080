/* Whole searches as scripts, by RFC and section: SEARCH, SORT, THREAD, ESEARCH, what they save and keep up to
 * date. */
#include "check.h"
#include "imap_fixture.h"

#include "imap_searches.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void searches_by_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_by_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
