/* ENVELOPE and BODYSTRUCTURE in the form in which IMAP sends them (RFC 9051 section 7.5.2), made once when a
 * message arrives; BODY is what remains of BODYSTRUCTURE without its extension data (imap/structure.h).
 * Strings are quoted where they may be and literals {n} where they must (8-bit, CR, LF, over 1000 bytes).
 * Encoded words and RFC 2231 parameters ("name*0*") stay as they stand in the message: it is the client that
 * decodes them, and decoding twice would break names. */
#ifndef MESSAGE_IMAP_FORM_H
#define MESSAGE_IMAP_FORM_H
#include "base/buf.h"
#include "message/mime.h"

/* "(" date subject from ... ")". What is needed meanwhile is taken from `a`, here and below. */
void imap_form_envelope(struct str message, struct arena *a, struct buf *out);
/* BODYSTRUCTURE */
void imap_form_structure(struct str message, const struct mime_part *root, struct arena *a, struct buf *out);
void imap_form_string(struct str s, struct buf *out);  /* nstring with "" for empty: quoted or literal */
void imap_form_nstring(struct str s, struct buf *out); /* NIL for empty */

#endif
