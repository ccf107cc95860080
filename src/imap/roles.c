#include "imap/roles.h"

static const struct {
    enum mailbox_role role;
    struct str use;
} USES[] = {
    {MAILBOX_DRAFTS, STR_INIT("\\Drafts")},   {MAILBOX_SENT, STR_INIT("\\Sent")},
    {MAILBOX_ARCHIVE, STR_INIT("\\Archive")}, {MAILBOX_JUNK, STR_INIT("\\Junk")},
    {MAILBOX_TRASH, STR_INIT("\\Trash")},
};

struct str imap_use_of_role(enum mailbox_role role)
{
    for (size_t i = 0; i < sizeof USES / sizeof *USES; i++)
        if (USES[i].role == role)
            return USES[i].use;
    return STR("");
}

bool imap_role_of_use(struct str use, enum mailbox_role *role)
{
    for (size_t i = 0; i < sizeof USES / sizeof *USES; i++) {
        if (str_eq_nocase(str_from_offset(USES[i].use, 1), use)) {
            *role = USES[i].role;
            return true;
        }
    }
    return false;
}
