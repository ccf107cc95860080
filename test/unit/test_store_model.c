/* Random operations on the store and on a model in memory, which must agree all the time: by view, by status,
 * and by a view that is only ever brought up to date with changes. */
#include "store_fixture.h"

#include "base/mem.h"

#define FOLDERS      3
#define OPERATIONS   1500
#define MESSAGES_MAX 4000

struct model_message {
    bool is_there;
    uint32_t flags;
    char keywords[8]; /* a subset of "a b c" */
    uint32_t size;
    uint32_t stamp; /* in its body, so that a copy can be told to have the right one */
};

struct model_folder {
    int64_t id;
    struct model_message m[MESSAGES_MAX]; /* by uid */
    uint32_t uidnext;
    struct view view; /* brought up to date with changes alone */
    struct arena arena;
};

struct model {
    struct fixture *f;
    struct model_folder folder[FOLDERS];
    uint64_t seed;
};

static uint32_t pick(struct model *m, uint32_t below)
{
    return next_random(&m->seed) % below;
}

static void keywords_text(unsigned set, char out[8])
{
    size_t n = 0;
    for (unsigned i = 0; i < 3; i++)
        if (set & 1u << i) {
            if (n > 0)
                out[n++] = ' ';
            out[n++] = (char)('a' + i);
        }
    out[n] = '\0';
}

static unsigned keywords_set(const char *text)
{
    unsigned set = 0;
    for (; *text; text++)
        if (*text != ' ')
            set |= 1u << (*text - 'a');
    return set;
}

/* Some of the uids that there are or were, ascending. */
static size_t pick_uids(struct model *m, const struct model_folder *folder, uint32_t *uids)
{
    uint32_t from = 1 + pick(m, folder->uidnext), step = 1 + pick(m, pick(m, 2) ? 1 : 90), n = 0;
    uint32_t most = 1 + pick(m, 60);
    for (uint32_t uid = from; uid < folder->uidnext + 2 && n < most; uid += step)
        uids[n++] = uid;
    return n;
}

