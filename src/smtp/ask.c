#include "smtp/ask.h"

#include "base/generation.h"
#include "smtp/local.h"
#include "smtp/recent.h"

static struct recent_moment moment(const struct session *s)
{
    return (struct recent_moment){clock_ms(), generation_now(s->server->changes)};
}

bool ask_sender(struct session *s, struct str plain, struct directory_sender *out, struct err *e)
{
    struct recent *recent = session_is_local(s) ? NULL : s->server->recent; /* it has no account */
    struct recent_moment now = moment(s);
    int64_t account = s->user.account;
    if (recent && recent_find_sender(recent, account, plain, now, out))
        return true;
    if (!directory_sender(s->server->directory, account, plain, out, e))
        return false;
    if (recent)
        recent_note_sender(recent, account, plain, now, out);
    return true;
}

bool ask_recipient(struct session *s, struct str plain, struct directory_answer *out, struct err *e)
{
    struct recent *recent = s->server->recent;
    struct recent_moment now = moment(s);
    const struct directory_question question = {
        .address = plain,
        .sender = s->transaction.plain_sender,
        .user = s->is_authenticated ? s->user.account : 0,
        .is_mail = true,
    };
    if (recent && recent_find(recent, plain, now, &s->command, out))
        return true;
    if (!directory_ask(s->server->directory, &question, &s->command, out, e))
        return false;
    if (recent)
        recent_note(recent, plain, now, out);
    return true;
}
