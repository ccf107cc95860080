#include "trust/mta_sts.h"

#define AGE_DIGITS_MAX 10

/* --- the TXT record: "v=STSv1; id=20160831085700Z;" --- */

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!ascii_is_alpha(id.p[i]) && !ascii_is_digit(id.p[i]))
            return false;
    return id.n > 0 && id.n <= MTA_STS_ID_MAX;
}

/* The version, with nothing but white space before the delimiter. *fields is what follows it. */
static bool is_record(struct str record, struct str *fields)
{
    struct str version;
    *fields = record;
    return str_cut(fields, ';', &version) && str_eq(str_trim(version), STR("v=STSv1")) &&
           str_starts(record, STR("v"));
}

static bool find_id(struct str fields, struct str *id)
{
    for (bool more = true; more;) {
        struct str field, key;
        more = str_cut(&fields, ';', &field);
        field = str_trim(field);
        if (!str_cut(&field, '=', &key) || !str_eq(key, STR("id")))
            continue;
        *id = field;
        return is_id(field);
    }
    return false;
}

bool mta_sts_id(const struct str *records, size_t count, struct str *id)
{
    struct str fields, found = STR("");
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (is_record(records[i], &fields)) {
            found = fields;
            n++;
        }
    return n == 1 && find_id(found, id);
}

/* --- the policy --- */

/* What has been seen of fields that count once: the first of each (section 3.2). */
struct seen {
    bool version, mode, max_age;
};

static bool is_name(struct str s)
{
    if (s.n == 0 || s.n > 253 || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
            (s.p[i] != '.' || s.p[i - 1] == '.'))
            return false;
    return true;
}

static bool take_mx(struct mta_sts_policy *p, struct str value, struct err *e)
{
    if (p->mx_count == MTA_STS_MX_MAX)
        return err_set(e, ERR_PERMANENT, "more than %d mx", MTA_STS_MX_MAX);
    if (!is_name(str_starts(value, STR("*.")) ? str_from_offset(value, 2) : value))
        return err_set(e, ERR_PERMANENT, "mx: %.*s is not the name of a host, nor *. and a domain",
                       STR_ARGS(str_slice(value, 0, 100)));
    p->mx[p->mx_count++] = value;
    return true;
}

static bool take_mode(struct mta_sts_policy *p, struct str value, struct err *e)
{
    for (enum mta_sts_mode m = MTA_STS_NONE; m <= MTA_STS_ENFORCE; m++)
        if (str_eq(value, mta_sts_mode_name(m))) {
            p->mode = m;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "mode: it is enforce, testing or none");
}

static bool take_age(struct mta_sts_policy *p, struct str value, struct err *e)
{
    if (value.n > AGE_DIGITS_MAX || !str_to_u64(value, &p->max_age))
        return err_set(e, ERR_PERMANENT, "max_age: it is a number of seconds");
    if (p->max_age > MTA_STS_AGE_MAX)
        p->max_age = MTA_STS_AGE_MAX;
    return true;
}

static bool take_line(struct mta_sts_policy *p, struct seen *seen, struct str line, struct err *e)
{
    struct str key, value = line;
    if (!str_cut(&value, ':', &key))
        return err_set(e, ERR_PERMANENT, "a line without a colon");
    value = str_trim(value);
    if (str_eq(key, STR("mx")))
        return take_mx(p, value, e);
    bool *once = str_eq(key, STR("version"))   ? &seen->version
                 : str_eq(key, STR("mode"))    ? &seen->mode
                 : str_eq(key, STR("max_age")) ? &seen->max_age
                                               : NULL;
    if (!once || *once) /* a field of somebody's later standard, or one more of the same */
        return true;
    *once = true;
    if (once == &seen->mode)
        return take_mode(p, value, e);
    if (once == &seen->max_age)
        return take_age(p, value, e);
    return str_eq(value, STR("STSv1")) || err_set(e, ERR_PERMANENT, "version: it is not STSv1");
}

bool mta_sts_read(struct str text, struct mta_sts_policy *out, struct err *e)
{
    struct seen seen = {0};
    *out = (struct mta_sts_policy){0};
    if (text.n > MTA_STS_POLICY_MAX)
        return err_set(e, ERR_PERMANENT, "over %zu bytes", MTA_STS_POLICY_MAX);
    for (bool more = true; more;) {
        struct str line;
        more = str_cut(&text, '\n', &line);
        line = str_trim(line);
        if (line.n > 0 && !take_line(out, &seen, line, e))
            return false;
    }
    if (!seen.version || !seen.mode || !seen.max_age)
        return err_set(e, ERR_PERMANENT, "it lacks %s",
                       !seen.version ? "version"
                       : !seen.mode  ? "mode"
                                     : "max_age");
    return out->mode == MTA_STS_NONE || out->mx_count > 0 || err_set(e, ERR_PERMANENT, "it names no mx");
}

bool mta_sts_allows(const struct mta_sts_policy *p, struct str host)
{
    if (str_ends(host, STR(".")))
        host.n--;
    size_t dot = str_find_byte(host, '.');
    struct str parent = dot == STR_NONE || dot == 0 ? STR("") : str_from_offset(host, dot + 1);
    for (size_t i = 0; i < p->mx_count; i++) {
        struct str mx = p->mx[i];
        bool is_wild = str_starts(mx, STR("*."));
        if (is_wild ? parent.n > 0 && str_eq_nocase(parent, str_from_offset(mx, 2)) : str_eq_nocase(host, mx))
            return true;
    }
    return false;
}

struct str mta_sts_mode_name(enum mta_sts_mode mode)
{
    static const char *const NAMES[] = {
        [MTA_STS_NONE] = "none", [MTA_STS_TESTING] = "testing", [MTA_STS_ENFORCE] = "enforce"};
    return str_from_c(NAMES[mode]);
}
