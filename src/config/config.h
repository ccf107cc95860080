/* golub.conf: what must be known before a database is open. Sections may come again; a later value wins.
 * Everything else (domains, accounts, addresses) lives in the directory. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include "base/err.h"
#include "base/log.h"
#include "base/network.h"
#include "base/tally.h"

/* What a listening socket serves. */
enum service {
    SERVICE_SMTP,           /* 25: mail from other servers; also submission after STARTTLS and AUTH */
    SERVICE_SUBMISSION,     /* 587: STARTTLS, then AUTH */
    SERVICE_SUBMISSIONS,    /* 465: TLS from the first byte */
    SERVICE_SUBMISSION_ALT, /* 26: as 587 */
    SERVICE_IMAP,           /* 143 */
    SERVICE_IMAPS,          /* 993 */
    SERVICE_POP3,           /* 110 */
    SERVICE_POP3S,          /* 995 */
    SERVICE_LOCAL,          /* [listen] submission_socket: mail from programs of this machine, sendmail */
    SERVICE_LMTP, /* where [listen] lmtp says: mail from programs of this machine, for our addresses */
    SERVICE_COUNT
};
const char *service_name(enum service s); /* "submission": the key in [listen] too */
uint16_t service_port(enum service s);    /* its well-known number */
bool service_is_tls(enum service s);      /* from the first byte */
bool service_is_smtp(enum service s);     /* smtp role; else login role */

#define CONFIG_LISTENERS_MAX 64
#define CONFIG_ROUTES_MAX    1024 /* more belong into the directory */

struct config_listener {
    enum service service;
    struct str address; /* numeric IPv4 or IPv6; "*" was expanded to 0.0.0.0 and :: */
    uint16_t port;
    struct str path; /* a unix socket, absolute, with address "" and port 0; else "" */
};
struct sockaddr_storage;
/* Where that is, for bind(2). Returns its size, a socklen_t. */
unsigned config_listener_address(const struct config_listener *l, struct sockaddr_storage *to);
/* The same in words: "127.0.0.1 port 25", "/run/golub/lmtp". */
#define CONFIG_LISTENER_WORDS_MAX 160
void config_listener_words(const struct config_listener *l, char words[CONFIG_LISTENER_WORDS_MAX]);

struct config_route {
    struct str domain; /* lower case; "*" is the smarthost for everything else */
    struct str host;   /* name or numeric address */
    uint16_t port;
};

/* [limit address], [limit network], [limit account]: what one of them may do by SMTP. */
enum limit_scope {
    LIMIT_ADDRESS, /* of a client: an IPv4 address, an IPv6 /64 (what one customer has) */
    LIMIT_NETWORK, /* [smtp] ipv4_network, ipv6_network */
    LIMIT_ACCOUNT,
    LIMIT_SCOPES
};
enum limit_rate {
    LIMIT_CONNECTS,   /* address, network: connect_rate; account: networks, which it logs in from */
    LIMIT_MESSAGES,   /* message_rate */
    LIMIT_RECIPIENTS, /* recipient_rate */
    LIMIT_REFUSED,    /* refused_rate: recipients that were refused */
    LIMIT_RATES
};
struct config_limit {
    unsigned connections; /* at once; 0: no limit */
    struct tally_limit rates[LIMIT_RATES];
};

enum helo_policy {               /* [smtp] helo: which names of strangers are refused */
                   HELO_ANY,     /* none */
                   HELO_CERTAIN, /* those that are certainly wrong: our own, a bare number, no name at all */
                   HELO_STRICT,  /* also those without a dot */
};

enum queue_audience {                  /* [queue] readers, flushers: which users of this machine */
                      QUEUE_TO_OWNERS, /* who has handed a message in, of that */
                      QUEUE_TO_ANYONE, /* everybody, of all */
                      QUEUE_TO_NOBODY, /* the administrator alone */
};

enum config_language {                             /* that people are written to */
                       CONFIG_LANGUAGE_UNSET = -1, /* nobody has said */
                       CONFIG_ENGLISH,
                       CONFIG_SERBIAN_LATIN,
                       CONFIG_SERBIAN_CYRILLIC,
                       CONFIG_LANGUAGES,
};

