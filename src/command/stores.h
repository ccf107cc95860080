/* Accounts' stores, opened by a command beside the running server (or without it). */
#ifndef COMMAND_STORES_H
#define COMMAND_STORES_H
#include "command/parts.h"
#include "directory/address.h"
#include "mailbox/store.h"

/* Whether the account ever had mail or a session. */
bool command_has_store(const struct command_run *r, int64_t account);
/* Made if it is not there. Close it as soon as may be: an account that is awake shares it. */
struct store *command_open_store(const struct command_run *r, int64_t account, struct err *e);
void command_clean_store(struct store **s);
#define CLEAN_STORE __attribute__((cleanup(command_clean_store)))

/* Tells the account's store of the quota that the directory has for it. */
bool command_tell_quota(const struct command_run *r, struct directory_db *db, struct str address,
                        struct err *e);
#define COMMAND_QUOTA_TEXT 64
/* "2g", "2g, 1000 messages", "-" */
const char *command_quota_text(const struct directory_quota *q, char out[COMMAND_QUOTA_TEXT]);

#endif
