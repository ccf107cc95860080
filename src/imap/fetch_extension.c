/* What extensions let a client ask of a message: PREVIEW (RFC 8970), SAVEDATE (RFC 8514), EMAILID and
 * THREADID (RFC 8474). */
#include "imap/fetch.h"
#include "imap/objectid.h"
#include "mailbox/search.h"
#include "message/date.h"
#include "message/imap_form.h"

/* NIL where the store fails; the command then ends in NO. */
static bool add_failed(struct fetch *f, enum store_result r)
{
    if (r == STORE_OK)
        return false;
    buf_add(&f->out, STR("NIL"));
    f->result = r;
    return true;
}

static void add_preview(struct fetch *f)
{
    struct str preview = f->row->preview;
    fetch_add_name(f, STR("PREVIEW"));
    if (!f->row->has_preview && f->request->items & FETCH_PREVIEW_LAZY) {
        buf_add(&f->out, STR("NIL")); /* section 4.1: it would take work */
        return;
    }
    if (!f->row->has_preview && add_failed(f, store_fetch_preview(f->rows, &preview, &f->err)))
        return;
    imap_form_string(preview, &f->out);
}

static void add_save_date(struct fetch *f)
{
    fetch_add_name(f, STR("SAVEDATE"));
    buf_add_byte(&f->out, '"');
    date_add_imap(&f->out, f->row->row.saved, date_local_zone(f->row->row.saved));
    buf_add_byte(&f->out, '"');
}

static void add_id(struct fetch *f, enum imap_object kind, int64_t number)
{
    buf_add_byte(&f->out, '(');
    imap_add_objectid(&f->out, kind, number);
    buf_add_byte(&f->out, ')');
}

static void add_thread_id(struct fetch *f)
{
    uint64_t thread;
    fetch_add_name(f, STR("THREADID"));
    enum store_result r = store_thread_id(f->session->store, f->row->row.body, &thread, &f->err);
    if (!add_failed(f, r))
        add_id(f, IMAP_OBJECT_THREAD, (int64_t)thread);
}

void fetch_add_extensions(struct fetch *f)
{
    unsigned items = f->request->items;
    if (items & FETCH_SAVEDATE)
        add_save_date(f);
    if (items & FETCH_EMAILID) {
        fetch_add_name(f, STR("EMAILID"));
        add_id(f, IMAP_OBJECT_EMAIL, f->row->row.body);
    }
    if (items & FETCH_THREADID)
        add_thread_id(f);
    if (items & FETCH_PREVIEW)
        add_preview(f);
}
