/* The commands, in the order in which `golub help` shows them. */
#include "command/parts.h"

#define ABOUT_PASSWORDS                                                                                   \
    "The password is asked for twice, without echo. A script gives it with --password-stdin: the first\n" \
    "line of standard input. --generate makes a strong one and prints it. --hash-stdin takes a hash\n"    \
    "from another server instead: Argon2 or crypt(3), with or without a scheme such as {SHA512-CRYPT}.\n" \
    "A password is never an argument: every user of the machine could see it in ps.\n"

#define QUEUE_FILTER "ID | --all | [--sender P] [--recipient P] [--destination P]"
#define ABOUT_QUEUE_FILTER                                                   \
    "With patterns, only for the recipients that they match: * stands for\n" \
    "anything, ? for one character. A running server notices within a second.\n"

#define LIMIT_ARGUMENTS \
    "[--message-rate RATE] [--recipient-rate RATE] [--refused-rate RATE] [--networks RATE]"
#define ABOUT_LIMITS                                                                                       \
    "As golub.conf's [limit account], in place of it: a number in a second, minute, hour or day (200/h), " \
    "none,\n"                                                                                              \
    "or default. An account's own goes before its domain's. They hold from the next message on, and what " \
    "was\n"                                                                                                \
    "counted by the old limit is forgotten.\n"

