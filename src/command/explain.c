/* golub route ADDRESS: where mail for it would go, and why, by the code that sends it there. */
#include "command/parts.h"
#include "command/question.h"
#include "command/stores.h"
#include "directory/trail.h"
#include "dns/libunbound.h"
#include "dns/rdata.h"
#include "dns/resolver.h"
#include "mailbox/store.h"
#include "relay/route.h"

#include <stdio.h>

#define RDATA_TEXT_MAX 70000 /* of one record */

/* --- DNS, asked as relay asks it --- */

static void take_records(const struct question *q, enum dns_type type, struct arena *a,
                         struct dns_answer *out)
{
    out->records = ARENA_ARRAY(a, struct dns_record, question_count(q));
    for (size_t i = 0; i < question_count(q) && i < DNS_RECORDS_MAX; i++) {
        CLEAN_BUF struct buf text;
        struct dns_record *r = &out->records[out->count];
        buf_init(&text, RDATA_TEXT_MAX);
        if (!rdata_add(type, str_from(q->result->data[i], (size_t)q->result->len[i]), &text, &r->preference))
            continue;
        r->data = arena_copy(a, buf_str(&text));
        out->count++;
    }
}

/* A route_resolver's lookup. */
static void look_up(void *context, const struct dns_question *questions, size_t n, struct arena *a,
                    struct dns_answer *out)
{
    struct question q[DNS_QUESTIONS_MAX] = {0};
    for (size_t i = 0; i < n; i++)
        q[i] = (struct question){.name = arena_copy_c(a, questions[i].name), .type = questions[i].type};
    questions_ask(context, q, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct dns_answer){.status = DNS_TEMPORARY};
        if (question_answered(&q[i])) {
            out[i].secure = q[i].result->secure;
            take_records(&q[i], questions[i].type, a, &out[i]);
            out[i].status = out[i].count > 0 ? DNS_FOUND : q[i].result->nxdomain ? DNS_NO_NAME : DNS_NO_DATA;
        }
        unbound.resolve_free(q[i].result);
    }
}

/* --- what is printed --- */

static void print(unsigned depth, struct str line)
{
    printf("%*s", (int)(2 * depth), "");
    command_print_clean(line);
    putchar('\n');
}

static void print_trail(const struct directory_trail *t, unsigned depth)
{
    for (size_t i = 0; i < t->count; i++)
        print(depth, t->lines[i]);
}

struct explaining {
    struct command_run *run;
    struct directory_db *db;
    struct ub_ctx *dns; /* NULL: it is not asked */
    struct arena *a;
    struct str sender;
};

/* --- to another server --- */

static void print_way(struct explaining *x, const struct directory_route *way)
{
    if (way->user.n > 0)
        print(1, arena_printf(x->a, "logged in there as %.*s", STR_ARGS(way->user)));
    if (way->tls == DIRECTORY_TLS_NONE)
        print(1, STR("without TLS"));
    else if (way->tls != DIRECTORY_TLS_ANY)
        print(1, arena_printf(x->a, "TLS: at least %s", directory_tls_name(way->tls)));
    if (way->source_ipv4.n + way->source_ipv6.n > 0)
        print(1, arena_printf(x->a, "sent from %.*s%s%.*s", STR_ARGS(way->source_ipv4),
                              way->source_ipv4.n > 0 && way->source_ipv6.n > 0 ? " and " : "",
                              STR_ARGS(way->source_ipv6)));
}

static void print_hosts(struct explaining *x, const struct route *to)
{
    for (size_t i = 0; i < to->count; i++)
        print(1, route_is_socket(to->hosts[i])
                     ? arena_printf(x->a, "%.*s, by LMTP", STR_ARGS(to->hosts[i]))
                     : arena_printf(x->a, "%.*s, port %u%s%s", STR_ARGS(to->hosts[i]), to->port,
                                    to->is_lmtp ? ", by LMTP" : "",
                                    i > 0 ? ", if those before do not answer" : ""));
}

static bool explain_remote(struct explaining *x, const struct directory_target *t, struct err *e)
{
    struct directory_route way;
    struct directory_trail trail = {.arena = x->a};
    struct route to;
    struct route_resolver dns = {look_up, x->dns};
    struct str domain = str_from_offset(t->address, str_rfind_byte(t->address, '@') + 1);
    struct str sender = t->sender.n > 0 ? t->sender : x->sender;
    if (!directory_db_route(x->db, x->run->config, sender, domain, x->a, &way, &trail, e))
        return false;
    print(0, arena_printf(x->a, "%.*s goes to another server, from %.*s:", STR_ARGS(t->address),
                          STR_ARGS(sender.n > 0 ? sender : STR("<>"))));
    print_trail(&trail, 1);
    bool asks = way.host.n == 0 || way.by_mx;
    struct str asked = way.by_mx ? way.host : domain;
    if (asks && !x->dns) {
        print(1, arena_printf(x->a, "the MX of %.*s (not asked: --offline)", STR_ARGS(asked)));
    } else {
        route_find(x->run->config, &dns, &way, domain, x->a, &to);
        if (asks && to.status == ROUTE_FOUND)
            print(1, arena_printf(x->a, "the MX of %.*s, as DNS has it%s:", STR_ARGS(asked),
                                  to.is_secure ? ", proven by DNSSEC" : ""));
        if (to.status != ROUTE_FOUND)
            print(1, arena_printf(x->a, "%s: %.*s",
                                  to.status == ROUTE_TEMPORARY ? "not now, but again later"
                                                               : "it would be returned",
                                  STR_ARGS(to.reason)));
        print_hosts(x, &to);
    }
    print_way(x, &way);
    return true;
}

