#include "imap/rights_text.h"

static const struct {
    char letter;
    unsigned rights;
} LETTERS[] = {
    {'l', RIGHT_LOOKUP},
    {'r', RIGHT_READ},
    {'s', RIGHT_SEEN},
    {'w', RIGHT_WRITE},
    {'i', RIGHT_INSERT},
    {'p', RIGHT_POST},
    {'k', RIGHT_CREATE},
    {'x', RIGHT_DELETE_MAILBOX},
    {'t', RIGHT_DELETE_MESSAGES},
    {'e', RIGHT_EXPUNGE},
    {'c', RIGHT_CREATE | RIGHT_DELETE_MAILBOX},
    {'d', RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE},
    {'a', RIGHT_ADMINISTER},
};

void imap_add_rights(struct buf *out, unsigned rights)
{
    size_t before = out->n;
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++)
        if (rights & LETTERS[i].rights)
            buf_add_byte(out, LETTERS[i].letter);
    if (out->n == before)
        buf_add(out, STR("\"\""));
}

bool imap_read_rights(struct str text, enum rights_change *how, unsigned *rights)
{
    bool has_sign = text.n > 0 && (text.p[0] == '+' || text.p[0] == '-');
    *how = !has_sign ? RIGHTS_REPLACE : text.p[0] == '+' ? RIGHTS_ADD : RIGHTS_REMOVE;
    *rights = 0;
    for (size_t at = has_sign; at < text.n; at++) {
        size_t i = 0;
        while (i < sizeof LETTERS / sizeof *LETTERS && LETTERS[i].letter != text.p[at])
            i++;
        if (i == sizeof LETTERS / sizeof *LETTERS)
            return false;
        *rights |= LETTERS[i].rights;
    }
    return true;
}
