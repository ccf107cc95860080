/* golub undelete: messages that were expunged come back, beside the running server. */
#include "base/clock.h"
#include "command/stores.h"
#include "message/decode.h"
#include "message/header.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEAD_BYTES  ((uint64_t)64 * 1024) /* of a message: its Subject is in there */
#define SUBJECT_MAX 60                    /* characters shown */
#define UIDS_MAX    1000                  /* on one command line */

struct wish {
    int64_t since;
    const char *mailbox; /* NULL: all */
    uint32_t uids[UIDS_MAX];
    size_t uid_count;
    bool lists, all;
};

/* --- what is wanted --- */

static bool take_uids(struct command_run *r, struct wish *w)
{
    for (int i = 1; i < r->argc; i++) {
        if (w->uid_count == UIDS_MAX || !str_to_u32(str_from_c(r->argv[i]), &w->uids[w->uid_count]))
            return false;
        w->uid_count++;
    }
    if (w->uid_count > 0 && !w->mailbox)
        w->mailbox = "INBOX";
    return true;
}

static int take_wish(struct command_run *r, struct wish *w)
{
    bool bad = false;
    const char *since = command_take_value(r, "--since", &bad);
    *w = (struct wish){.since = INT64_MIN, .mailbox = command_take_value(r, "--mailbox", &bad)};
    w->lists = command_take_flag(r, "--list");
    w->all = command_take_flag(r, "--all");
    if (bad)
        return command_misuse(r, NULL);
    if (!command_has_arguments(r, 1, UIDS_MAX + 1))
        return COMMAND_MISUSED;
    if (since && !command_read_moment(since, &w->since))
        return command_misuse(r, "since when: " COMMAND_MOMENT_FORMS);
    if (!take_uids(r, w))
        return command_misuse(r, "a UID is a number that golub undelete --list shows");
    if (!w->lists && !w->all && !since && !w->mailbox)
        return command_misuse(r, "say which: UIDs, --since, --mailbox or --all; --list shows what there is");
    return COMMAND_DONE;
}

static bool is_wanted(const struct store_lost *l, const struct wish *w)
{
    if (w->mailbox && !str_eq(l->name, str_from_c(w->mailbox)) &&
        !(str_eq_nocase(str_from_c(w->mailbox), STR("INBOX")) && str_eq(l->name, STR("INBOX"))))
        return false;
    for (size_t i = 0; i < w->uid_count; i++)
        if (w->uids[i] == l->row.uid)
            return true;
    return w->uid_count == 0;
}

static size_t pick(struct store_lost *v, size_t n, const struct wish *w)
{
    size_t picked = 0;
    for (size_t i = 0; i < n; i++)
        if (is_wanted(&v[i], w))
            v[picked++] = v[i];
    return picked;
}

/* --- showing --- */

/* What a message says may be anything: a terminal must not obey it. */
static void print_subject(struct str message, struct arena *a)
{
    CLEAN_BUF struct buf text;
    struct header_field f;
    size_t shown = 0;
    buf_init(&text, HEAD_BYTES);
    if (header_find(message, STR("Subject"), &f))
        decode_words(str_trim(header_unfold(f.value, a)), &text);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c & 0xc0) != 0x80 && shown++ == SUBJECT_MAX)
            break;
        putchar(c < ' ' || c == 127 ? ' ' : c);
    }
    putchar('\n');
}

static bool print_lost(struct store *s, const struct store_lost *l, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf head;
    char at[20];
    buf_init(&head, HEAD_BYTES);
    if (store_lost_bytes(s, l, HEAD_BYTES, &head, e) != STORE_OK)
        return false;
    struct str name = l->name.n ? l->name : STR("(deleted)");
    printf("%-20.*s %8u  %-16s  %9llu  ", STR_ARGS(name), l->row.uid, command_time(l->expunged_at, at),
           (unsigned long long)l->row.size);
    print_subject(buf_str(&head), &a);
    return true;
}

static bool print_all(struct store *s, const struct store_lost *v, size_t n, struct err *e)
{
    printf("%-20s %8s  %-16s  %9s  %s\n", "MAILBOX", "UID", "DELETED", "BYTES", "SUBJECT");
    for (size_t i = 0; v && i < n; i++)
        if (!print_lost(s, &v[i], e))
            return false;
    return true;
}

int run_undelete(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    CLEAN_STORE struct store *s = NULL;
    struct directory_account account;
    struct store_lost *v = NULL;
    struct wish w;
    struct err e = ERR_INIT;
    size_t n = 0, restored = 0;
    int code = take_wish(r, &w);
    if (code != COMMAND_DONE)
        return code;
    if (!(db = command_open_directory(r, &e)) ||
        !directory_account_find(db, command_address(r->argv[0], &a), &a, &account, &e))
        return command_fail(&e);
    if (command_has_store(r, account.id) && (!(s = command_open_store(r, account.id, &e)) ||
                                             store_lost_list(s, w.since, &a, &v, &n, &e) != STORE_OK))
        return command_fail(&e);
    n = pick(v, n, &w);
    if (w.lists)
        return print_all(s, v, n, &e) ? COMMAND_DONE : command_fail(&e);
    if (n > 0 && store_undelete(s, v, n, &restored, &e) != STORE_OK)
        return command_fail(&e);
    printf("%zu message%s brought back\n", restored, restored == 1 ? "" : "s");
    return COMMAND_DONE;
}
