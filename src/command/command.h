/* What an administrator types: every word of `golub` but `serve`. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#define COMMAND_CONFIG_DEFAULT "/etc/golub/golub.conf" /* where -c is not given */

/* `golub [-c FILE]`: reads what stands before the command. Returns the place of the command's first word in
 * argv (argc: there is none), or -1 for an option that does not exist, having said so on standard error. */
int command_options(int argc, char **argv, const char **config_path);

/* Runs the command in argv; the exit code: 0 done, 1 failed (the words are on standard error), 2 wrong usage.
 * The commands work on the databases, whether the server runs or not; it sees their changes at once. */
int command_main(int argc, char **argv);

#endif
