/* Picks what this process is: the server, or a command. */
#include "command/command.h"
#include "directory/directory_role.h"
#include "dns/dns.h"
#include "gate/gate.h"
#include "keeper/keeper.h"
#include "login/login.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "sendmail/pickup.h"
#include "sendmail/sendmail.h"
#include "smtp/smtp.h"
#include "store/store_role.h"
#include "supervisor/supervisor.h"
#include "trace/trace_role.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static role_main_fn *const ROLE_MAINS[ROLE_COUNT] = {
    [ROLE_GATE] = gate_main,           [ROLE_SMTP] = smtp_main,     [ROLE_LOGIN] = login_main,
    [ROLE_DIRECTORY] = directory_main, [ROLE_KEEPER] = keeper_main, [ROLE_DNS] = dns_main,
    [ROLE_QUEUE] = queue_main,         [ROLE_RELAY] = relay_main,   [ROLE_STORE] = store_main,
    [ROLE_TRACE] = trace_main,         [ROLE_PICKUP] = pickup_main,
};

/* Begins again with every address in every library looked up (ld.so(8)), as golub's own are: those tables are
 * read-only from then on, and shared by all that is forked. Found one by one when they are first used, they
 * cost each account that wakes 0.2 ms. Where it cannot be done the server runs as well, only slower. */
static void bind_at_once(char **argv)
{
    if (getenv("LD_BIND_NOW") || setenv("LD_BIND_NOW", "1", 1) != 0)
        return;
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    role_title_init(argc, argv);
    const char *config_path;
    if (argc > 0 && sendmail_mode_of(argv[0]) >= 0)
        return sendmail_main(COMMAND_CONFIG_DEFAULT, argc, argv);
    int at = command_options(argc, argv, &config_path);
    if (at > 0 && at < argc && strcmp(argv[at], "sendmail") == 0)
        return sendmail_main(config_path, argc - at, argv + at);
    if (at > 0 && argc == at + 1 && strcmp(argv[at], "serve") == 0) {
        bind_at_once(argv);
        return supervisor_main(config_path, ROLE_MAINS);
    }
    return command_main(argc, argv);
}
