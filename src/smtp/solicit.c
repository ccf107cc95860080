#include "smtp/solicit.h"

static bool is_one_of(struct str keyword, struct str list)
{
    while (list.n > 0) {
        struct str one;
        str_cut(&list, ' ', &one);
        if (one.n > 0 && str_eq_nocase(one, keyword))
            return true;
    }
    return false;
}

struct str solicit_unwanted(struct str keywords, struct str unwanted)
{
    while (keywords.n > 0) {
        struct str one;
        str_cut(&keywords, ',', &one);
        one = str_trim(one);
        if (one.n > 0 && is_one_of(one, unwanted))
            return one;
    }
    return STR("");
}
