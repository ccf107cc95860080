/* How golub.conf is read, for the files of this folder: a setting's value goes into the config, or waits in
 * `struct reading` for what comes later. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H
#include "base/arena.h"
#include "config/config.h"

/* What is being read: the config so far, and what only makes sense once all lines are known. */
struct reading {
    struct config *c;
    struct arena *a;
    struct str folder; /* of the config file: relative paths start here */
    struct str addresses[CONFIG_LISTENERS_MAX];
    size_t address_count;
    uint32_t port_base;
    bool has_port_base;
    int64_t ports[SERVICE_COUNT]; /* -1: by default, 0: none */
    struct config_listener lmtp[CONFIG_LISTENERS_MAX];
    size_t lmtp_count;
    struct str section; /* of the line at hand */
    bool has_no_socket; /* submission_socket = none */
};

/* Takes a value into *to, which is the setting's member of the config unless said otherwise. False: *e says
 * what would be right. */
typedef bool value_fn(struct reading *r, void *to, struct str value, struct err *e);

/* --- values.c --- */
value_fn config_take_text, config_take_path, config_take_yes, config_take_sandbox, config_take_count,
    config_take_workers, config_take_postgresql, config_take_connections, config_take_bytes, config_take_room,
    config_take_seconds, config_take_expire, config_take_days, config_take_over_quota, config_take_hold,
    config_take_classes, config_take_dsn, config_take_utf8_headers, config_take_separator,
    config_take_networks, config_take_ipv4_bits, config_take_ipv6_bits, config_take_helo, config_take_most,
    config_take_rate, config_take_sockets, config_take_level, config_take_language, config_take_format,
    config_take_local_senders, config_take_audience;

/* --- listeners.c --- What these read waits in *r; only _socket, _mode, _dns_server and _port (an int64_t)
 * use `to`. */
value_fn config_take_socket, config_take_dns_server, config_take_addresses, config_take_lmtp,
    config_take_mode, config_take_port_base, config_take_port;
/* The sockets of all services, from what was read. */
bool config_make_listeners(struct reading *r, struct err *e);

#endif
