/* The text of an HTML page, for searching and previews. Inside the module only. */
#ifndef MESSAGE_HTML_H
#define MESSAGE_HTML_H
#include "base/buf.h"

/* Tags, comments, script and style are left out, entities resolved; tags that begin a block or a cell become
 * a line end, others nothing, so that "w<b>or</b>d" is one word. Valid UTF-8 in gives valid UTF-8. */
void html_to_text(struct str html, struct buf *text);

/* The same of what the sender wrote: the page's title is left out, and of each blockquote a line ">" remains.
 */
void html_to_own_text(struct str html, struct buf *text);

#endif
