/* The login role: IMAP and POP3 until somebody is logged in. It sees passwords and no mail: once the
 * directory has said yes, the connection itself goes to the account through keeper. */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H

struct role;
int login_main(struct role *r);

#endif
