#include "smtp/admission.h"

static const char FULL[] = "421 4.3.2 Too many sessions; try again later\r\n";
static const char SHORT[] =
    "421 4.3.2 Busy: those who have sent mail here before go first; try again later\r\n";
static const char CROWD[] = "421 4.7.0 Too many connections at once from your address or network\r\n";
static const char FAST[] = "421 4.7.0 Too many connections in a short time from your address or network\r\n";

static unsigned share(unsigned max, unsigned percent)
{
    uint64_t n = (uint64_t)max * percent / 100;
    return n > 0 ? (unsigned)n : 1;
}

bool admission_is_short(unsigned sessions, unsigned max)
{
    return sessions >= share(max, ADMISSION_STRANGERS);
}

const char *admission_enter(struct limits *seat, const struct connection *c, unsigned sessions, unsigned max)
{
    bool is_client = c->service != SERVICE_SMTP;
    if (sessions >= max)
        return FULL;
    if (sessions >= share(max, is_client ? ADMISSION_CLIENTS : ADMISSION_STRANGERS) && !limits_is_known(seat))
        return SHORT;
    if (limits_take(seat, LIMIT_CONNECTS))
        return FAST;
    if (limits_hold(seat)) {
        limits_let_go(seat);
        return CROWD;
    }
    return NULL;
}

void admission_leave(struct limits *seat)
{
    limits_let_go(seat);
}
