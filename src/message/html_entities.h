/* Named characters of HTML 4.01 section 24 and XML's apos, in the order of strcmp. Inside the module only. */
#ifndef MESSAGE_HTML_ENTITIES_H
#define MESSAGE_HTML_ENTITIES_H
#include "base/str.h"

#define HTML_ENTITY_MAX 8 /* bytes of the longest name */

/* The character that the name (without & and ;) stands for; 0: there is none of that name. */
uint32_t html_entity(struct str name);

#endif
