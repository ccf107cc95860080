/* The text of a part, as a reader would see it. */
#include "message/decode.h"
#include "message/html.h"

void decode_text_part(struct str message, const struct mime_part *part, struct buf *utf8)
{
    struct str body = str_slice(message, part->body_at, part->body_size);
    struct str charset = mime_param(part->params, part->param_count, STR("charset"));
    CLEAN_BUF struct buf bytes, html;
    buf_init(&bytes, BUF_MAX_DEFAULT);
    buf_init(&html, BUF_MAX_DEFAULT);
    if (part->encoding == MIME_QUOTED_PRINTABLE || part->encoding == MIME_BASE64) {
        decode_transfer(body, part->encoding, &bytes);
        body = buf_str(&bytes);
    }
    bool is_html = str_eq(part->subtype, STR("html"));
    decode_charset(body, charset, is_html ? &html : utf8);
    if (is_html)
        html_to_text(buf_str(&html), utf8);
}
