/* The scripts of test_imap_notify.c, by section of RFC 5465. */
#ifndef TEST_UNIT_IMAP_NOTIFICATIONS_H
#define TEST_UNIT_IMAP_NOTIFICATIONS_H

/* n messages in INBOX, selected by the first session; the second one just logs in. */
#define SELECT(n)                                                                                \
    "C: s SELECT INBOX", "S: * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * " #n " EXISTS",  \
        "S: * " #n " RECENT", "S: * OK [UNSEEN 1] ...", "S: * OK [UIDVALIDITY ~] ...",           \
        "S: * OK [UIDNEXT ~] ...", "S: * OK [HIGHESTMODSEQ ~] ...", "S: * OK [MAILBOXID ~] ...", \
        "S: s OK ..."
#define SELECT2(n)                                                                                  \
    "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS ...", "S2: * " #n " EXISTS", \
        "S2: * 0 RECENT", "S2: * OK [UNSEEN 1] ...", "S2: * OK [UIDVALIDITY ~] ...",                \
        "S2: * OK [UIDNEXT ~] ...", "S2: * OK [HIGHESTMODSEQ ~] ...", "S2: * OK [MAILBOXID ~] ...", \
        "S2: s OK ..."
#define DELIVER(mailbox) \
    "C2: d APPEND " mailbox " {23+}", "C2: From: b@x.test", "C2: ", "C2: hello", "S2: d OK ..."

