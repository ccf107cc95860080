/* The values of MIME's structured fields: `type/subtype; name=value; ...` (RFC 2045 section 5.1), with the
 * parameter continuations and charsets of RFC 2231 and the encoded words that clients put into file names.
 * Inside the module only. */
#ifndef MESSAGE_MIME_VALUE_H
#define MESSAGE_MIME_VALUE_H
#include "message/mime.h"

#define MIME_PARAMS_MAX 100 /* of one field; real ones have under ten, RFC 2231 pieces included */

/* The text in front of the parameters, up to ';', without comments and outer white space. *in then stands at
 * the parameters. "text / plain" comes as "text/plain". */
struct str mime_take_value(struct str *in, struct arena *a);

/* The next parameter as it stands in the message: the name with its RFC 2231 stars, the value without quotes,
 * escapes and folding. False: no more. */
bool mime_take_param(struct str *in, struct arena *a, struct mime_param *out);

/* All parameters, RFC 2231 pieces joined, values decoded to UTF-8. Returns how many. */
size_t mime_take_params(struct str in, struct arena *a, struct mime_param **out);

#endif