struct config {
    struct str hostname;   /* how this server calls itself in SMTP, IMAP and trace headers */
    struct str origin;     /* [server] origin: what stands behind the @ of local users (default: hostname) */
    struct str data;       /* absolute path of the data directory */
    struct str user;       /* to become when started as root; default "golub" */
    bool sandbox_required; /* [server] sandbox = require; default "best" */
    unsigned workers;      /* gates and smtps, each; default: cores, at most CONFIG_WORKERS_MAX */

    struct config_listener listeners[CONFIG_LISTENERS_MAX];
    size_t listener_count;
    struct str submission_socket; /* [listen] submission_socket (default: run/submission.sock in data) */
    struct str maildrop;          /* [listen] maildrop (default: maildrop in data): where sendmail leaves
                                     messages while the server does not run */
    unsigned lmtp_mode;           /* [listen] lmtp_mode: permissions of unix sockets (default 0660) */
    struct str lmtp_group;        /* [listen] lmtp_group: whose they are; "" = as it comes */
    struct network_list proxy_networks; /* [listen] proxy: from there every connection begins with a PROXY
                                           header (gate/proxy.h) */

    struct str tls_certificate, tls_key; /* PEM paths, absolute */
    struct str tls_authorities; /* [tls] authorities: PEM path of those who vouch for other servers (default:
                                   Debian's ca-certificates) */
    unsigned sts_port; /* [tls] sts_port: where MTA-STS policies are asked for (default 443; for tests) */
    bool sends_tls_reports; /* [tls] reports: to the domains that ask for them (default yes) */

    struct str storage_postgresql; /* [storage] postgresql = libpq's conninfo; "" = SQLite */
    unsigned storage_connections;  /* [storage] connections (default 8): for the mail of all accounts */

    bool plain_on_loopback;        /* [login] plain_on_loopback = yes */
    unsigned failures_before_wait; /* [login] failures = N (default 5): failed passwords of one address before
                                      it waits */

    unsigned pop3_expire_days;   /* [pop3] expire: how long mail may be left here, as CAPA tells it; 0
                                    (default):   for ever */
    unsigned pop3_login_delay_s; /* [pop3] login_delay: between two logins of an account (default 0) */
    unsigned imap_park_after_s;  /* [imap] park_after (default 5s; 0 = never): a session that is quiet for so
                                    long needs no process */

    unsigned expunged_days; /* [mailbox] expunged_days: how long it can be brought back (default 14) */
    bool keeps_deleted;     /* [mailbox] recently_deleted: mailbox/store.h (default no) */
    unsigned stay_awake_s;  /* [mailbox] stay_awake (default 60s): an account with nothing to do keeps its
                               process  for so long, if there is room (keeper/awake.c) */
    bool over_quota_is_permanent; /* [mailbox] over_quota = temporary (default) or permanent */
    unsigned imap_message_limit; /* [imap] message_limit: messages that one command works on (default 2000000:
                                    what it keeps of each while it runs stays under 100 MiB) */

    struct str dns_server;       /* "" = the system's resolv.conf; else "IP" or "IP@port" */
    struct str dns_trust_anchor; /* path of a file with DS or DNSKEY records; "" = Debian's root anchor */

    struct config_route routes[CONFIG_ROUTES_MAX];
    size_t route_count;

