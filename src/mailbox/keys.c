#include "mailbox/keys.h"

#include "message/address.h"
#include "message/base_subject.h"
#include "message/date.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/message_id.h"

/* --- from the header --- */

static struct str key_of(struct str utf8, struct arena *a)
{
    CLEAN_BUF struct buf key;
    buf_init(&key, BUF_MAX_DEFAULT);
    decode_casemap(str_slice(utf8, 0, 2 * KEY_MAX), &key);
    return arena_copy(a, str_slice(buf_str(&key), 0, KEY_MAX));
}

static struct str decoded(struct str value, struct arena *a)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    decode_words(str_slice(value, 0, HEADER_VALUE_MAX), &text);
    return arena_copy(a, str_trim(buf_str(&text)));
}

/* RFC 5957 section 2: the display name, else the whole address. A group has the name alone. */
static struct str display_of(const struct address *first, struct arena *a)
{
    struct str name = decoded(first->name, a);
    if (name.n > 0 || first->group_start)
        return key_of(name, a);
    return key_of(arena_printf(a, "%.*s@%.*s", STR_ARGS(first->local), STR_ARGS(first->domain)), a);
}

/* RFC 5256 section 3: the addr-mailbox of the first address, which for a group is its name. */
static struct str mailbox_of(const struct address *first, struct arena *a)
{
    return key_of(decoded(first->group_start ? first->name : first->local, a), a);
}

static void take_addresses(struct str value, struct arena *a, struct str *mailbox, struct str *display)
{
    struct address_list list = address_parse_list(str_slice(value, 0, HEADER_VALUE_MAX), a);
    if (list.n == 0)
        return;
    *mailbox = mailbox_of(&list.v[0], a);
    if (display)
        *display = display_of(&list.v[0], a);
}

static int64_t sent_at(struct str value)
{
    int64_t at;
    int zone;
    return date_parse(str_trim(value), &at, &zone) == DATE_OK ? at : SENT_UNKNOWN;
}

/* FNV-1a, its bits mixed once more. Two of a million Message-IDs are the same by chance once in 30 million
 * accounts; who makes them so on purpose could as well have named the other in References. */
int64_t link_hash(struct str id)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 0x100000001b3u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h = (h ^ h >> 32) >> 1; /* positive, as SQL's integers go */
    return h ? (int64_t)h : 1;
}

static void add_link(struct buf *out, int64_t hash)
{
    char bytes[LINK_BYTES];
    for (size_t i = 0; i < LINK_BYTES; i++)
        bytes[i] = (char)((uint64_t)hash >> 8 * (LINK_BYTES - 1 - i));
    buf_add(out, str_from(bytes, LINK_BYTES));
}

int64_t link_at(struct str links, size_t at)
{
    uint64_t h = 0;
    if (links.n / LINK_BYTES <= at)
        return 0;
    for (size_t i = 0; i < LINK_BYTES; i++)
        h = h << 8 | (unsigned char)links.p[at * LINK_BYTES + i];
    return (int64_t)h;
}

/* The last LINKS_MAX of the ids in a field. */
static struct str links_of(struct str value, struct arena *a)
{
    CLEAN_BUF struct buf id, links;
    buf_init(&id, HEADER_VALUE_MAX);
    buf_init(&links, BUF_MAX_DEFAULT);
    for (struct str rest = str_slice(value, 0, HEADER_VALUE_MAX); message_id_take(&rest, &id);)
        add_link(&links, link_hash(buf_str(&id)));
    size_t max = (size_t)LINKS_MAX * LINK_BYTES;
    return arena_copy(a, str_from_offset(buf_str(&links), links.n > max ? links.n - max : 0));
}

/* The fields that matter; of each the first counts. */
enum field { FROM, TO, CC, SUBJECT, DATE, MESSAGE_ID, IN_REPLY_TO, REFERENCES, FIELDS };
static const struct str NAMES[FIELDS] = {
    STR_INIT("From"), STR_INIT("To"),         STR_INIT("Cc"),          STR_INIT("Subject"),
    STR_INIT("Date"), STR_INIT("Message-ID"), STR_INIT("In-Reply-To"), STR_INIT("References"),
};

static void find_fields(struct str header, struct str values[FIELDS])
{
    bool has[FIELDS] = {false};
    for (int i = 0; i < FIELDS; i++)
        values[i] = STR("");
    for (struct header_field f; header_next(&header, &f);)
        for (int i = 0; i < FIELDS; i++)
            if (!has[i] && str_eq_nocase(f.name, NAMES[i])) {
                has[i] = true;
                values[i] = f.value;
            }
}