/* A client's line and the answers to it stand together. What comes without being asked for stands alone. */
// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"3.1 commands that are none", 0, {
     "C: a NOTIFY", "S: a BAD ...",
     "C: a NOTIFY FOO", "S: a BAD ...",
     "C: a NOTIFY NONE x", "S: a BAD ...",
     "C: a NOTIFY SET", "S: a BAD ...",
     "C: a NOTIFY SET STATUS", "S: a BAD ...",
     "C: a NOTIFY SET (selected)", "S: a BAD ...",
     "C: a NOTIFY SET (selected ())", "S: a BAD ...",
     "C: a NOTIFY SET (selected (MessageNew MessageExpunge)", "S: a BAD ...",
     "C: a NOTIFY SET (nowhere NONE)", "S: a BAD ...",
     "C: a NOTIFY SET (mailboxes NONE)", "S: a BAD ...", NULL}},
    {"5, 6.1 events that do not go together", 0, {
     "C: a NOTIFY SET (selected (MessageNew))", "S: a BAD ...",
     "C: a NOTIFY SET (selected (MessageExpunge))", "S: a BAD ...",
     "C: a NOTIFY SET (personal (FlagChange))", "S: a BAD ...",
     "C: a NOTIFY SET (selected (MailboxName))", "S: a BAD ...",
     "C: a NOTIFY SET (selected NONE) (selected-delayed NONE)", "S: a BAD ...", NULL}},
    {"3.1 events that are not known here", 0, {
     "C: a NOTIFY SET (selected (MessageNew MessageExpunge AnnotationChange))",
         "S: a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "
         "MailboxMetadataChange ServerMetadataChange)] ...",
     "C: a NOTIFY SET (personal (VisitOfTheQueen))", "S: a NO [BADEVENT (MessageNew ...", NULL}},
    {"3.1 NOTIFY SET is a NOOP too, STATUS tells where the others stand", 2, {
     SELECT(2),
     DELIVER("INBOX"), DELIVER("Drafts"),
     "C: a NOTIFY SET STATUS (selected (MessageNew MessageExpunge)) (mailboxes (INBOX Drafts Junk) (MessageNew "
         "MessageExpunge))", "S: * 3 EXISTS", "S: * 3 RECENT",
         "S: * STATUS Drafts (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ~)",
         "S: * STATUS Junk (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ~)", "S: a OK ...", NULL}},
    {"5.1, 5.2, 5.3 the selected mailbox", 2, {
     SELECT(2),
     "C: a NOTIFY SET (selected (MessageNew (uid body.peek[header.fields (from)]) MessageExpunge FlagChange))",
         "S: a OK ...",
     SELECT2(2),
     "C2: a STORE 2 +FLAGS.SILENT (\\Flagged)", "S2: a OK ...",
     "S: * 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))",
     "C2: b STORE 1 +FLAGS.SILENT (\\Deleted)", "S2: b OK ...",
     "S: * 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))",
     "C2: c EXPUNGE", "S2: * 1 EXPUNGE", "S2: c OK ...",
     "S: * 1 EXPUNGE",
     DELIVER("Trash"),
     "C2: e UNSELECT", "S2: e OK ...",
     DELIVER("INBOX"),
     "S: * 2 EXISTS", "S: * 2 RECENT",
     "S: * 2 FETCH (UID 3 BODY[HEADER.FIELDS (from)] {18}", "S: From: b@x.test", "S: ", "S: )",
     "C: f APPEND INBOX {1+}", /* one's own is not described */
     "C: x", "S: * 3 EXISTS", "S: * 3 RECENT", "S: f OK ...",
     "C: g COPY 1 INBOX", "S: * 4 EXISTS", "S: * 4 RECENT", "S: g OK ...",
     "C: h NOTIFY NONE", "S: h OK ...",
     DELIVER("INBOX"),
     "C: i NOOP", "S: * 5 EXISTS", "S: * 5 RECENT", "S: i OK ...", NULL}},
    {"5 without FlagChange they are not told, and known", 1, {
     SELECT(1),
     "C: a NOTIFY SET (selected (MessageNew MessageExpunge))", "S: a OK ...",
     SELECT2(1),
     "C2: a STORE 1 +FLAGS.SILENT (\\Flagged)", "S2: a OK ...",
     "C: b NOOP", "S: b OK ...",
     "C: c FETCH 1 FLAGS", "S: * 1 FETCH (FLAGS (\\Flagged \\Recent))", "S: c OK ...", NULL}},
    {"5 nothing asked for: a snapshot, but for one's own changes", 3, {
     SELECT(3),
     "C: a NOTIFY SET (mailboxes Drafts NONE)", "S: a OK ...",
     DELIVER("INBOX"),
     "C: b NOOP", "S: b OK ...",
     "C: c FETCH 1:* UID", "S: * 1 FETCH (UID 1)", "S: * 2 FETCH (UID 2)", "S: * 3 FETCH (UID 3)", "S: c OK ...",
     "C: d STORE 2 +FLAGS (\\Deleted)", "S: * 2 FETCH (FLAGS (\\Deleted \\Recent))", "S: d OK ...",
     "C: e EXPUNGE", "S: * 2 EXPUNGE", "S: * 3 EXISTS", "S: * 3 RECENT", "S: e OK ...",
     DELIVER("INBOX"),
     "C: f NOTIFY SET (selected (MessageNew MessageExpunge))", "S: * 4 EXISTS", "S: * 4 RECENT", "S: f OK ...",
     NULL}},
    {"6.1.2 selected-delayed: EXPUNGE waits for a command", 2, {
     SELECT(2),
     "C: a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))", "S: a OK ...",
     SELECT2(2),
     "C2: a STORE 1 +FLAGS.SILENT (\\Deleted)", "S2: a OK ...",
     "S: * 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))",
     "C2: b EXPUNGE", "S2: * 1 EXPUNGE", "S2: b OK ...",
     "C2: c UNSELECT", "S2: c OK ...",
     DELIVER("INBOX"),
     "S: * 3 EXISTS", "S: * 3 RECENT",
     "C: b FETCH 2 UID", "S: * 2 FETCH (UID 2)", "S: b OK ...",
     "C: c NOOP", "S: * 1 EXPUNGE", "S: c OK ...", NULL}},
    {"5.1 to 5.3 other mailboxes", 0, {
     "C: a NOTIFY SET (mailboxes (Drafts Junk) (MessageNew MessageExpunge FlagChange)) (mailboxes Trash (MessageNew "
         "MessageExpunge))", "S: a OK ...",
     DELIVER("Drafts"),
     "S: * STATUS Drafts (MESSAGES 1 UIDNEXT 2 UNSEEN 1 UIDVALIDITY ~)",
     DELIVER("Sent"), /* which nobody asked about */
     DELIVER("Trash"),
     "S: * STATUS Trash (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ~)",
     "C: b ENABLE CONDSTORE", "S: * ENABLED CONDSTORE", "S: b OK ...",
     "C2: a SELECT Drafts", "S2: * FLAGS ...", "S2: * OK ...", "S2: * 1 EXISTS", "S2: * 1 RECENT", "S2: * OK ...",
         "S2: * OK ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK ...", "S2: a OK ...",
     "C2: b STORE 1 +FLAGS.SILENT (\\Seen)", "S2: b OK ...",
     "S: * STATUS Drafts (UNSEEN 0 HIGHESTMODSEQ ~ UIDVALIDITY ~)",
     "C2: c MOVE 1 Trash", "S2: * OK [COPYUID ...", "S2: * 1 EXPUNGE", "S2: c OK ...",
     "S: * STATUS Drafts (MESSAGES 0 UIDNEXT 2 UNSEEN 0 HIGHESTMODSEQ ~ UIDVALIDITY ~)",
     "S: * STATUS Trash (MESSAGES 2 UIDNEXT 3 HIGHESTMODSEQ ~ UIDVALIDITY ~)", NULL}},
    {"5.4 MailboxName", 0, {
     "C: a NOTIFY SET (personal (MailboxName)) (subtree Work (MessageNew MessageExpunge))", "S: a OK ...",
     "C2: a CREATE Work/2026", "S2: a OK ...",
     "S: * LIST (\\HasChildren) \"/\" Work", "S: * LIST (\\HasNoChildren) \"/\" Work/2026",
     DELIVER("Work/2026"),
     "S: * STATUS Work/2026 (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ~)",
     "C2: b RENAME Work/2026 Work/past", "S2: b OK ...",
     "S: * LIST (\\HasNoChildren) \"/\" Work/past (\"OLDNAME\" (Work/2026))",
     "C2: c DELETE Work", "S2: c OK ...",
     "S: * LIST (\\NonExistent \\HasChildren) \"/\" Work",
     "C2: d DELETE Work/past", "S2: d OK ...",
     "S: * LIST (\\NonExistent \\HasNoChildren) \"/\" Work", "S: * LIST (\\NonExistent) \"/\" Work/past",
     "C: b CREATE Mine", "S: b OK ...",
     "S: * LIST (\\HasNoChildren) \"/\" Mine", NULL}},
    {"5.5 SubscriptionChange, 6.4 subscribed", 0, {
     "C: a NOTIFY SET (mailboxes (Work Junk nowhere) (SubscriptionChange)) (subscribed (MessageNew MessageExpunge))",
         "S: a OK ...",
     "C2: a UNSUBSCRIBE Junk", "S2: a OK ...",
     "S: * LIST (\\HasNoChildren \\Junk) \"/\" Junk",
     "C2: b SUBSCRIBE nowhere", "S2: b OK ...",
     "S: * LIST (\\NonExistent \\Subscribed) \"/\" nowhere",
     "C2: c SUBSCRIBE Junk", "S2: c OK ...",
     "S: * LIST (\\HasNoChildren \\Junk \\Subscribed) \"/\" Junk",
     "C2: d CREATE Work", "S2: d OK ...",
     DELIVER("Work"),
     "C: b NOOP", "S: b OK ...", /* or else it might see all of it at once, with a STATUS too */
     "C2: e SUBSCRIBE Work", "S2: e OK ...",
     "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" Work",
     DELIVER("Work"),
     "S: * STATUS Work (MESSAGES 2 UIDNEXT 3 UIDVALIDITY ~)", NULL}},
    {"5.6 MailboxMetadataChange, 5.7 ServerMetadataChange", 0, {
     "C2: a SETMETADATA Junk (/shared/comment \"before\")", "S2: a OK ...",
     "C: a NOTIFY SET (mailboxes (Junk Trash) (MailboxMetadataChange)) (personal (ServerMetadataChange))", "S: a OK ...",
     "C2: b SETMETADATA Junk (/shared/comment \"x\" /private/comment \"y\")", "S2: b OK ...",
     "S: * METADATA Junk /private/comment /shared/comment",
     "C2: c SETMETADATA Sent (/shared/comment \"x\")", "S2: c OK ...", /* which nobody asked about */
     "C2: d SETMETADATA \"\" (/private/comment \"z\")", "S2: d OK ...",
     "S: * METADATA \"\" /private/comment",
     "C2: e SETMETADATA Junk (/shared/comment NIL)", "S2: e OK ...",
     "S: * METADATA Junk /shared/comment",
     "C: b NOTIFY SET (selected (MailboxMetadataChange))", "S: b BAD ...", NULL}},
    {"IDLE tells the same", 1, {
     SELECT(1),
     "C: a NOTIFY SET (selected (MessageNew (uid) MessageExpunge)) (mailboxes Junk (MessageNew MessageExpunge))",
         "S: a OK ...",
     "C: b IDLE", "S: + idling",
     DELIVER("Junk"),
     "S: * STATUS Junk (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ~)",
     DELIVER("INBOX"),
     "S: * 2 EXISTS", "S: * 2 RECENT", "S: * 2 FETCH (UID 2)",
     "C: DONE", "S: b OK ...", NULL}},
    {"7 UPDATE that describes what is new", 1, {
     SELECT(1),
     "C: a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))", "S: a OK ...",
     "C: b UID SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (FROM)])) UNSEEN",
         "S: * ESEARCH (TAG \"b\") UID COUNT 1", "S: b OK ...",
     DELIVER("INBOX"),
     "S: * 2 EXISTS", "S: * 2 RECENT",
     "S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (FROM)] {18}", "S: From: b@x.test", "S: ", "S: )",
     "S: * ESEARCH (TAG \"b\") UID ADDTO (0 2)",
     SELECT2(2),
     "C2: a STORE 1 +FLAGS.SILENT (\\Seen)", "S2: a OK ...",
     "S: * 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))", "S: * ESEARCH (TAG \"b\") UID REMOVEFROM (0 1)",
     "C2: b STORE 1 -FLAGS.SILENT (\\Seen)", "S2: b OK ...",
     "S: * 1 FETCH (UID 1 FLAGS (\\Recent))", "S: * ESEARCH (TAG \"b\") UID ADDTO (0 1)",
     "C: c SEARCH RETURN (UPDATE(FLAGS)) SEEN", "S: * ESEARCH (TAG \"c\")", "S: c OK ...",
     "C: d SEARCH RETURN (UPDATE (FOO)) SEEN", "S: d BAD ...", NULL}},
};
// clang-format on

#endif