const struct command COMMANDS[] = {
    {"init", "DIR --domain DOMAIN [--hostname NAME] [--port-base N] [--postgresql CONNINFO]",
     "make a new server in DIR",
     "Writes DIR/golub.conf, the databases, a private CA with a certificate (DIR/tls/ca.pem is what a mail\n"
     "client must trust until you have a public certificate) and a DKIM key, and prints the DNS records to\n"
     "publish. Nothing that exists is overwritten. Started by root where a user golub exists, everything\n"
     "belongs to that user, whom the server becomes.\n\n"
     "  --domain      the first mail domain, the part behind the @\n"
     "  --hostname    the server's own name in DNS; default mail.DOMAIN\n"
     "  --port-base   listen on 127.0.0.1 only, at N plus the usual number: 20000 gives SMTP on 20025.\n"
     "                For trying it out without root\n"
     "  --postgresql  keep mail, directory and queue in PostgreSQL; where, as libpq takes it:\n"
     "                'host=/run/postgresql dbname=golub'. See golub.conf(5)\n",
     NEEDS_NOTHING, run_init},
    {"serve", "", "run the server in the foreground",
     "Logs to standard error, a line an event. Says ready (and tells systemd so) once every part of it "
     "serves.\n"
     "SIGTERM finishes what is under way and stops; SIGHUP reads the config and the certificate again. "
     "Started\n"
     "by root it binds the ports and becomes the user of the config, or whoever owns the data directory.\n",
     NEEDS_CONFIG, run_serve},
    {"check", "[--offline]", "say what is wrong with the config and the world around it",
     "Looks at the config, the data directory, the certificate and its dates, the ports, the kernel's\n"
     "sandbox, and the DNS records of every domain. Each line begins with ok, warning or error; warnings "
     "and\n"
     "errors name the way out. The exit code is 1 when there was an error.\n\n"
     "  --offline     ask no DNS server\n",
     NEEDS_CONFIG, run_check},
    {"account add", "NAME@DOMAIN " PASSWORD_ARGUMENTS, "make an account: a mailbox with a password",
     ABOUT_PASSWORDS "\nThe domain must be one of ours: golub domain add.\n", NEEDS_DATA, run_account_add},
    {"account list", "", "list the accounts", "", NEEDS_DATA, run_account_list},
    {"account show", "NAME@DOMAIN", "show all that is set of an account",
     "Whether its owner may log in, its quota, where its mail goes, as whom it may send, how much, and in "
     "which\n"
     "language it is written to; and whether the account, its domain or golub.conf says so.\n",
     NEEDS_DATA, run_account_show},
    {"account password", "NAME@DOMAIN " PASSWORD_ARGUMENTS, "set a new password", ABOUT_PASSWORDS, NEEDS_DATA,
     run_account_password},
    {"account disable", "NAME@DOMAIN", "keep the mail coming but let nobody log in",
     "The password is kept; account enable lets it in again.\n", NEEDS_DATA, run_account_disable},
    {"account enable", "NAME@DOMAIN", "let a disabled account log in again", "", NEEDS_DATA,
     run_account_enable},
    {"account remove", "NAME@DOMAIN [--yes]", "remove an account and delete its mail",
     "The mailbox is deleted for good, and aliases no longer lead to it; those that led to it alone go too.\n"
     "At a terminal the address is asked for again, unless --yes is given.\n",
     NEEDS_DATA, run_account_remove},
    {"account forward", "NAME@DOMAIN [--to ADDRESS... [--keep] | --off]",
     "forward an account's mail, or show where it goes",
     "Each --to is one address, here or elsewhere; they replace those that were there. --keep leaves a copy "
     "in the\n"
     "mailbox. --off ends it. Mail that goes on to another server does so under a return address of ours "
     "(SRS),\n"
     "so that it passes SPF there and bounces find their way.\n",
     NEEDS_DATA, run_account_forward},
    {"account send-as", "NAME@DOMAIN [--add ADDRESS [--on-behalf]] [--remove ADDRESS]",
     "let an account send as somebody else, or show as whom",
     "ADDRESS is one, here or elsewhere, or @DOMAIN. An account's own addresses need none of this. With "
     "--on-behalf\n"
     "the message says who has really sent it, in a Sender field.\n",
     NEEDS_DATA, run_account_send_as},
    {"account limit", "NAME@DOMAIN " LIMIT_ARGUMENTS, "say how much an account may send, or show it",
     ABOUT_LIMITS
     "\n  golub account limit newsletter@example.org --message-rate 20/h --recipient-rate 20000/d\n",
     NEEDS_DATA, run_account_limit},
    {"account language", "NAME@DOMAIN [en | sr-Latn | sr-Cyrl | default]",
     "say in which language an account is written to, or show it",
     "That of reports about its mail. default is what the domain says, else what the message tells, else\n"
     "golub.conf's.\n",
     NEEDS_DATA, run_account_language},
    {"quota set", "NAME@DOMAIN | @DOMAIN [--bytes SIZE] [--messages NUMBER]",
     "say how much an account may hold",
     "SIZE is in bytes, or with k, m, g or t: 2g. none is no limit, default what the domain says. For "
     "@DOMAIN the\n"
     "limits are those of its accounts that have none of their own. They hold at once. What an account\n"
     "holds already stays; new mail is refused (golub.conf: over_quota), but for mail to postmaster.\n"
     "Deleted messages that can still be brought back do not count.\n",
     NEEDS_DATA, run_quota_set},
    {"quota show", "NAME@DOMAIN", "show what an account holds and may hold", "", NEEDS_DATA, run_quota_show},
    {"quota list", "", "list what the accounts hold and may hold", "", NEEDS_DATA, run_quota_list},
    {"undelete", "NAME@DOMAIN [--list] [--since WHEN] [--mailbox NAME] [--all] [UID...]",
     "bring deleted messages back",
     "Messages that were deleted for good can be brought back for 14 days (golub.conf: expunged_days). They "
     "come to\n"
     "the end of the mailbox that they were in, or of INBOX where that is gone, under new UIDs. Whoever has "
     "the\n"
     "mailbox open sees them within a second (from a long IDLE, when it wakes). What was moved, or has a "
     "copy elsewhere, is not lost and not "
     "listed.\n\n"
     "  --list      only show what there is\n"
     "  --since     deleted since: 3d, 12h, 30m, 2026-11-24 or '2026-11-24 18:00'\n"
     "  --mailbox   those of one mailbox; with UIDs INBOX if it is not said\n"
     "  --all       whatever there is\n",
     NEEDS_DATA, run_undelete},
    {"domain add", "DOMAIN [--alias-of DOMAIN | --backup-mx [--recipients ADDRESS,...]]",
     "receive mail for another domain",
     "With --alias-of its addresses are those of a domain that we have: NAME@DOMAIN leads where that one's "
     "does.\n"
     "With --backup-mx it is somebody else's domain, whose mail waits here while its own servers are away, "
     "and goes on\n"
     "to those that its MX records prefer to us; with --recipients only for these, for a backup that takes "
     "what\n"
     "the owner refuses becomes a source of bounces.\n\n"
     "golub domain records prints what to publish in DNS. postmaster@ and abuse@ of every domain reach the "
     "postmaster of the\n"
     "first one, unless an account or address of that name exists.\n",
     NEEDS_DATA, run_domain_add},
    {"domain list", "", "list our domains", "", NEEDS_DATA, run_domain_list},
    {"domain recipients", "DOMAIN [--add ADDRESS,...] [--remove ADDRESS,...] [--any]",
     "say or show for whom a backup MX takes mail", "--any: for whoever is written to.\n", NEEDS_DATA,
     run_domain_recipients},
    {"domain limit", "DOMAIN " LIMIT_ARGUMENTS,
     "say how much accounts of a domain may send that have no limits of their own", ABOUT_LIMITS, NEEDS_DATA,
     run_domain_limit},
    {"domain language", "DOMAIN [en | sr-Latn | sr-Cyrl | default]",
     "say in which language accounts of a domain are written to that do not say it themselves", "",
     NEEDS_DATA, run_domain_language},
    {"domain records", "DOMAIN", "print the DNS records to publish for a domain", "", NEEDS_CONFIG,
     run_domain_records},
    {"dns", "[DOMAIN] [--check] [--enforce]", "print what to publish in DNS for a domain, or compare",
     "Every record, as a zone file with remarks, and the policy file of MTA-STS with its place. Without "
     "DOMAIN\n"
     "for all of ours, and for those that this server is a backup MX for: what their owners are to "
     "publish.\n\n"
     "  --check    compare with what DNS says; what is missing or wrong makes the exit code 1\n"
     "  --enforce  MTA-STS in mode enforce: other servers then refuse to send without TLS that is proven.\n"
     "             Else testing: they only report\n",
     NEEDS_DATA, run_dns},
    {"domain remove", "DOMAIN", "receive no more mail for a domain",
     "Its accounts and addresses must be gone. The first domain stays: its postmaster must exist.\n",
     NEEDS_DATA, run_domain_remove},
    {"address add", "ADDRESS TARGET... [--until WHEN] [--post WHO]",
     "make an address that leads to others (alias, forward, catch-all)",
     "Targets are accounts, other addresses, or addresses elsewhere. More may be added later.\n"
     "@DOMAIN as ADDRESS catches whatever else is unknown there. The address of an account forwards its\n"
     "mail; to keep a copy, name the account itself among the targets.\n\n"
     "  golub address add info@example.org ana@example.org bob@example.org\n"
     "  golub address add @example.org ana@example.org\n"
     "  golub address add bob@example.org bob@example.org bob@elsewhere.example\n\n"
     "name+tag@ needs none of this: it reaches name@ by itself.\n\n"
     "An ADDRESS with * (any text) or ? (any character) stands for many, and so does a regular expression\n"
     "between slashes, which must fit all of what stands before the @. They take what no other address does; "
     "$1 to $9\n"
     "in a TARGET are what the stars or groups fitted.\n\n"
     "  golub address add 'sales-*@example.org' 'crm+$1@example.org'\n"
     "  golub address add '/(ana|bob)\\.[a-z]+/@example.org' '$1@example.org'\n\n"
     "--until and --post: see golub help address set.\n",
     NEEDS_DATA, run_address_add},
    {"address import", "FILE [--domain DOMAIN]", "take over a file of aliases, like /etc/aliases",
     "Each line's name leads from then on to what the file says, and to nothing else; addresses that are not "
     "in\n"
     "the file stay as they are. Names without @ are at DOMAIN (default: [server] origin where that is ours, "
     "else\n"
     "the first domain). Mail is not given to programs or files here: such lines are told and left out.\n"
     "Called as newaliases, golub does this with /etc/aliases.\n",
     NEEDS_DATA, run_address_import},
    {"address set", "ADDRESS [--until WHEN] [--post WHO]",
     "say how long an address lives, and who may write to it",
     "  --until     30d, 12h, 2026-12-31, '2026-12-31 18:00', or none. After that mail for it is refused\n"
     "  --post      anyone, or, with commas between: members (whom it leads to), accounts (who has logged in "
     "here),\n"
     "              addresses and @DOMAINs. Others are refused. An address of ours counts only for who has "
     "logged\n"
     "              in, since anybody can pretend to be it\n\n"
     "--until works for an account's address too.\n",
     NEEDS_DATA, run_address_set},
    {"address disable", "ADDRESS", "let an address take no mail for now",
     "Mail for it is refused. An alias of that name, or else the account.\n", NEEDS_DATA,
     run_address_disable},
    {"address enable", "ADDRESS", "let it take mail again", "", NEEDS_DATA, run_address_enable},
    {"address list", "", "list the addresses and where they lead", "", NEEDS_DATA, run_address_list},
    {"address remove", "ADDRESS [TARGET...]", "remove an address, or some of its targets", "", NEEDS_DATA,
     run_address_remove},
    {"rewrite add", "sender | recipient ADDRESS|@DOMAIN ADDRESS|@DOMAIN",
     "make one address of another, everywhere",
     "For every message that comes: in the envelope of all mail, and in the header (From, Sender, Reply-To "
     "of\n"
     "senders; To, Cc of recipients) of what our users send. @DOMAIN changes the domain and leaves the name. "
     "One\n"
     "address goes before its domain.\n\n"
     "  golub rewrite add sender @host.example.org @example.org\n"
     "  golub rewrite add recipient old@example.org new@elsewhere.example\n",
     NEEDS_DATA, run_rewrite_add},
    {"rewrite list", "", "list what becomes of which address", "", NEEDS_DATA, run_rewrite_list},
    {"rewrite remove", "sender | recipient ADDRESS|@DOMAIN", "leave an address as it is", "", NEEDS_DATA,
     run_rewrite_remove},
    {"route add",
     "DOMAIN | '*' [--from SENDER] [--host HOST | --mx DOMAIN] [--port PORT] [--lmtp]\n"
     "       [--tls LEVEL] [--user USER [--password-stdin]] [--source ADDRESS]...",
     "say how mail leaves",
     "For mail to DOMAIN, or with '*' to any that has no route of its own. --from makes it a route for mail\n"
     "of one sender only, or of @DOMAIN: such a route goes before those of the recipient's domain. What one\n"
     "route leaves unsaid, the next one says, '*' last. It holds at once, for waiting mail too, and\n"
     "replaces a route that was there for the same sender and domain.\n\n"
     "  --host      a server by name or address: a smarthost. With --lmtp also a unix socket's path\n"
     "  --mx        the servers that the MX records of another domain name\n"
     "  --port      default 25, with --lmtp 24\n"
     "  --tls       the least that a connection must have: encrypt, verify (a certificate for its name), "
     "dane;\n"
     "              any: as the destination publishes it; none: no TLS at all\n"
     "  --user      log in there. The password is asked for, or the first line of standard input\n"
     "  --source    the address of this machine to send from; one of IPv4, one of IPv6\n\n"
     "  golub route add '*' --host smtp.provider.example --port 587 --tls verify --user me --password-stdin\n"
     "  golub route add partner.example --tls verify\n"
     "  golub route add '*' --from @second.example --source 192.0.2.2\n",
     NEEDS_DATA, run_route_add},
    {"route remove", "DOMAIN | '*' [--from SENDER]", "forget a route", "", NEEDS_DATA, run_route_remove},
    {"route list", "", "list the routes, those of golub.conf first", "", NEEDS_DATA, run_route_list},
    {"route", "ADDRESS [--from SENDER] [--offline]", "explain where mail for an address would go, and why",
     "Follows the address as the server does, and says each step: aliases, tags, patterns, catch-alls, "
     "groups,\n"
     "accounts and their quotas, forwards, routes, and what DNS says. Mail is from SENDER, as if the user "
     "had logged\n"
     "in where it is one's address; without --from it is a report (<>).\n\n"
     "  --offline   ask no DNS server\n",
     NEEDS_DATA, run_route},
    {"queue list", "[--sender P] [--recipient P] [--destination P] [--limit N] [--destinations] [--json]",
     "list the mail that waits to leave",
     "Only whom the patterns match, in which * stands for anything and ? for one character; the sender <> "
     "is\n"
     "written so.\n\n"
     "  --limit         the oldest N messages (1000)\n"
     "  --destinations  only how many wait for each destination, and until when\n"
     "  --json          an object for each, on a line of its own\n",
     NEEDS_DATA, run_queue_list},
    {"queue show", "ID [--json]", "show a waiting message: recipients, attempts, header",
     "With every line that both sides said in each attempt, and when.\n", NEEDS_DATA, run_queue_show},
    {"queue hold", QUEUE_FILTER, "keep waiting mail from being tried",
     "Until golub queue release. It grows older meanwhile. " ABOUT_QUEUE_FILTER, NEEDS_DATA, run_queue_hold},
    {"queue release", QUEUE_FILTER, "let mail go that was held", "It is tried now. " ABOUT_QUEUE_FILTER,
     NEEDS_DATA, run_queue_release},
    {"queue retry", QUEUE_FILTER, "try waiting mail now",
     "What waits for its next attempt is tried within a second, if the server runs. " ABOUT_QUEUE_FILTER,
     NEEDS_DATA, run_queue_retry},
    {"queue drop", QUEUE_FILTER, "delete waiting mail", "Its sender is told nothing. " ABOUT_QUEUE_FILTER,
     NEEDS_DATA, run_queue_drop},
    {"queue redirect", QUEUE_FILTER " --to ADDRESS", "send waiting mail to another address",
     "Where ADDRESS leads is looked up as for mail that comes in. What is under way at this moment may still "
     "reach\nits old recipient. " ABOUT_QUEUE_FILTER,
     NEEDS_DATA, run_queue_redirect},
    {"tls-report list", "", "what TLS was like with other servers, and whether they were told",
     "A line a domain and day: sessions that were good, those that failed, and whether the domain got the\n"
     "report that it asks for (RFC 8460). Kept for two weeks.\n",
     NEEDS_DATA, run_tls_report_list},
    {"tls-report send", "[DOMAIN]", "send reports of today now, not when the day is over", "", NEEDS_DATA,
     run_tls_report_send},
    {"tls-report", "[FILE...]", "what other servers reported about TLS with ours",
     "A line for each report (RFC 8460) that came to postmaster at one of our domains, and each domain that "
     "it "
     "is\n"
     "about: sessions that were good, those that failed, who says so, and what went wrong how often. Kept "
     "for\n"
     "90 days. With FILE, a whole report: the message that brought it, or what is attached to it, as JSON "
     "or\n"
     "packed; - is standard input.\n",
     NEEDS_DATA_ALONE, run_tls_report},
    {"trace",
     "ADDRESS | @DOMAIN | MESSAGE-ID | QUEUE-ID | DELIVERY-ID [--since WHEN] [--until WHEN] [--limit "
     "N] [--json]",
     "tell what became of a message",
     "Everything that was decided about it, from the connection that brought it to the folder that has it "
     "or\n"
     "the server that took it, each attempt with what was said. It is kept for 30 days (golub.conf: "
     "[trace]),\n"
     "and there a second after it happened, whether the server runs or not.\n\n"
     "  --since, --until  of messages that what is asked for was said of then: 3d, 12h, 30m, 2026-11-24 or\n"
     "                    '2026-11-24 18:00'\n"
     "  --limit           the newest N messages (100)\n"
     "  --json            an object for each message, on a line of its own\n",
     NEEDS_DATA, run_trace},
    {"sendmail", "[OPTION...] [RECIPIENT...]", "send a message of this machine, as sendmail(1) does",
     "What cron and PHP call as /usr/sbin/sendmail: make that a link to golub, and mailq and newaliases too. "
     "The\n"
     "message comes on standard input. Options as Postfix's sendmail takes them: -t -i -f -F -N -R -V -v -bs "
     "-bp -q;\n"
     "-C FILE names another golub.conf. While the server does not run, the message waits in the maildrop.\n"
     "Exit codes are those of sysexits.h.\n",
     NEEDS_NOTHING, run_sendmail},
    {"certificate renew", "", "issue the certificate of the private CA anew",
     "For the hostname in the config, with the CA that golub init made (tls/ca.key beside golub.conf). Mail\n"
     "clients that trust the CA notice nothing. Then send the server SIGHUP.\n",
     NEEDS_CONFIG, run_certificate_renew},
};
const size_t COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0];