void keys_of_header(struct str header, struct arena *a, struct body_keys *out, struct str *answers)
{
    struct str values[FIELDS];
    find_fields(header, values);
    *out = (struct body_keys){.sent = sent_at(values[DATE])};
    out->subject = key_of(base_subject(values[SUBJECT], a, &out->is_reply), a);
    take_addresses(values[FROM], a, &out->sender, &out->display_from);
    take_addresses(values[TO], a, &out->recipient, &out->display_to);
    take_addresses(values[CC], a, &out->copied, NULL);
    struct str own = links_of(values[MESSAGE_ID], a), references = links_of(values[REFERENCES], a);
    *answers = links_of(values[IN_REPLY_TO], a);
    if (references.n == 0) /* RFC 5256 section 3, REFERENCES step 1.A */
        references = str_slice(*answers, 0, LINK_BYTES);
    CLEAN_BUF struct buf links;
    buf_init(&links, BUF_MAX_DEFAULT);
    add_link(&links, link_at(own, 0));
    buf_add(&links, references);
    out->links = arena_copy(a, own.n + references.n > 0 ? buf_str(&links) : STR(""));
}

/* --- in the database --- */

MAIL_STATEMENT(
    INSERT,
    "INSERT INTO body_key(body, thread, sent, is_reply, subject, sender, recipient, copied, display_from,"
    " display_to, links) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT(body) DO UPDATE "
    "SET sent = $3, is_reply = $4, subject = $5,"
    " sender = $6, recipient = $7, copied = $8, display_from = $9, display_to = $10, links = $11");
MAIL_STATEMENT(DELETE, "DELETE FROM body_key WHERE body = $1");
MAIL_STATEMENT(THREAD_OF_LINK, "SELECT thread FROM thread_link WHERE hash = $1");
MAIL_STATEMENT(INSERT_LINK,
               "INSERT INTO thread_link(hash, thread) VALUES($1, $2) ON CONFLICT(hash) DO NOTHING");

/* The thread that one of the links belongs to, the last of them first. 0: none is known. */
static bool find_thread(struct sql *db, struct str links, int64_t *thread, struct err *e)
{
    for (size_t i = links.n / LINK_BYTES; i-- > 0 && *thread == 0;) {
        int64_t hash = link_at(links, i);
        if (hash != 0 && sql_one_int(db, &THREAD_OF_LINK, SQL(sql_int(hash)), thread, e) < 0)
            return false;
    }
    return true;
}

static bool write_links(struct sql *db, struct str links, int64_t thread, struct err *e)
{
    for (size_t i = 0; i < links.n / LINK_BYTES; i++) {
        int64_t hash = link_at(links, i);
        if (hash != 0 && !sql_exec(db, &INSERT_LINK, SQL(sql_int(hash), sql_int(thread)), NULL, e))
            return false;
    }
    return true;
}

bool keys_write(struct sql *db, int64_t body, const struct body_keys *k, struct str answers, struct err *e)
{
    /* Somebody has named this message already; or it names others, its parent first. What had two ids before
     * this one came to join them keeps both (RFC 8474 section 5.2: an id never changes). */
    int64_t thread = 0;
    if (!find_thread(db, str_slice(k->links, 0, LINK_BYTES), &thread, e) ||
        !find_thread(db, answers, &thread, e) ||
        !find_thread(db, str_from_offset(k->links, LINK_BYTES), &thread, e))
        return false;
    if (thread == 0)
        thread = body;
    return write_links(db, k->links, thread, e) && write_links(db, answers, thread, e) &&
           sql_exec(db, &INSERT,
                    SQL(sql_int(body), sql_int(thread),
                        k->sent != SENT_UNKNOWN ? sql_int(k->sent) : sql_null(), sql_int(k->is_reply),
                        sql_blob(k->subject), sql_blob(k->sender), sql_blob(k->recipient),
                        sql_blob(k->copied), sql_blob(k->display_from), sql_blob(k->display_to),
                        sql_blob(k->links)),
                    NULL, e);
}

bool keys_delete(struct sql *db, int64_t body, struct err *e)
{
    return sql_exec(db, &DELETE, SQL(sql_int(body)), NULL, e);
}
