#include "config/config.h"

static const struct {
    const char *name;
    uint16_t port;
    bool is_tls, is_smtp;
} SERVICES[SERVICE_COUNT] = {
    [SERVICE_SMTP] = {"smtp", 25, false, true},
    [SERVICE_SUBMISSION] = {"submission", 587, false, true},
    [SERVICE_SUBMISSIONS] = {"submissions", 465, true, true},
    [SERVICE_SUBMISSION_ALT] = {"submission_alt", 26, false, true},
    [SERVICE_IMAP] = {"imap", 143, false, false},
    [SERVICE_IMAPS] = {"imaps", 993, true, false},
    [SERVICE_POP3] = {"pop3", 110, false, false},
    [SERVICE_POP3S] = {"pop3s", 995, true, false},
    [SERVICE_LOCAL] = {"submission_socket", 0, false, true},
    [SERVICE_LMTP] = {"lmtp", 24, false, true},
};

const char *service_name(enum service s)
{
    return SERVICES[s].name;
}

uint16_t service_port(enum service s)
{
    return SERVICES[s].port;
}

bool service_is_tls(enum service s)
{
    return SERVICES[s].is_tls;
}

bool service_is_smtp(enum service s)
{
    return SERVICES[s].is_smtp;
}