    uint64_t message_size_max;  /* [smtp] message_size = bytes (default 50 MiB) */
    bool local_senders_any;     /* [smtp] local_senders = ours (default) or any */
    unsigned recipients_max;    /* [smtp] recipients (default 1000; RFC 5321 4.5.3.1.8 asks for 100) */
    unsigned hops_max;          /* [smtp] hops: Received lines before it is a loop (default 50) */
    char tag_separator;         /* [smtp] separator (default '+') */
    unsigned smtp_sessions_max; /* [smtp] sessions: at once, all smtp processes together (default 8000: 30 KiB
                                   each with TLS) */
    struct network_list smtp_trusted; /* [smtp] trusted: no limits, no delays, no doubts (default loopback) */
    struct network_list smtp_xclient; /* [smtp] xclient: may say whose mail it brings (smtp/xclient.h) */
    unsigned smtp_ipv4_network;       /* [smtp] ipv4_network: bits (default 24) */
    unsigned smtp_ipv6_network;       /* [smtp] ipv6_network: bits (default 48) */
    unsigned smtp_greet_delay_s; /* [smtp] greet_delay: a stranger's greeting waits so long (default 1s) */
    unsigned smtp_tarpit_s;      /* [smtp] tarpit: the longest that an answer is held back (default 5s) */
    enum helo_policy smtp_helo;  /* [smtp] helo = any, certain (default) or strict */
    struct config_limit limits[LIMIT_SCOPES];
    unsigned hold_most_s; /* [smtp] hold (default 30d): how long a user may have a message wait (RFC 4865) */
    struct str unwanted_advertising; /* [smtp] no_soliciting: classes of RFC 3865 that are refused, with
                                        spaces   between; "" = none */
    bool dsn_for_all; /* [smtp] dsn = ours (default) or all: who may ask for reports (RFC 3461) */
    bool utf8_headers_only_when_asked; /* [smtp] utf8_headers = any (default) or asked: bytes over 127 in the
                                          header of mail that comes without SMTPUTF8 */

    enum queue_audience queue_readers;   /* [queue] readers = own (default), anyone, nobody: by mailq */
    enum queue_audience queue_flushers;  /* [queue] flushers: by sendmail -q */
    enum config_language queue_language; /* [queue] language: of reports (default en) */
    unsigned queue_lifetime_s;           /* [queue] lifetime (default 5d; suffixes s m h d) */
    unsigned queue_delay_warn_s;         /* [queue] warn (default 4h; 0 = never) */
    unsigned queue_retry_first_s; /* [queue] retry (default 5m); doubles up to retry_most (default 4h) */
    unsigned queue_retry_most_s;
    unsigned relay_per_destination; /* [queue] connections: at most to one destination (default 20) */
    struct str lmtp_sockets; /* [relay] lmtp_sockets: paths of unix sockets that routes may lead to, with
                                spaces between them (default: none) */

    unsigned trace_days; /* [trace] days: how long what was said of messages is kept (default 30) */
    uint64_t
        trace_bytes; /* [trace] size: of all of it; the oldest goes (default 1g, some ten million messages) */

    enum log_level log_level;   /* [log] level = debug|info|warning|error */
    enum log_format log_format; /* [log] format = text|json */

    struct str text; /* the file's text, to be sent to the roles */
};

#define CONFIG_WORKERS_MAX     16
#define CONFIG_CONNECTIONS_MAX 200 /* each is a process of PostgreSQL and a thread of store */

/* Parses the text of a config file (pure: no files; `where` names it in messages). NULL: *e says which line,
 * which key, and what would be right. Unknown keys and sections are errors. */
const struct config *config_parse(struct str text, const char *where, struct err *e);

/* Roles never call it: a session may hold an old config, and reloads are rare. */
void config_free(const struct config *c);

/* Reads the file, then config_parse. Relative paths in it are relative to its folder. */
const struct config *config_load(const char *path, struct err *e);

/* The route for a domain (lower case), NULL for none: an exact match, then the smarthost "*". */
const struct config_route *config_route_for(const struct config *c, struct str domain);

/* A rate as golub.conf spells it: "600/m", or "none" (a count of 0). False: it is neither. */
#define CONFIG_RATE_MAX 1000000 /* in a period */
#define CONFIG_RATE_FORMS \
    "it is a number up to 1000000 in a second, minute, hour or day, such as 600/m, or none"
#define CONFIG_RATE_TEXT 16
bool config_read_rate(struct str text, struct tally_limit *out);
const char *config_rate_text(struct tally_limit limit, char out[CONFIG_RATE_TEXT]);

/* "en", "sr" (which is sr-Latn), "sr-Latn", "sr-Cyrl"; "" is written for UNSET. */
bool config_read_language(struct str text, enum config_language *out);
const char *config_language_tag(enum config_language language);

#endif
