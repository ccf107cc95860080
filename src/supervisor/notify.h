/* Tells systemd how the server is (sd_notify(3)). Written here: the protocol is one datagram, and libsystemd
 * would bring four compression libraries into a process that runs as root. */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

/* "READY=1", "RELOADING=1", "STOPPING=1"; nothing happens outside systemd. */
void notify(const char *state);

#endif
