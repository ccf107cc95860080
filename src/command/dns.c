/* golub dns: what to publish for a domain, and whether DNS says so. */
#include "command/parts.h"
#include "command/question.h"
#include "command/records.h"
#include "directory/address.h"
#include "dns/libunbound.h"
#include "dns/rdata.h"
#include "dns/resolver.h"

#include <stdio.h>

#define RDATA_TEXT_MAX 70000

/* --- what DNS has, as a zone file would have it --- */

static bool add_tlsa(struct str rdata, struct buf *out)
{
    char hex[2 * 512 + 1];
    if (rdata.n < 4 || rdata.n > 512)
        return false;
    str_write_hex((const unsigned char *)rdata.p + 3, rdata.n - 3, hex);
    return buf_addf(out, "%u %u %u %s", (unsigned char)rdata.p[0], (unsigned char)rdata.p[1],
                    (unsigned char)rdata.p[2], hex);
}

static bool add_text(enum dns_type type, struct str rdata, struct buf *out)
{
    CLEAN_BUF struct buf text;
    uint16_t preference;
    buf_init(&text, RDATA_TEXT_MAX);
    if (type == DNS_TLSA)
        return add_tlsa(rdata, out);
    if (!rdata_add(type, rdata, &text, &preference))
        return false;
    if (type == DNS_MX || type == DNS_SRV)
        buf_addf(out, "%u ", preference);
    return buf_add(out, buf_str(&text));
}

/* An MX with another preference is as good. */
static bool is_same(enum dns_type type, struct str wanted, struct str got)
{
    struct str ignored;
    if (type == DNS_MX) {
        str_cut(&wanted, ' ', &ignored);
        str_cut(&got, ' ', &ignored);
    }
    return type == DNS_TXT ? str_eq(wanted, got) : str_eq_nocase(wanted, got);
}

/* "v=spf1" of "v=spf1 mx -all" */
static struct str version_of(struct str text)
{
    size_t n = 0;
    while (n < text.n && text.p[n] != ' ' && text.p[n] != ';')
        n++;
    return str_slice(text, 0, n);
}

/* --- the verdict on one record --- */

enum verdict { VERDICT_OK, VERDICT_OTHER, VERDICT_MISSING, VERDICT_NO_ANSWER, VERDICT_UNSIGNED };

static enum verdict judge(const struct record *r, const struct question *q, struct arena *a,
                          struct str *other)
{
    size_t n = question_count(q);
    enum verdict v = r->match == RECORD_OPTIONAL ? VERDICT_OK : VERDICT_MISSING;
    if (!question_answered(q))
        return VERDICT_NO_ANSWER;
    if (r->match >= RECORD_ANY)
        return n > 0 ? VERDICT_OK : v;
    for (size_t i = 0; i < n; i++) {
        CLEAN_BUF struct buf text;
        buf_init(&text, RDATA_TEXT_MAX);
        if (!add_text(r->type, str_from(q->result->data[i], (size_t)q->result->len[i]), &text))
            continue;
        if (is_same(r->type, r->data, buf_str(&text)))
            return r->type == DNS_TLSA && !q->result->secure ? VERDICT_UNSIGNED : VERDICT_OK;
        if (r->type != DNS_TXT || str_eq_nocase(version_of(r->data), version_of(buf_str(&text)))) {
            v = VERDICT_OTHER;
            *other = arena_copy(a, buf_str(&text));
        }
    }
    return v;
}

/* True: nothing is to be done. */
static bool say(const struct record *r, const struct question *q, struct arena *a)
{
    static const char *const WORDS[] = {[VERDICT_OK] = "ok",
                                        [VERDICT_OTHER] = "other",
                                        [VERDICT_MISSING] = "missing",
                                        [VERDICT_NO_ANSWER] = "no answer",
                                        [VERDICT_UNSIGNED] = "unsigned"};
    struct str other = STR("");
    enum verdict v = judge(r, q, a, &other);
    printf("%-9s  %-4s  %s\n", WORDS[v], records_type_name(r->type), q->name);
    if (v == VERDICT_UNSIGNED)
        printf("           the zone is not signed with DNSSEC, so nobody looks at it\n");
    if (v != VERDICT_OTHER)
        return v == VERDICT_OK || v == VERDICT_UNSIGNED;
    printf("           DNS has:  ");
    command_print_clean(other);
    printf("\n           here:     %.*s\n", STR_ARGS(r->data));
    return r->match == RECORD_VERSION; /* the domain's own choice */
}

/* 1 all is there, 0 not, -1 with *e. */
static int check(const struct config *c, const struct records_of *of, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct record *records = ARENA_ARRAY(&a, struct record, RECORDS_MAX);
    struct question *q = ARENA_ARRAY(&a, struct question, RECORDS_MAX);
    struct ub_ctx *ctx;
    size_t n;
    bool good = true;
    if (!records_make(c, of, &a, records, &n, e) || !(ctx = resolver_new(c, e)))
        return -1;
    for (size_t i = 0; i < n; i++)
        q[i] = (struct question){.name = arena_copy_c(&a, records[i].name), .type = records[i].type};
    questions_ask(ctx, q, n);
    for (size_t i = 0; i < n; i++) {
        good &= say(&records[i], &q[i], &a);
        unbound.resolve_free(q[i].result);
    }
    unbound.ctx_delete(ctx);
    return good;
}

/* --- the command --- */

/* The domain that was named, or all of ours. */
static bool domains_of(struct command_run *r, struct arena *a, struct records_of **of, size_t *n,
                       struct err *e)
{
    CLEAN_DIRECTORY_DB struct directory_db *db = command_open_directory(r, e);
    struct directory_domain *v;
    struct str name = STR("");
    size_t all;
    if (!db || !directory_domain_list(db, a, &v, &all, e) ||
        (r->argc == 1 && !directory_domain_read(str_from_c(r->argv[0]), a, &name, e)))
        return false;
    *of = ARENA_ARRAY(a, struct records_of, all + 1);
    *n = 0;
    for (size_t i = 0; i < all; i++)
        if (name.n == 0 || str_eq(name, v[i].name))
            (*of)[(*n)++] = (struct records_of){.domain = v[i].name, .is_backup = v[i].is_backup};
    if (*n == 0 && name.n > 0) /* it may become one of ours */
        (*of)[(*n)++] = (struct records_of){.domain = name};
    return true;
}

int run_dns(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct records_of *of;
    size_t n;
    bool checks = command_take_flag(r, "--check"), is_enforced = command_take_flag(r, "--enforce"),
         good = true;
    if (!command_has_arguments(r, 0, 1))
        return COMMAND_MISUSED;
    if (!domains_of(r, &a, &of, &n, &e))
        return command_fail(&e);
    for (size_t i = 0; i < n; i++) {
        of[i].is_enforced = is_enforced;
        int result = checks ? check(r->config, &of[i], &e)
                            : records_print(r->config, &of[i], &e) - (e.kind != ERR_NONE);
        if (result < 0)
            return command_fail(&e);
        good &= !checks || result > 0;
        if (i + 1 < n)
            putchar('\n');
    }
    return good ? COMMAND_DONE : COMMAND_FAILED;
}

int run_domain_records(struct command_run *r)
{
    return command_has_arguments(r, 1, 1) ? run_dns(r) : COMMAND_MISUSED;
}
