#include "mailbox/schema.h"

/* One delivery writes one page of each of: mailbox, message, message_modseq, body, body_chunk, and where a
 * table grows, a page above it. What is asked for often is in small rows (message), what ENVELOPE and
 * BODYSTRUCTURE need in rows of about a kilobyte (body), and the bytes apart from both (body_chunk).
 *
 * No foreign keys: message holds its mailbox inside its id, and checking message.body when a body goes would
 * need one index more, written with every message. The code that moves rows is small (expunge.c, purge.c)
 * and tested against a model.
 *
 * Of the root row, messages, size and unseen count the messages, bytes and mailboxes of the account.
 *
 * mailbox.role is enum mailbox_role; message.flags enum message_flag,
 * acl.rights enum mailbox_right. The numbers are on disk: never change
 * them. */
static const struct sql_migration MIGRATIONS[] = {
    {"CREATE TABLE mailbox("
     " id INTEGER PRIMARY KEY,"
     " name TEXT NOT NULL UNIQUE," /* the whole path; of the root: '' */
     " role INTEGER NOT NULL,"
     " selectable INTEGER NOT NULL,"
     " uidvalidity INTEGER NOT NULL,"
     " uidnext INTEGER NOT NULL,"
     " first_recent INTEGER NOT NULL,"
     " highestmodseq INTEGER NOT NULL,"
     " messages INTEGER NOT NULL,"
     " unseen INTEGER NOT NULL,"
     " deleted INTEGER NOT NULL,"
     " size INTEGER NOT NULL) STRICT;"

     "CREATE TABLE subscription(name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"

     "CREATE TABLE message("
     " id INTEGER PRIMARY KEY," /* message_id() */
     " flags INTEGER NOT NULL,"
     " modseq INTEGER NOT NULL,"
     " keywords TEXT NOT NULL,"
     " received INTEGER NOT NULL,"
     " zone INTEGER NOT NULL,"
     " size INTEGER NOT NULL,"
     " body INTEGER NOT NULL) STRICT;"
     /* Of the account, not of a mailbox: every new entry is the last one, and JMAP asks for all at once. */
     "CREATE INDEX message_modseq ON message(modseq);"

     "CREATE TABLE body("
     " id INTEGER PRIMARY KEY,"
     " message INTEGER NOT NULL," /* the message that brought it, perhaps gone since */
     " arrived INTEGER NOT NULL,"
     " delivery BLOB," /* 16 bytes, where it was delivered */
     " sent INTEGER,"  /* day of the Date field */
     " parts BLOB NOT NULL,"
     " structure BLOB NOT NULL,"
     " envelope BLOB NOT NULL) STRICT;"

     "CREATE TABLE body_chunk("
     " id INTEGER PRIMARY KEY,"     /* chunk_id() */
     " data BLOB NOT NULL) STRICT;" /* a zstd frame with its checksum */

     /* What expunge took out of message; modseq is that of the expunge. */
     "CREATE TABLE expunged("
     " modseq INTEGER NOT NULL,"
     " id INTEGER NOT NULL,"
     " expunged_at INTEGER NOT NULL,"
     " flags INTEGER NOT NULL,"
     " keywords TEXT NOT NULL,"
     " received INTEGER NOT NULL,"
     " zone INTEGER NOT NULL,"
     " size INTEGER NOT NULL,"
     " body INTEGER NOT NULL,"
     " PRIMARY KEY(modseq, id)) STRICT, WITHOUT ROWID;"

     "INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, highestmodseq,"
     " messages, unseen, deleted, size)"
     " SELECT column1, column2, column3, column1 > 0, CAST(strftime('%s', 'now') AS INTEGER), column4, 1, 1,"
     "  0, 0, 0, 0"
     " FROM (VALUES(0, '', 0, 7), (1, 'INBOX', 1, 1), (2, 'Drafts', 2, 1), (3, 'Sent', 3, 1),"
     "  (4, 'Archive', 4, 1), (5, 'Junk', 5, 1), (6, 'Trash', 6, 1));"
     "INSERT INTO subscription SELECT name FROM mailbox WHERE id > 0;",
     MAIL_PGSQL_1},

    {
        .pgsql = MAIL_PGSQL_2,
        .text =
            /* Quota (quota.c). The root's own counters are the account's: summed up once. */
        "ALTER TABLE mailbox ADD COLUMN deleted_size INTEGER NOT NULL DEFAULT 0;" /* of what is \Deleted */
        "UPDATE mailbox SET deleted_size = (SELECT coalesce(sum(m.size), 0) FROM message m"
        " WHERE m.id >= mailbox.id * 4294967296 AND m.id < (mailbox.id + 1) * 4294967296"
        " AND m.flags & 8 <> 0) WHERE deleted > 0;"
        "UPDATE mailbox SET messages = (SELECT coalesce(sum(b.messages), 0) FROM mailbox b WHERE b.id > 0),"
        " size = (SELECT coalesce(sum(b.size), 0) FROM mailbox b WHERE b.id > 0),"
        " unseen = (SELECT count(*) FROM mailbox b WHERE b.id > 0) WHERE id = 0;"
        /* Rows of `expunged` up to this modseq may have been purged (view.c), of the root: in an account from
         * before this column all that there were. */
        "ALTER TABLE mailbox ADD COLUMN purged_modseq INTEGER NOT NULL DEFAULT 0;"
        "UPDATE mailbox SET purged_modseq = highestmodseq WHERE id = 0;"
        /* The last id of a body that was given: see ROOT_MAILBOX. */
        "UPDATE mailbox SET deleted_size = (SELECT coalesce(max(id), 0) FROM body) WHERE id = 0;"
        "CREATE TABLE quota("
        " resource INTEGER PRIMARY KEY," /* enum quota_resource */
        " given INTEGER,"                /* by the administrator; NULL: no limit */
        " own INTEGER) STRICT;"          /* what the owner keeps to; NULL: nothing less than that */

        /* Annotations (metadata.h); of the root: the account's. */
        "CREATE TABLE metadata("
        " mailbox INTEGER NOT NULL,"
        " owner TEXT NOT NULL," /* whose it is; '': shared */
        " name TEXT NOT NULL,"
        " value BLOB," /* NULL: removed */
        " modseq INTEGER NOT NULL,"
        " PRIMARY KEY(mailbox, owner, name)) STRICT, WITHOUT ROWID;"

        /* Rights (rights.h). */
        "CREATE TABLE acl("
        " mailbox INTEGER NOT NULL,"
        " identifier TEXT NOT NULL,"
        " rights INTEGER NOT NULL," /* of enum mailbox_right */
        " PRIMARY KEY(mailbox, identifier)) STRICT, WITHOUT ROWID;"

        /* When it came into its mailbox (RFC 8514). 0: before this was kept; then it is `received`. */
        "ALTER TABLE message ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;"

        /* What SORT and THREAD compare (keys.c), behind delivery. Texts are keys of i;unicode-casemap. */
        "CREATE TABLE body_key("
        " body INTEGER PRIMARY KEY,"
        " thread INTEGER NOT NULL,"
        " sent INTEGER," /* Date, seconds since 1970 UTC */
        " is_reply INTEGER NOT NULL,"
        " subject BLOB NOT NULL,"
        " sender BLOB NOT NULL,"
        " recipient BLOB NOT NULL,"
        " copied BLOB NOT NULL,"
        " display_from BLOB NOT NULL,"
        " display_to BLOB NOT NULL,"
        " links BLOB NOT NULL) STRICT;" /* hashes of Message-ID and of what it answers, 8 bytes each */
        "CREATE INDEX body_key_thread ON body_key(thread);"
        /* Which thread a Message-ID that was seen anywhere belongs to. */
        "CREATE TABLE thread_link(hash INTEGER PRIMARY KEY, thread INTEGER NOT NULL) STRICT;"
        /* How far each kind of work behind delivery has come. */
        "CREATE TABLE catch_up("
        " work INTEGER PRIMARY KEY,"      /* enum catch_up_work */
        " version INTEGER NOT NULL,"      /* of the program's way to do it */
        " body INTEGER NOT NULL) STRICT;" /* the last that is done */
        /* The full text index: word_index.h. `gone`: bodies that were purged since the segment was written.
         */
        "CREATE TABLE word_segment("
        " id INTEGER PRIMARY KEY,"
        " first_body INTEGER NOT NULL,"
        " last_body INTEGER NOT NULL,"
        " bodies INTEGER NOT NULL,"
        " gone INTEGER NOT NULL,"
        " bytes INTEGER NOT NULL) STRICT;"
        "CREATE TABLE word_block("
        " id INTEGER PRIMARY KEY," /* block_id() */
        " words BLOB NOT NULL,"
        " postings BLOB NOT NULL) STRICT;"

        /* message/preview.h */
        "ALTER TABLE body ADD COLUMN preview TEXT;" /* NULL: from before there were any, not asked for yet */
    },
};

const struct sql_schema MAIL_SCHEMA = {"mail", MIGRATIONS, sizeof MIGRATIONS / sizeof *MIGRATIONS, "account"};
