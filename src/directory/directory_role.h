/* The directory's process. */
#ifndef DIRECTORY_ROLE_H
#define DIRECTORY_ROLE_H
struct role;
int directory_main(struct role *r);
#endif