/* --- here --- */

static bool explain_local(struct explaining *x, const struct directory_target *t, struct err *e)
{
    CLEAN_STORE struct store *s = NULL;
    struct directory_account account;
    struct quota q = {0};
    char limits[COMMAND_QUOTA_TEXT];
    if (!directory_account_find(x->db, t->address, x->a, &account, e))
        return false;
    print(0, arena_printf(x->a, "%.*s gets it in the mailbox of account %lld%s%.*s", STR_ARGS(t->address),
                          (long long)t->account, t->detail.n ? ", with the tag " : "", STR_ARGS(t->detail)));
    if (!t->has_quota)
        return true;
    if (command_has_store(x->run, t->account) &&
        (!(s = command_open_store(x->run, t->account, e)) || store_quota(s, &q, e) != STORE_OK))
        return false;
    bool is_full = (account.quota.bytes > 0 && q.used[QUOTA_BYTES] >= (uint64_t)account.quota.bytes) ||
                   (account.quota.messages > 0 && q.used[QUOTA_MESSAGES] >= (uint64_t)account.quota.messages);
    print(1,
          arena_printf(x->a, "its quota is %s; it holds %llu bytes in %llu messages%s",
                       command_quota_text(&account.quota, limits), (unsigned long long)q.used[QUOTA_BYTES],
                       (unsigned long long)q.used[QUOTA_MESSAGES], is_full ? ": full, mail is refused" : ""));
    return true;
}

/* --- the whole --- */

static void print_fate(struct explaining *x, const struct directory_answer *answer, bool is_user)
{
    if (answer->fate == DIRECTORY_UNKNOWN || answer->fate == DIRECTORY_REFUSED ||
        answer->fate == DIRECTORY_LOOP)
        print(0, arena_printf(x->a, "refused: 550 %.*s", STR_ARGS(answer->reply)));
    if (answer->fate == DIRECTORY_REMOTE && !is_user)
        print(0, STR("taken from our users only, who have logged in; strangers get 550 5.7.1"));
}

/* Who sends it is whoever the address is the account of: as if that user had logged in. */
static bool find_user(struct explaining *x, struct str sender, int64_t *user, struct err *e)
{
    struct directory_answer answer;
    if (sender.n == 0)
        return true;
    if (!directory_db_resolve(x->db, sender, x->a, &answer, e))
        return answer.fate == DIRECTORY_LOOP;
    if (answer.fate == DIRECTORY_LOCAL && answer.count == 1 && answer.targets[0].is_local)
        *user = answer.targets[0].account;
    return true;
}

static bool explain(struct explaining *x, struct str address, struct err *e)
{
    struct directory_question q = {.address = address, .sender = x->sender, .is_mail = true};
    struct directory_trail trail = {.arena = x->a};
    struct directory_answer answer;
    if (!find_user(x, x->sender, &q.user, e) || !directory_db_answer(x->db, &q, &trail, x->a, &answer, e))
        return false;
    if (q.user != 0)
        print(0, arena_printf(x->a, "from %.*s, as if account %lld had logged in", STR_ARGS(x->sender),
                              (long long)q.user));
    print_trail(&trail, 0);
    if (answer.sender.n > 0)
        x->sender = answer.sender;
    print_fate(x, &answer, q.user != 0);
    for (size_t i = 0; i < answer.count; i++) {
        const struct directory_target *t = &answer.targets[i];
        if (!(t->is_local ? explain_local(x, t, e) : explain_remote(x, t, e)))
            return false;
    }
    return true;
}

int run_route(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    bool bad = false, is_offline = command_take_flag(r, "--offline");
    const char *from = command_take_value(r, "--from", &bad);
    if (bad)
        return command_misuse(r, "--from needs an address, or '' for <>");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)))
        return command_fail(&e);
    struct explaining x = {.run = r, .db = db, .a = &a, .sender = from ? command_address(from, &a) : STR("")};
    if (!is_offline && !(x.dns = resolver_new(r->config, &e)))
        return command_fail(&e);
    bool good = explain(&x, command_address(r->argv[0], &a), &e);
    if (x.dns)
        unbound.ctx_delete(x.dns);
    return good ? COMMAND_DONE : command_fail(&e);
}
