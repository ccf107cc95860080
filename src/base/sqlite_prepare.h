/* For a process that forks others which open databases: what SQLite sets up once in a process. */
#ifndef BASE_SQLITE_PREPARE_H
#define BASE_SQLITE_PREPARE_H

void sqlite_prepare(void);

#endif