static void do_append(struct model *m, struct model_folder *folder)
{
    struct store_append items[8];
    char texts[8][64], keywords[8][8];
    size_t n = 1 + pick(m, 8);
    if (folder->uidnext + n >= MESSAGES_MAX)
        return;
    for (size_t i = 0; i < n; i++) {
        struct model_message *new = &folder->m[folder->uidnext];
        *new = (struct model_message){
            .is_there = true, .flags = pick(m, FLAG_ALL + 1), .stamp = pick(m, 1u << 30)};
        keywords_text(pick(m, 8), keywords[i]);
        memcpy(new->keywords, keywords[i], sizeof keywords[i]);
        new->size = (uint32_t)snprintf(texts[i], sizeof texts[i], "Subject: %u\r\n\r\n", new->stamp);
        items[i] = (struct store_append){.mailbox = folder->id,
                                         .bytes = str_from_c(texts[i]),
                                         .flags = new->flags,
                                         .keywords = str_from_c(keywords[i])};
        folder->uidnext++;
    }
    assert_int_equal(store_append(m->f->store, items, n, &m->f->e), STORE_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(items[i].uid, folder->uidnext - n + i);
}

static bool model_flag(struct model_message *msg, const struct flag_store *f, unsigned keywords)
{
    unsigned have = keywords_set(msg->keywords), want;
    uint32_t flags;
    switch (f->how) {
    case FLAGS_ADD:
        flags = msg->flags | f->flags;
        want = have | keywords;
        break;
    case FLAGS_REMOVE:
        flags = msg->flags & ~f->flags;
        want = have & ~keywords;
        break;
    default:
        flags = f->flags;
        want = keywords;
        break;
    }
    bool is_changed = flags != msg->flags || want != have;
    msg->flags = flags;
    keywords_text(want, msg->keywords);
    return is_changed;
}

static void do_flags(struct model *m, struct model_folder *folder)
{
    uint32_t uids[100];
    char keywords[8];
    size_t n = pick_uids(m, folder, uids), changed = 0;
    unsigned set = pick(m, 3) ? 0 : pick(m, 8);
    keywords_text(set, keywords);
    struct flag_store f = {(enum flag_change)pick(m, 3), pick(m, FLAG_ALL + 1), str_from_c(keywords),
                           UINT64_MAX};
    struct view_changes out;
    assert_int_equal(
        store_flags(m->f->store, folder->id, uids, n, &f, &m->f->arena, &out, NULL, NULL, &m->f->e),
        STORE_OK);
    for (size_t i = 0; i < n; i++) {
        if (uids[i] >= folder->uidnext || !folder->m[uids[i]].is_there)
            continue;
        if (!model_flag(&folder->m[uids[i]], &f, set))
            continue;
        assert_true(changed < out.changed_count);
        assert_int_equal(out.changed[changed].uid, uids[i]);
        assert_int_equal(out.changed[changed].flags, folder->m[uids[i]].flags);
        assert_true(str_eq(out.changed[changed].keywords, str_from_c(folder->m[uids[i]].keywords)));
        changed++;
    }
    assert_int_equal(out.changed_count, changed);
}

static void do_expunge(struct model *m, struct model_folder *folder)
{
    uint32_t uids[100], *gone;
    bool regardless = pick(m, 4) == 0, all = !regardless && pick(m, 6) == 0;
    size_t n = pick_uids(m, folder, uids), count, expected = 0;
    assert_int_equal(store_expunge(m->f->store, folder->id, all ? NULL : uids, all ? 0 : n, regardless,
                                   &m->f->arena, &gone, &count, &m->f->e),
                     STORE_OK);
    for (uint32_t i = 0; i < (all ? folder->uidnext : n); i++) {
        uint32_t uid = all ? i : uids[i];
        struct model_message *msg = &folder->m[uid];
        if (uid >= folder->uidnext || !msg->is_there || (!regardless && !(msg->flags & FLAG_DELETED)))
            continue;
        assert_true(expected < count);
        assert_int_equal(gone[expected++], uid);
        msg->is_there = false;
    }
    assert_int_equal(count, expected);
}

static void do_copy(struct model *m, struct model_folder *from, struct model_folder *to)
{
    uint32_t uids[100], *from_uids, *to_uids, uidvalidity;
    bool move = pick(m, 2);
    size_t n = pick_uids(m, from, uids), count, expected = 0;
    uint32_t end = from->uidnext;
    if (to->uidnext + n >= MESSAGES_MAX)
        return;
    assert_int_equal(store_copy(m->f->store, from->id, uids, n, to->id, move, NULL, &m->f->arena, &from_uids,
                                &to_uids, &count, &uidvalidity, &m->f->e),
                     STORE_OK);
    for (size_t i = 0; i < n; i++) {
        if (uids[i] >= end || !from->m[uids[i]].is_there)
            continue;
        assert_true(expected < count);
        assert_int_equal(from_uids[expected], uids[i]);
        assert_int_equal(to_uids[expected++], to->uidnext);
        to->m[to->uidnext++] = from->m[uids[i]];
        from->m[uids[i]].is_there = !move;
    }
    assert_int_equal(count, expected);
}

static void compare_view(const struct model_folder *folder, const struct view *v)
{
    size_t at = 0;
    for (uint32_t uid = 1; uid < folder->uidnext; uid++) {
        const struct model_message *msg = &folder->m[uid];
        if (!msg->is_there)
            continue;
        assert_true(at < v->n);
        assert_int_equal(v->v[at].uid, uid);
        assert_int_equal(v->v[at].flags & FLAG_ALL, msg->flags);
        assert_true(str_eq(view_keywords(v, at), str_from_c(msg->keywords)));
        assert_true(v->modseqs[at] > 0 && v->modseqs[at] <= v->modseq);
        at++;
    }
    assert_int_equal(at, v->n);
}

static void compare_status(struct model *m, const struct model_folder *folder)
{
    struct mailbox box;
    uint32_t messages = 0, unseen = 0, deleted = 0;
    uint64_t size = 0;
    assert_int_equal(store_mailbox_by_id(m->f->store, folder->id, &m->f->arena, &box, &m->f->e), STORE_OK);
    for (uint32_t uid = 1; uid < folder->uidnext; uid++)
        if (folder->m[uid].is_there) {
            messages++;
            unseen += !(folder->m[uid].flags & FLAG_SEEN);
            deleted += !!(folder->m[uid].flags & FLAG_DELETED);
            size += folder->m[uid].size;
        }
    assert_int_equal(box.messages, messages);
    assert_int_equal(box.unseen, unseen);
    assert_int_equal(box.deleted, deleted);
    assert_int_equal(box.size, size);
    assert_int_equal(box.uidnext, folder->uidnext);
    uint64_t known = store_highestmodseq(m->f->store, folder->id);
    assert_true(known == 0 || known == box.highestmodseq);
}

/* As a session would. */
static void bring_up_to_date(struct model *m, struct model_folder *folder)
{
    struct view *v = &folder->view;
    struct view_changes changes;
    assert_int_equal(
        store_view_changes(m->f->store, folder->id, v->modseq, &folder->arena, &changes, &m->f->e), STORE_OK);
    for (size_t i = 0; i < changes.changed_count; i++) {
        size_t row = view_place(v, changes.changed[i].uid);
        if (row == v->n)
            view_add(v, &changes.changed[i]);
        else if (v->v[row].uid == changes.changed[i].uid)
            view_change(v, row, &changes.changed[i]);
        else
            fail_msg("a new message has an old uid");
    }
    for (size_t i = 0; i < changes.expunged_count; i++) {
        assert_true(i == 0 || changes.expunged[i - 1] < changes.expunged[i]);
        size_t row = view_place(v, changes.expunged[i]);
        if (row == v->n || v->v[row].uid != changes.expunged[i])
            continue; /* it has come and gone since */
        for (v->n--; row < v->n; row++)
            view_move(v, row, row + 1);
    }
    view_pack(v);
    assert_true(changes.modseq >= v->modseq);
    v->modseq = changes.modseq;
}

static void compare_bodies(struct model *m, const struct model_folder *folder)
{
    for (uint32_t uid = 1; uid < folder->uidnext; uid++) {
        if (!folder->m[uid].is_there)
            continue;
        char want[64];
        snprintf(want, sizeof want, "Subject: %u\r\n\r\n", folder->m[uid].stamp);
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(read_body(m->f, folder->id, uid, 0, UINT64_MAX, &out), STORE_OK);
        assert_true(str_eq(buf_str(&out), str_from_c(want)));
    }
}

static void check(struct model *m, struct model_folder *folder)
{
    bring_up_to_date(m, folder);
    compare_view(folder, &folder->view);
    compare_status(m, folder);
    struct view fresh = {0};
    assert_int_equal(store_view_load(m->f->store, folder->id, true, &fresh, &m->f->e), STORE_OK);
    compare_view(folder, &fresh);
    assert_int_equal(fresh.modseq, folder->view.modseq);
    for (size_t i = 0; i < fresh.n; i++)
        assert_int_equal(fresh.modseqs[i], folder->view.modseqs[i]);
    assert_int_equal(store_view_load(m->f->store, folder->id, false, &fresh, &m->f->e), STORE_OK);
    assert_null(fresh.modseqs);
    assert_int_equal(store_view_keep_modseqs(m->f->store, folder->id, &fresh, &m->f->e), STORE_OK);
    for (size_t i = 0; i < fresh.n; i++)
        assert_int_equal(fresh.modseqs[i], folder->view.modseqs[i]);
    view_free(&fresh);
}

static void operate(struct model *m)
{
    struct model_folder *folder = &m->folder[pick(m, FOLDERS)];
    switch (pick(m, 8)) {
    case 0:
    case 1:
    case 2: do_append(m, folder); break;
    case 3:
    case 4: do_flags(m, folder); break;
    case 5: do_expunge(m, folder); break;
    default: do_copy(m, folder, &m->folder[pick(m, FOLDERS)]); break;
    }
}

static void reopen(struct model *m)
{
    store_close(m->f->store);
    fixture_open(m->f);
    assert_non_null(m->f->store);
}

static void agrees_with_a_model(void **state)
{
    struct model *m = MEM_NEW(struct model);
    m->f = *state;
    m->seed = 42;
    for (int i = 0; i < FOLDERS; i++) {
        m->folder[i] = (struct model_folder){.id = i + 1, .uidnext = 1};
        assert_int_equal(store_view_load(m->f->store, i + 1, true, &m->folder[i].view, &m->f->e), STORE_OK);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate(m);
        if (pick(m, 5) == 0)
            check(m, &m->folder[pick(m, FOLDERS)]);
        if (i == OPERATIONS / 2) {
            for (int j = 0; j < FOLDERS; j++) /* purged tombstones are told of no more */
                check(m, &m->folder[j]);
            reopen(m);
            assert_int_equal(store_purge(m->f->store, INT64_MAX / 2, EXPUNGED_KEPT_S, &m->f->e), STORE_OK);
        }
        arena_reset(&m->f->arena);
    }
    for (int i = 0; i < FOLDERS; i++) {
        check(m, &m->folder[i]);
        compare_bodies(m, &m->folder[i]);
        view_free(&m->folder[i].view);
        arena_free(&m->folder[i].arena);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {STORE_TEST(agrees_with_a_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
