/* Where a new password comes from. It is never an argument. */
#include "directory/password.h"

#include "base/mem.h"
#include "command/parts.h"
#include "directory/address.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

enum password_source command_take_password_source(struct command_run *r)
{
    if (command_take_flag(r, "--password-stdin"))
        return PASSWORD_STDIN;
    if (command_take_flag(r, "--hash-stdin"))
        return PASSWORD_HASH_STDIN;
    if (command_take_flag(r, "--generate"))
        return PASSWORD_GENERATE;
    return PASSWORD_PROMPT;
}

/* One line without its end. Reads byte by byte, so that nothing behind it is taken. */
static bool read_line(FILE *from, char out[PASSWORD_MAX + 1], struct err *e)
{
    size_t n = 0;
    int c;
    while ((c = getc(from)) != EOF && c != '\n') {
        if (n == PASSWORD_MAX || c == '\0')
            return err_set(e, ERR_PERMANENT, "a password has 1 to %d bytes, none of them NUL", PASSWORD_MAX);
        out[n++] = (char)c;
    }
    if (n > 0 && out[n - 1] == '\r')
        n--;
    out[n] = '\0';
    if (ferror(from))
        return err_set(e, ERR_TEMPORARY, "reading the password: %s", strerror(errno));
    return n > 0 || err_set(e, ERR_PERMANENT, "the password is empty");
}

static bool ask_once(FILE *terminal, const char *question, char out[PASSWORD_MAX + 1], struct err *e)
{
    struct termios before, silent;
    if (tcgetattr(fileno(terminal), &before) != 0)
        return err_set(e, ERR_TEMPORARY, "the terminal: %s", strerror(errno));
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fputs(question, terminal);
    fflush(terminal);
    tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    bool good = read_line(terminal, out, e);
    tcsetattr(fileno(terminal), TCSAFLUSH, &before);
    fputc('\n', terminal);
    return good;
}

static bool ask(char out[PASSWORD_MAX + 1], struct err *e)
{
    char again[PASSWORD_MAX + 1] = "";
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (!terminal)
        return err_set(e, ERR_PERMANENT,
                       "there is no terminal to ask for a password: use --password-stdin or --generate");
    setvbuf(terminal, NULL, _IONBF, 0); /* the buffer would keep the password */
    bool good = ask_once(terminal, "New password: ", out, e) && ask_once(terminal, "Once more: ", again, e);
    if (good && strcmp(out, again) != 0)
        good = err_set(e, ERR_PERMANENT, "the two passwords differ");
    mem_wipe(again, sizeof again);
    fclose(terminal);
    return good;
}

bool command_read_password(bool from_stdin, char out[PASSWORD_MAX + 1], struct err *e)
{
    if (!from_stdin)
        return ask(out, e);
    setvbuf(stdin, NULL, _IONBF, 0); /* the buffer would keep the password */
    return read_line(stdin, out, e);
}

static bool take_hash(const char *typed, char *hash, struct err *e)
{
    if (!password_hash_is_known(str_from_c(typed)))
        return err_set(e, ERR_PERMANENT,
                       "that is no hash that golub can check: Argon2 or crypt(3), such as $6$... or "
                       "{SHA512-CRYPT}$6$...");
    snprintf(hash, PASSWORD_HASH_MAX, "%s", typed);
    return true;
}

static bool make_scram(struct directory_db *db, struct str address, const char *password,
                       char scram[SCRAM_VERIFIER_MAX], struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    unsigned char key[SCRAM_KEY_BYTES], salt[SCRAM_SALT_BYTES];
    struct scram_verifier v;
    if (!directory_address_read(address, &a, &read, e) || !directory_scram_key(db, key, e))
        return false;
    scram_salt(key, read.key, salt);
    scram_derive(str_from_c(password), salt, SCRAM_ITERATIONS, &v);
    scram_verifier_write(&v, scram);
    return true;
}

bool command_new_password(struct directory_db *db, struct str address, enum password_source from,
                          struct command_password *out, struct err *e)
{
    char password[PASSWORD_MAX + 1] = "";
    bool good = true;
    *out = (struct command_password){0};
    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, "libsodium does not start");
    if (from == PASSWORD_GENERATE)
        password_generate(password);
    else if (from == PASSWORD_PROMPT)
        good = ask(password, e);
    else
        good = read_line(stdin, password, e);
    if (good && from == PASSWORD_HASH_STDIN)
        good = take_hash(password, out->hash, e);
    else if (good)
        good = password_hash(str_from_c(password), out->hash, e) &&
               make_scram(db, address, password, out->scram, e);
    if (good && from == PASSWORD_GENERATE)
        printf("password: %s\n", password);
    mem_wipe(password, sizeof password);
    return good;
}

bool command_store_scram(struct directory_db *db, struct str address, const struct command_password *p,
                         struct err *e)
{
    return p->scram[0] == '\0' ||
           directory_account_set_scram(db, address, str_from_c(p->hash), str_from_c(p->scram), e);
}
