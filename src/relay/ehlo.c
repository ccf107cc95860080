#include "relay/ehlo.h"

static const struct {
    struct str keyword;
    enum ehlo_offer offer;
} OFFERS[] = {
    {STR_INIT("PIPELINING"), EHLO_PIPELINING},
    {STR_INIT("STARTTLS"), EHLO_STARTTLS},
    {STR_INIT("SIZE"), EHLO_SIZE},
    {STR_INIT("8BITMIME"), EHLO_8BITMIME},
    {STR_INIT("DSN"), EHLO_DSN},
    {STR_INIT("SMTPUTF8"), EHLO_SMTPUTF8},
    {STR_INIT("CHUNKING"), EHLO_CHUNKING},
    {STR_INIT("BINARYMIME"), EHLO_BINARYMIME},
    {STR_INIT("REQUIRETLS"), EHLO_REQUIRETLS},
    {STR_INIT("DELIVERBY"), EHLO_DELIVERBY},
    {STR_INIT("MT-PRIORITY"), EHLO_MT_PRIORITY},
    {STR_INIT("AUTH"), EHLO_AUTH},
    {STR_INIT("LIMITS"), EHLO_LIMITS},
};

static const struct {
    struct str name;
    enum ehlo_mechanism mechanism;
} MECHANISMS[] = {
    {STR_INIT("PLAIN"), EHLO_PLAIN},
    {STR_INIT("LOGIN"), EHLO_LOGIN},
    {STR_INIT("SCRAM-SHA-256"), EHLO_SCRAM},
    {STR_INIT("SCRAM-SHA-256-PLUS"), EHLO_SCRAM_PLUS},
};

static unsigned find_offer(struct str keyword)
{
    for (size_t i = 0; i < sizeof OFFERS / sizeof *OFFERS; i++)
        if (str_eq_nocase(keyword, OFFERS[i].keyword))
            return OFFERS[i].offer;
    return 0;
}

static void add_mechanisms(struct ehlo *e, struct str names)
{
    struct str name;
    while (names.n > 0) {
        str_cut(&names, ' ', &name);
        for (size_t i = 0; i < sizeof MECHANISMS / sizeof *MECHANISMS; i++)
            if (str_eq_nocase(name, MECHANISMS[i].name))
                e->mechanisms |= MECHANISMS[i].mechanism;
    }
}

/* "MAILMAX=100 RCPTMAX=20": RFC 9422 section 3. A limit of zero is none that could be obeyed. */
static void add_limits(struct ehlo *e, struct str limits)
{
    struct str one, name;
    while (limits.n > 0) {
        str_cut(&limits, ' ', &one);
        if (!str_cut(&one, '=', &name))
            continue;
        if (str_eq_nocase(name, STR("MAILMAX")))
            str_to_u64(one, &e->mail_max);
        else if (str_eq_nocase(name, STR("RCPTMAX")))
            str_to_u64(one, &e->rcpt_max);
    }
}

void ehlo_add_line(struct ehlo *e, struct str words)
{
    struct str keyword, parameters = str_trim(words);
    str_cut(&parameters, ' ', &keyword);
    parameters = str_trim(parameters);
    unsigned offer = find_offer(keyword);
    e->offers |= offer;
    if (offer == EHLO_SIZE)
        str_to_u64(parameters, &e->size_max);
    else if (offer == EHLO_DELIVERBY)
        str_to_u64(parameters, &e->by_min);
    else if (offer == EHLO_AUTH)
        add_mechanisms(e, parameters);
    else if (offer == EHLO_LIMITS)
        add_limits(e, parameters);
    else if (str_starts_nocase(keyword, STR("AUTH="))) { /* as old servers write it, for old Outlooks */
        e->offers |= EHLO_AUTH;
        add_mechanisms(e, str_from_offset(keyword, 5));
        add_mechanisms(e, parameters);
    }
}

bool ehlo_has(const struct ehlo *e, enum ehlo_offer o)
{
    return (e->offers & o) != 0;
}
