/* Conversations, in the order of the RFCs' numbers and sections. Where a line is an RFC's own example, its
 * names are kept but for the domain that is ours.
 *
 *   C: line      the client says, with CRLF
 *   R: bytes     the client sends, as they stand
 *   S: line      must come next: ~ matches a run without spaces, ... at the end anything
 *   S> line      the same for the last line of a reply
 *   W: event     what the world has seen next; at the end there must be no other:
 *                  "stored ACCOUNT from <SENDER> for RCPT";
 *                  "envelope <SENDER> ...", and then for each recipient "relayed", "queued" (a local one, to
 *                  be tried again), or what its sender is told of: "reported" (a failure), "delivered",
 *                  "expanded"
 *   T: text      stands in the last message
 */
#ifndef TEST_UNIT_SMTP_SCRIPTS_H
#define TEST_UNIT_SMTP_SCRIPTS_H
#include "config/config.h"

struct smtp_script {
    const char *name;
    enum service service;
    bool tls;
    const char *lines[100];
};

#define EHLO   "C: EHLO client.test", "S> 250 ..."
#define LHLO   "C: LHLO foo.edu", "S> 250 ..."
#define LOGIN  EHLO, "C: AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "S: 235 2.7.0 ..."
#define HEADER "From: ana@ours.test\r\nSubject: x\r\n\r\n"

// clang-format off
static const struct smtp_script SCRIPTS[] = {
    /* --- RFC 1870: SIZE --- */
    {"1870 6.1 a size that is too large", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<ned@thor.innosoft.com> SIZE=1000000", "S: 552 5.3.4 ...",
     "C: MAIL FROM:<ned@thor.innosoft.com> SIZE=500", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ned@ours.test>", "S: 250 2.1.5 OK", NULL}},

    /* --- RFC 2033: LMTP --- */
    {"2033 4.1 LHLO and no other greeting", SERVICE_LMTP, false, {
     "C: EHLO foo.edu", "S: 500 5.5.1 ...",
     "C: HELO foo.edu", "S: 500 5.5.1 ...",
     "C: MAIL FROM:<chris@bar.com>", "S: 503 5.5.1 Say LHLO first",
     LHLO, "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK", NULL}},
    {"2033 4.2 a reply for each RCPT that was accepted, in their order", SERVICE_LMTP, false, {
     "C: LHLO foo.edu", "S: 250-mail.ours.test", "S> 250 ...",
     "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<pat@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<unknown.Jones@ours.test>", "S: 550 5.1.1 ...",
     "C: RCPT TO:<green@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...",
     "R: Blah blah blah...\r\n...etc. etc. etc.\r\n.\r\n",
     "S: 250 2.1.5 <pat@ours.test> has it as ~", "S: 250 2.1.5 <green@ours.test> has it as ~",
     "S: 452 4.2.2 The mailbox is full", "S: 550 5.7.1 Refused by a rule",
     "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored green@ours.test from <chris@bar.com> for green@ours.test",
     "W: stored pat@ours.test from <chris@bar.com> for pat@ours.test",
     "T: with LMTP id ", NULL}},
    {"2033 4.2 DATA without a recipient is 503", SERVICE_LMTP, false, {
     LHLO, "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<unknown@ours.test>", "S: 550 5.1.1 ...",
     "C: DATA", "S: 503 5.5.1 No valid recipients",
     "R: BDAT 3 LAST\r\nabc", "S: 503 5.5.1 No valid recipients",
     "C: NOOP", "S: 250 2.0.0 OK", NULL}},
    {"2033 4.2 a refused message has as many answers", SERVICE_LMTP, false, {
     LHLO, "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\nx\ny\r\n.\r\n", "S: 550 5.6.11 ...", "S: 550 5.6.11 ...",
     "C: NOOP", "S: 250 2.0.0 OK", NULL}},
    {"2033: the same recipient twice gets one copy and two answers", SERVICE_LMTP, false, {
     LHLO, "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.1.5 ...", "S: 250 2.1.5 ...",
     "W: stored ana@ours.test from <chris@bar.com> for ana@ours.test", NULL}},
    {"2033: no relaying, no AUTH", SERVICE_LMTP, true, {
     LHLO, "C: AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "S: 502 5.5.1 ...",
     "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<x@far.test>", "S: 550 5.7.1 ...", NULL}},
    {"2033: an alias that leads to several is one recipient", SERVICE_LMTP, false, {
     LHLO, "C: MAIL FROM:<chris@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<pair@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n",
     "S: 250 2.1.5 <pair@ours.test> ...",
     "S: 250 2.1.5 <full@ours.test> ...", /* the queue tries it for pair@ already */
     "W: stored bob@ours.test from <chris@bar.com> for pair@ours.test",
     "W: envelope <chris@bar.com> 7bit", "W: queued full@ours.test", NULL}},

    /* --- RFC 2034: enhanced status codes; RFC 5321 says which replies have none --- */
    {"2034 4: every answer but to a greeting, EHLO and DATA has a status code", SERVICE_SMTP, false, {
     EHLO, "C: VRFY ana", "S: 252 2.0.0 ...", "C: EXPN team", "S: 502 5.5.1 ...", "C: HELP", "S: 214 2.0.0 ...",
     "C: NOOP x", "S: 250 2.0.0 OK", "C: RSET", "S: 250 2.0.0 Forgotten", "C: FROB", "S: 500 5.5.1 ...",
     "C: MAIL", "S: 501 5.5.4 ...", "C: DATA", "S: 503 5.5.1 ...", "C: AUTH PLAIN", "S: 538 5.7.11 ...",
     "C: QUIT", "S: 221 2.0.0 ...", "S: <closed>", NULL}},

    /* --- RFC 2852: DELIVERBY --- */
    {"2852 4 when it must be there, and what then", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> BY=120;R", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit by=return+2m submitted", "W: relayed x@far.test",
     "C: MAIL FROM:<ana@ours.test> BY=3600;NT", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit by=notify+60m trace submitted", "W: relayed x@far.test", NULL}},
    {"2852 4.1.1 a time that is over cannot be kept", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c> BY=0;R", "S: 501 5.5.4 BY ...", "C: MAIL FROM:<a@b.c> BY=-5;R", "S: 501 5.5.4 BY ...",
     "C: MAIL FROM:<a@b.c> BY=-5;N", "S: 250 2.1.0 OK", NULL}},

    /* --- RFC 2920: PIPELINING --- */
    {"2920 3.1 the content may be first in a group: the next MAIL comes behind its dot", SERVICE_SMTP, false, {
     EHLO, "R: MAIL FROM:<mrose@dbc.mtview.ca.us>\r\nRCPT TO:<ned@ours.test>\r\nRCPT TO:<dan@ours.test>\r\nDATA\r\n",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.1.5 OK", "S: 354 ...",
     "R: a: first\r\n\r\n.\r\nMAIL FROM:<mrose@dbc.mtview.ca.us>\r\nRCPT TO:<kvc@ours.test>\r\nDATA\r\n",
     "S: 250 2.0.0 Accepted as ~", "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 354 ...",
     "R: a: second\r\n\r\n.\r\nQUIT\r\n", "S: 250 2.0.0 Accepted as ~", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored dan@ours.test from <mrose@dbc.mtview.ca.us> for dan@ours.test",
     "W: stored ned@ours.test from <mrose@dbc.mtview.ca.us> for ned@ours.test",
     "W: stored kvc@ours.test from <mrose@dbc.mtview.ca.us> for kvc@ours.test", "T: a: second", NULL}},
    {"2920 3.1 the same behind a message that is refused", SERVICE_SMTP, false, {
     EHLO, "R: MAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\nDATA\r\n", "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 354 ...",
     "R: a\nb\r\n.\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\n",
     "S: 550 5.6.11 ...", "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", NULL}},
    {"2920 3.1 the same with BDAT, all of two messages in one group", SERVICE_SMTP, false, {
     EHLO, "R: MAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\nBDAT 12 LAST\r\na: first\r\n\r\n"
         "MAIL FROM:<d@e.f>\r\nRCPT TO:<bob@ours.test>\r\nBDAT 2\r\na:" "BDAT 11 LAST\r\n second\r\n\r\n" "QUIT\r\n",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.0.0 Accepted as ~",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.0.0 2 octets", "S: 250 2.0.0 Accepted as ~",
     "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test",
     "W: stored bob@ours.test from <d@e.f> for bob@ours.test", "T: a: second", NULL}},
    {"2920 3.1 the same in LMTP, with as many answers between", SERVICE_LMTP, false, {
     LHLO, "R: MAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\nRCPT TO:<bob@ours.test>\r\nDATA\r\n",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.1.5 OK", "S: 354 ...",
     "R: a: b\r\n\r\n.\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\nBDAT 8 LAST\r\na: b\r\n\r\nQUIT\r\n",
     "S: 250 2.1.5 <ana@ours.test> ...", "S: 250 2.1.5 <bob@ours.test> ...",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.1.5 <ana@ours.test> ...", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test", "W: stored bob@ours.test from <a@b.c> for bob@ours.test",
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test", NULL}},
    {"2920 3.1 but nothing behind DATA itself", SERVICE_SMTP, false, {
     EHLO, "R: MAIL FROM:<a@b.c>\r\nRCPT TO:<ana@ours.test>\r\nDATA\r\na: b\r\n\r\n.\r\n",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 554 5.5.0 Wait for the answer ...", "S: <closed>", NULL}},

    /* --- RFC 3030: BDAT, BINARYMIME --- */
    {"3030 4.1 a simple chunked message", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<Sam@Random.com>", "S: 250 2.1.0 OK", "C: RCPT TO:<Susan@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 86 LAST\r\nTo: Susan@random.com\r\nFrom: Sam@random.com\r\nSubject: This is a bodyless test "
         "message\r\n",
     "S: 250 2.0.0 Accepted as ~",
     "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored Susan@ours.test from <Sam@Random.com> for Susan@ours.test",
     "T: Subject: This is a bodyless test message\r\n", NULL}},
    {"3030 4.2 BINARYMIME, pipelined", SERVICE_SMTP, false, {
     EHLO,
     "R: MAIL FROM:<ned@ymir.claremont.edu> BODY=BINARYMIME\r\nRCPT TO:<gvaudre@ours.test>\r\n"
         "RCPT TO:<jstewart@ours.test>\r\n",
     "S: 250 2.1.0 OK", "S: 250 2.1.5 OK", "S: 250 2.1.5 OK",
     "R: BDAT 39\r\nContent-Transfer-Encoding: binary\r\n\r\n12" "BDAT 12\r\n\n.\r\rbinary\n1" "BDAT 0 LAST\r\n",
     "S: 250 2.0.0 39 octets", "S: 250 2.0.0 12 octets", "S: 250 2.0.0 Accepted as ~",
     "W: stored gvaudre@ours.test from <ned@ymir.claremont.edu> for gvaudre@ours.test",
     "W: stored jstewart@ours.test from <ned@ymir.claremont.edu> for jstewart@ours.test",
     "T: \r\n\r\n12\n.\r\rbinary\n1", NULL}},
    {"3030 2 a chunk without a transaction is read all the same", SERVICE_SMTP, false, {
     "R: BDAT 6\r\nNOOP\r\nBDAT 3 LAST\r\nabcEHLO client.test\r\n", "S: 503 5.5.1 Say EHLO first",
     "S: 503 5.5.1 Say EHLO first", "S> 250 ...",
     "R: BDAT 6\r\nNOOP\r\n", "S: 503 5.5.1 MAIL first",
     "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK",
     "R: BDAT 6 LAST\r\nNOOP\r\n", "S: 554 5.5.1 No valid recipients",
     "C: NOOP", "S: 250 2.0.0 OK", NULL}},
    {"3030 2 neither DATA nor RCPT nor MAIL between chunks", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 8\r\na: b\r\n\r\n", "S: 250 2.0.0 8 octets",
     "C: DATA", "S: 503 5.5.1 The message comes by BDAT",
     "C: RCPT TO:<bob@ours.test>", "S: 503 5.5.1 ...", "C: MAIL FROM:<a@b.c>", "S: 503 5.5.1 ...",
     "C: NOOP", "S: 250 2.0.0 OK",
     "R: BDAT 3 LAST\r\nx\r\n", "S: 250 2.0.0 Accepted as ~",
     "R: BDAT 3 LAST\r\nx\r\n", "S: 503 5.5.1 MAIL first", /* after LAST it is over */
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test", NULL}},
    {"3030 2 after a refused chunk nothing counts, up to LAST", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 5\r\na: b\nBDAT 3\r\nx\r\nBDAT 3 LAST\r\nyyyMAIL FROM:<a@b.c>\r\n", "S: 550 5.6.11 An LF ...",
     "S: 503 5.5.1 A chunk before this one was refused: RSET", "S: 503 5.5.1 A chunk ...", "S: 250 2.1.0 OK", NULL}},
    {"3030 2 after a refused chunk nothing counts, up to RSET", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 2\r\n\ra", "S: 550 5.6.11 A CR ...", "C: DATA", "S: 503 5.5.1 ...",
     "C: RSET", "S: 250 2.0.0 Forgotten", "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", NULL}},
    {"3030 2 a CRLF may be cut by the end of a chunk, and the end may lack one", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 5\r\na: b\rBDAT 4 LAST\r\n\n\r\nx", "S: 250 2.0.0 5 octets", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test", "T: a: b\r\n\r\nx", NULL}},
    {"3030: a CR as the last byte of all has no LF", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 5 LAST\r\na: b\r", "S: 550 5.6.11 A CR ...", NULL}},
    {"3030 2 a size that cannot be read ends the session", SERVICE_SMTP, false, {
     EHLO, "C: BDAT x LAST", "S: 501 5.5.4 ...", "S: <closed>", NULL}},
    {"3030 2 a chunk over our size", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: BDAT 0 LAST", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <a@b.c> for ana@ours.test", NULL}},
    {"3030 3 BINARYMIME and DATA do not go together", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c> BODY=BINARYMIME", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 503 5.5.1 BODY=BINARYMIME needs BDAT",
     "R: BDAT 6 LAST\r\na: b\n\n", "S: 550 5.6.0 The header ...", NULL}},
    {"3030 3 a binary message goes on as one", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> BODY=BINARYMIME", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "R: BDAT 27 LAST\r\nFrom: ana@ours.test\r\n\r\n\n\xff\r\r", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> binary submitted", "W: relayed x@far.test", NULL}},

    /* --- RFC 3461: DSN --- */
    {"3461 10.1 what reports are asked for goes on", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> RET=HDRS ENVID=QQ314159", "S: 250 2.1.0 OK",
     "C: RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM", "S: 250 2.1.5 OK",
     "C: RCPT TO:<Carol@Ivory.EDU> NOTIFY=FAILURE ORCPT=rfc822;Carol@Ivory.EDU", "S: 250 2.1.5 OK",
     "C: RCPT TO:<Dana@Ivory.EDU> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Dana@Ivory.EDU", "S: 250 2.1.5 OK",
     "C: RCPT TO:<Fred@Bombs.AF.MIL> NOTIFY=NEVER", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit ret=headers envid=QQ314159 submitted",
     "W: relayed Bob@Example.COM notify=success orcpt=rfc822;Bob@Example.COM",
     "W: relayed Carol@Ivory.EDU notify=failure orcpt=rfc822;Carol@Ivory.EDU",
     "W: relayed Dana@Ivory.EDU notify=success,failure orcpt=rfc822;Dana@Ivory.EDU",
     "W: relayed Fred@Bombs.AF.MIL notify=never", NULL}},
    {"3461 4.1 who wants no report of a failure gets none", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test> NOTIFY=NEVER", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad1@ours.test> NOTIFY=SUCCESS", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <ana@ours.test> for ana@ours.test", NULL}},
    {"3461 5.2 the good news of a mailbox here", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> ENVID=x", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bob@ours.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@ours.test", "S: 250 2.1.5 OK",
     "C: RCPT TO:<full@ours.test> NOTIFY=SUCCESS", "S: 250 2.1.5 OK", /* not yet: the queue will tell */
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored bob@ours.test from <ana@ours.test> for bob@ours.test",
     "W: envelope <ana@ours.test> 7bit envid=x submitted",
     "W: queued full@ours.test notify=success",
     "W: delivered bob@ours.test notify=success,failure orcpt=rfc822;bob@ours.test: 2.0.0 Delivered", NULL}},
    {"3461 5.2.7.3 an address that leads to several is expanded, and they report no success", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<team@ours.test> NOTIFY=SUCCESS,DELAY", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit submitted", "W: relayed \"x y\"@far.test notify=delay",
     "W: stored ana@ours.test from <ana@ours.test> for team@ours.test",
     "W: stored bob@ours.test from <ana@ours.test> for team@ours.test",
     "W: envelope <ana@ours.test> 7bit submitted",
     "W: expanded team@ours.test notify=success,delay: 2.0.0 Delivered", NULL}},
    {"3461: the null sender is told nothing", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<>", "S: 250 2.1.0 OK", "C: RCPT TO:<bob@ours.test> NOTIFY=SUCCESS", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored bob@ours.test from <> for bob@ours.test", NULL}},
    {"3461: a stranger's address may be forged", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test> RET=FULL", "S: 555 5.5.4 RET ...",
     "C: MAIL FROM:<x@far.test>", "S: 250 2.1.0 OK", "C: RCPT TO:<bob@ours.test> NOTIFY=SUCCESS", "S: 555 5.5.4 NOTIFY ...",
     NULL}},

    /* --- RFC 3865: NO-SOLICITING --- */
    {"3865 2 advertising of an unwanted kind is refused, by MAIL and by its field", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<save@example.com> SOLICIT=org.example:ADV:ADLT", "S: 550 5.7.1 ...",
     "C: MAIL FROM:<save@example.com> SOLICIT=net.example:x,com.example:y", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: Solicitation: net.example:x,\r\n org.example:adv:adlt\r\n\r\n.\r\n", "S: 550 5.7.1 ...",
     "C: MAIL FROM:<save@example.com> SOLICIT=net.example:x,com.example:y", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: Solicitation: net.example:x\r\n\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <save@example.com> for ana@ours.test",
     "T: \r\n\t(SOLICIT=net.example:x,com.example:y)\r\n", NULL}},

    /* --- RFC 4865: FUTURERELEASE --- */
    {"4865 4 held until then, also for those who are here", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> HOLDFOR=3600", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bob@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit hold+60m submitted", "W: relayed x@far.test", "W: queued bob@ours.test", NULL}},
    {"4865 4 a moment that is over holds nothing", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> HOLDUNTIL=2007-05-01T12:00:00Z", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bob@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "x\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored bob@ours.test from <ana@ours.test> for bob@ours.test", NULL}},
    {"4865 4 no longer than we offer, and not both", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> HOLDFOR=999999999", "S: 501 5.5.4 ...",
     "C: MAIL FROM:<ana@ours.test> HOLDUNTIL=2999-05-01T12:00:00Z", "S: 501 5.5.4 ...",
     "C: MAIL FROM:<ana@ours.test> HOLDFOR=1 HOLDUNTIL=2027-05-01T12:00:00Z", "S: 501 5.5.4 ...", NULL}},
    {"4865 3 for submission only", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<a@b.c> HOLDFOR=3600", "S: 555 5.5.4 HOLDFOR ...", NULL}},

    /* --- RFC 4954: AUTH= --- */
    {"4954 5 AUTH= is read, and nobody is believed", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com", "S: 250 2.1.0 OK",
     "C: RSET", "S: 250 2.0.0 Forgotten", "C: MAIL FROM:<john@example.org> AUTH=<>", "S: 250 2.1.0 OK",
     "C: RSET", "S: 250 2.0.0 Forgotten", "C: MAIL FROM:<a@b.c> AUTH=+", "S: 501 5.5.4 AUTH ...", NULL}},

    /* --- RFC 5321 --- */
    {"5321 D.1 a typical transaction", SERVICE_SMTP, false, {
     "C: EHLO bar.com", "S> 250 ...",
     "C: MAIL FROM:<Smith@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<Jones@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<unknown.Green@ours.test>", "S: 550 5.1.1 ...",
     "C: RCPT TO:<Brown@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: Blah blah blah...\r\n...etc. etc. etc.\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored Brown@ours.test from <Smith@bar.com> for Brown@ours.test",
     "W: stored Jones@ours.test from <Smith@bar.com> for Jones@ours.test", "T: \r\n..etc. etc. etc.\r\n", NULL}},
    {"5321 D.2 a transaction that is given up", SERVICE_SMTP, false, {
     "C: EHLO bar.com", "S> 250 ...",
     "C: MAIL FROM:<Smith@bar.com>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<Jones@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<unknown.Green@ours.test>", "S: 550 5.1.1 ...",
     "C: RSET", "S: 250 2.0.0 Forgotten", "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>", NULL}},
    {"5321 D.4 verifying: neither yes nor no", SERVICE_SMTP, false, {
     "C: EHLO bar.com", "S> 250 ...", "C: VRFY Crispin", "S: 252 2.0.0 ...", "C: EXPN Mail-List", "S: 502 5.5.1 ...",
     "C: MAIL FROM:<EAK@bar.com>", "S: 250 2.1.0 OK", NULL}},
    {"5321 3.3 a source route is dropped", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<@a.test,@b.test:x@far.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<@relay.test:ana@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <x@far.test> for ana@ours.test", NULL}},

    /* --- RFC 6531: SMTPUTF8 --- */
    {"6531 3.4 addresses in UTF-8, only with SMTPUTF8", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<\xd0\xb0\xd0\xbd\xd0\xb0@far.test>", "S: 553 5.6.7 ...",
     "C: MAIL FROM:<x@far.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<\xd0\xb0\xd0\xbd\xd0\xb0@ours.test>", "S: 553 5.6.7 ...",
     "C: RSET", "S: 250 2.0.0 Forgotten",
     "C: MAIL FROM:<\xd0\xb0\xd0\xbd\xd0\xb0@far.test> BODY=8BITMIME SMTPUTF8", "S: 250 2.1.0 OK",
     "C: RCPT TO:<\xc5\xbdika@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<unknown\xc5\xbd@ours.test>", "S: 550 5.1.1 <unknown\xc5\xbd@ours.test>: ...",
     "C: DATA", "S: 354 ...", "R: Subject: \xc5\xbd\r\n\r\nx\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored \xc5\xbdika@ours.test from <\xd0\xb0\xd0\xbd\xd0\xb0@far.test> for \xc5\xbdika@ours.test",
     "T: with UTF8SMTP id ", "T: for <\xc5\xbdika@ours.test>", NULL}},
    {"6531 3.4 asked for and not needed: it can go anywhere", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> SMTPUTF8", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER "\xc5\xbd\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 8bit submitted", "W: relayed x@far.test", NULL}},
    {"6532 3.2 UTF-8 in the header needs it", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> SMTPUTF8", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: From: ana@ours.test\r\nSubject: \xc5\xbd\r\n\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 8bit utf8 submitted", "W: relayed x@far.test", NULL}},
    {"6532 3.2 UTF-8 in the header of a part needs it", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> SMTPUTF8", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...",
     "R: From: ana@ours.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         "Content-Disposition: attachment; filename=\"\xc5\xbd\"\r\n\r\nx\r\n--b--\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 8bit utf8 submitted", "W: relayed x@far.test", NULL}},
    {"the queue is for programs of this machine", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: XQUEUE LIST 0", "S: 502 5.5.1 ...", "C: XQUEUE RETRY", "S: 502 5.5.1 ...",
     "C: XQUEUE", "S: 501 5.5.4 ...", NULL}},
    {"6531 3.7.4 VRFY and EXPN take SMTPUTF8", SERVICE_SMTP, false, {
     EHLO, "C: VRFY \xc5\xbdika SMTPUTF8", "S: 252 2.0.0 ...", "C: EXPN \xc5\xbdika SMTPUTF8", "S: 502 5.5.1 ...",
     NULL}},

    /* --- RFC 6710: MT-PRIORITY --- */
    {"6710 4 a stranger's mail is not urgent, but may wait", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<eljefe@example.net> MT-PRIORITY=6", "S: 250 2.3.6 0 is the new priority",
     "C: RSET", "S: 250 2.0.0 Forgotten",
     "C: MAIL FROM:<eljefe@example.net> MT-PRIORITY=-4", "S: 250 2.1.0 OK",
     "C: RCPT TO:<team@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <eljefe@example.net> 7bit priority=-4", "W: relayed \"x y\"@far.test",
     "W: stored ana@ours.test from <eljefe@example.net> for team@ours.test",
     "W: stored bob@ours.test from <eljefe@example.net> for team@ours.test",
     "T: \r\n\tpriority -4\r\n", NULL}},
    {"6710 4 a user's priority goes on", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test> MT-PRIORITY=3", "S: 250 2.1.0 OK", "C: RCPT TO:<x@far.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: envelope <ana@ours.test> 7bit priority=3 submitted", "W: relayed x@far.test", NULL}},

    /* --- draft-hall-prdr, and Exim's src/receive.c --- */
    {"PRDR: 353, a line for each recipient, the last word", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test> PRDR", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 353 ...", "S: 550 5.7.1 Refused by a rule",
     "S: 250 2.1.5 <ana@ours.test> has it as ~", "S: 452 4.2.2 The mailbox is full", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <x@far.test> for ana@ours.test", NULL}},
    {"PRDR: nobody has it", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test> PRDR", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<bar.bad@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad2@ours.test>", "S: 250 2.1.5 OK",
     "C: RSET", "S: 250 2.0.0 Forgotten",
     "C: MAIL FROM:<x@far.test> PRDR", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<bad2@ours.test>", "S: 250 2.1.5 OK",
     "R: BDAT 8 LAST\r\na: b\r\n\r\n", "S: 353 ...", "S: 550 5.7.1 ...", "S: 550 5.7.1 ...", "S: 550 5.0.0 Nobody has it", NULL}},
    {"PRDR: a single recipient has a single answer, and a bad message too", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test> PRDR", "S: 250 2.1.0 OK", "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 452 4.2.2 The mailbox is full",
     "C: MAIL FROM:<x@far.test> PRDR", "S: 250 2.1.0 OK",
     "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<bob@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a\rb\r\n.\r\n", "S: 550 5.6.11 ...", "C: NOOP", "S: 250 2.0.0 OK", NULL}},

    /* --- DESIGN: one message, several local recipients, different fates --- */
    {"fork: one has it, one may still, one will not; a stranger is told nothing", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <x@far.test> for ana@ours.test",
     "W: envelope <x@far.test> 7bit", "W: queued full@ours.test", NULL}},
    {"fork: the same, and our user is told", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<ana@ours.test>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <ana@ours.test> for ana@ours.test",
     "W: envelope <ana@ours.test> 7bit submitted", "W: reported bad@ours.test: 5.7.1 Refused by a rule",
     "W: queued full@ours.test", NULL}},
    {"fork: the null sender is told nothing", SERVICE_SUBMISSIONS, true, {
     LOGIN, "C: MAIL FROM:<>", "S: 250 2.1.0 OK", "C: RCPT TO:<ana@ours.test>", "S: 250 2.1.5 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: " HEADER ".\r\n", "S: 250 2.0.0 Accepted as ~",
     "W: stored ana@ours.test from <> for ana@ours.test", NULL}},
    {"fork: nobody has it, and one may still", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<full@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 452 4.2.2 The mailbox is full (and 1 others)", NULL}},
    {"fork: nobody has it, and nobody will", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<x@far.test>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK", "C: RCPT TO:<bad@ours.test>", "S: 250 2.1.5 OK",
     "C: DATA", "S: 354 ...", "R: a: b\r\n\r\n.\r\n", "S: 550 5.7.1 Refused by a rule", NULL}},

    /* --- RFC 8460: reports about TLS --- */
    {"8460 5.3 a report that comes for us is read when it is stored", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<Postmaster@ours.test>", "S: 250 2.1.5 OK", "C: DATA", "S: 354 ...",
     "R: Content-Type: application/tlsrpt+json\r\n\r\n{\"organization-name\": \"Company-X\", \"policies\": [{\"policy\": "
     "{\"policy-domain\": \"ours.test\"},\r\n\"summary\": {\"total-successful-session-count\": 5326, "
     "\"total-failure-session-count\": 303},\r\n\"failure-details\": [{\"result-type\": \"certificate-expired\", "
     "\"failed-session-count\": 303}]}]}\r\n.\r\n",
     "S: 250 2.0.0 Accepted as ~", "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored Postmaster@ours.test from <> for Postmaster@ours.test",
     "W: report read by Postmaster@ours.test",
     "W: report of Company-X about ours.test: 5326 good, 303 failed: certificate-expired 303", NULL}},
    {"8460 5.3 not one that is for somebody else", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<bob@ours.test>", "S: 250 2.1.5 OK", "C: DATA", "S: 354 ...",
     "R: Content-Type: application/tlsrpt+json\r\n\r\n{\"policies\": []}\r\n.\r\n",
     "S: 250 2.0.0 Accepted as ~", "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored bob@ours.test from <> for bob@ours.test", NULL}},
    {"8460 5.3 one that cannot be read is mail like any", SERVICE_SMTP, false, {
     EHLO, "C: MAIL FROM:<>", "S: 250 2.1.0 OK",
     "C: RCPT TO:<postmaster@ours.test>", "S: 250 2.1.5 OK", "C: DATA", "S: 354 ...",
     "R: TLS-Report-Domain: ours.test\r\n\r\nhello\r\n.\r\n",
     "S: 250 2.0.0 Accepted as ~", "C: QUIT", "S: 221 2.0.0 Goodbye", "S: <closed>",
     "W: stored postmaster@ours.test from <> for postmaster@ours.test",
     "W: report read by postmaster@ours.test", NULL}},

    /* --- what is no SMTP --- */
    {"a TLS handshake where none was agreed on", SERVICE_SMTP, false, {
     "R: \x16\x03\x01\x02\x01\x01", "S: 554 5.5.1 This port begins without TLS: ...", "S: <closed>", NULL}},
};
// clang-format on

#endif
